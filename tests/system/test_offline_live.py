"""A hub whose line outside is cut: kept answers, local models, jobs, errors at once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import ollama
import openai
import pytest

from pihub.demo.harness import Demo
from tests.system.hub import HubProcess
from tests.system.line import Line
from tests.system.test_jobs_live import chat, open_jobs, wait

EXTRA = """
[offline]
probe = 0.1
retry_after = 7

[jobs]
night_from = "00:00"
night_to = "00:00"

[models.both]
chain = ["claude/claude-haiku-4-5", "ollama/llama3.2:3b"]

[models.later]
chain = ["claude/claude-haiku-4-5"]
offline = "queue"

[models.replaced]
chain = ["claude/claude-haiku-4-5"]
offline_model = "local"
"""
ASKED = {"role": "user", "content": "how long is this"}
PATHS = ("/v1/chat/completions", "/v1/messages", "/api/chat")


class House:
    """A hub, its line outside, and the simulators behind both."""

    def __init__(self, folder: Path, upstreams: Demo, line: Line, **more: Any) -> None:
        self.upstreams, self.line = upstreams, line
        env = {
            "PIHUB_UPSTREAMS__CLAUDE__URL": line.url,
            "PIHUB_CACHE__STALE_IF_ERROR": "3600",
        }
        self.hub = HubProcess(folder, upstreams, extra=EXTRA, env=env, **more)

    def until(self, offline: bool) -> None:
        """Something asks meanwhile, or nothing would cast doubt."""
        end = time.monotonic() + 20
        while self.hub.get("/readyz").json["offline"] != offline:
            if offline:
                self.hub.post("/v1/chat/completions", chat("are you there"))
            assert time.monotonic() < end, self.hub.log[-2000:]
            time.sleep(0.05)

    def cut(self) -> None:
        self.line.cut()
        self.until(offline=True)

    def mend(self) -> None:
        self.line.mend()
        self.until(offline=False)

    def said_outside(self, text: str) -> int:
        """How often Claude was asked that."""
        return sum(
            text in json.dumps(one["body"]) and one["path"] == "/v1/messages"
            for one in self.upstreams.log("claude")
        )


@pytest.fixture(scope="module")
def one_house(upstreams: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with Line(upstreams.claude) as line:
        made = House(tmp_path_factory.mktemp("offline"), upstreams, line)
        with made.hub:
            open_jobs(made.hub)
            yield made


@pytest.fixture
def house(one_house: House) -> House:
    """Online, whatever the test before has left."""
    one_house.hub.admin("PUT", "/offline", {"mode": "auto"})
    if not one_house.line.whole:
        one_house.line.mend()
    one_house.until(offline=False)
    return one_house


def value(hub: HubProcess, name: str) -> float:
    for line in hub.get("/metrics").text.splitlines():
        if line.startswith(name + " "):
            return float(line.rpartition(" ")[2])
    raise AssertionError(f"no {name}")


def test_each_way_while_the_line_is_cut(house: House) -> None:
    hub = house.hub
    old = chat("what is kept", temperature=0)
    assert hub.post("/v1/messages", old, x_pihub_cache="ttl=1").status == 200
    time.sleep(1.1)  # past its time
    house.cut()
    assert value(hub, "pihub_offline") == 1
    again = hub.post("/v1/chat/completions", old)
    assert again.status == 200 and again.headers["x-pihub-cache"].startswith("STALE; ")
    for path in PATHS:
        here = hub.post(path, chat("who is here", model="both", temperature=0))
        assert here.status == 200, here.text
        assert here.headers["x-pihub-route"] == "ollama/llama3.2:3b"
        instead = hub.post(path, chat("instead", model="replaced", temperature=0))
        assert instead.headers["x-pihub-route"] == "ollama/llama3.2:3b"
        assert instead.headers["x-pihub-reason"].endswith("claude-haiku-4-5: offline")
        before = house.line.taken
        refused = hub.post(path, chat("now"))
        assert refused.status == (529 if path == "/v1/messages" else 503)
        assert refused.headers["retry-after"] == "7"
        assert "the hub is offline" in refused.text and refused.seconds < 0.5
        assert house.line.taken == before
    barred = hub.post("/v1/messages", chat("x", model="replaced"), x_pihub_policy="cloud-only")
    assert barred.status == 529
    counted = hub.post("/v1/messages/count_tokens", {"model": "cloud", "messages": [ASKED]})
    assert counted.headers["x-pihub-token-count"] == "estimate"
    wrong = hub.post("/v1/messages", chat("x"), x_pihub_offline="perhaps")
    assert wrong.status == 400 and "x-pihub-offline" in wrong.text
    assert json.loads(hub.pihub("offline", "--json").stdout)["outside"] == ["claude"]
    end = time.monotonic() + 15
    while not any(
        one["rule"] == "offline" for one in hub.admin("GET", "/alerts").json["items"]
    ):
        assert time.monotonic() < end
        time.sleep(0.1)
    house.mend()
    # What a local model answered in Claude's place was not kept under its name.
    back = hub.post("/v1/messages", chat("who is here", model="both", temperature=0))
    assert back.headers["x-pihub-route"] == "claude/claude-haiku-4-5"
    assert hub.post("/v1/messages", chat("now")).status == 200


def test_what_was_queued_is_answered_and_paid_once(house: House) -> None:
    """Over SIGKILL of the whole hub, too."""
    hub = house.hub
    house.cut()
    by_header = []
    for n, path in enumerate(PATHS):
        body = chat(f"later {n}")
        if path == "/api/chat":
            body["options"] = {"num_predict": body.pop("max_tokens")}
        by_header.append(hub.post(path, body, x_pihub_offline="queue"))
    by_model = [
        hub.post("/v1/messages", chat("later 3", model="later", stream=True)) for _ in range(2)
    ]
    not_this = hub.post("/v1/messages", chat("no", model="later"), x_pihub_offline="refuse")
    assert not_this.status == 529
    ids = []
    for reply in by_header:
        assert reply.status == 202, reply.text
        assert reply.headers["location"] == f"/v1/jobs/{reply.json['id']}"
        assert reply.headers["x-pihub-reason"] == "offline: queued"
        ids.append(reply.json["id"])
    for reply in by_model:  # whoever asks again within the same outage has the same job
        assert (reply.status, reply.json["error"]["job"]) == (529, by_model[0].json["error"]["job"])
    ids.append(by_model[0].json["error"]["job"])
    once = [
        hub.post("/v1/messages", chat("only once"), x_pihub_offline="queue", idempotency_key="k")
        for _ in range(2)
    ]
    assert {one.json["id"] for one in once} == {once[0].json["id"]} and once[0].status == 202
    ids.append(once[0].json["id"])
    assert all(hub.get(f"/v1/jobs/{id_}").json["status"] == "queued" for id_ in ids)
    assert hub.process is not None
    hub.process.kill()
    hub.process.wait(10)
    time.sleep(0.5)
    hub.start()
    open_jobs(hub)
    house.until(offline=True)
    assert all(hub.get(f"/v1/jobs/{id_}").json["status"] == "queued" for id_ in ids)
    house.mend()
    done = [wait(hub, id_) for id_ in ids]
    assert all(job["target"].startswith("claude/") and job["attempts"] == 0 for job in done)
    assert [house.said_outside(f"later {n}") for n in range(4)] == [1, 1, 1, 1]
    assert house.said_outside("only once") == 1
    sure(lambda: _billed(hub, done))


def _billed(hub: HubProcess, done: list[dict[str, Any]]) -> bool:
    admin = {row["id"]: row for row in hub.admin("GET", "/jobs?limit=200").json["items"]}
    rows = hub.get("/admin/api/v1/requests?limit=1000").json["items"]
    for job in done:
        mine = [r for r in rows if r["request_id"] == admin[job["id"]]["request_id"]]
        if len(mine) != 1 or mine[0]["cost_usd"] != pytest.approx(job["cost_usd"]):
            return False
    return all(job["cost_usd"] > 0 for job in done)


def sure(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_by_hand(house: House) -> None:
    hub = house.hub
    told = json.loads(hub.pihub("offline", "on", "--minutes", "60", "--json").stdout)
    assert told["offline"] and told["mode"] == "on" and told["until"] > time.time() + 3000
    refused = hub.post("/v1/messages", chat("by hand"))
    assert refused.status == 529 and refused.json["error"]["type"] == "overloaded_error"
    assert hub.post("/v1/messages", chat("by hand", model="local")).status == 200
    assert house.said_outside("by hand") == 0
    assert "online" in hub.pihub("offline", "auto").stdout
    assert hub.post("/v1/messages", chat("by hand")).status == 200
    # Kept online, the hub tries in vain, as if there were no such mode.
    hub.pihub("offline", "off")
    house.line.cut()
    for _ in range(5):
        assert hub.post("/v1/messages", chat("in vain")).status == 502
    time.sleep(1.0)  # ten looks
    assert hub.get("/readyz").json["offline"] is False


def test_before_the_hub_knows(house: House) -> None:
    """The first requests after the cut find it out; those that may wait become jobs, too."""
    hub = house.hub
    house.line.cut()
    first = hub.post("/v1/messages", chat("the first"), x_pihub_offline="queue")
    assert first.status == 202
    house.mend()
    assert wait(hub, first.json["id"])["cost_usd"] > 0
    assert house.said_outside("the first") == 1


def test_vendors_clients_raise_what_was_queued_by_its_model(house: House) -> None:
    """With the job's name, after one request: they took 202 for an answer without choices."""
    hub = house.hub
    house.cut()
    before = len(hub.get("/v1/jobs").json["data"])
    gpt = openai.OpenAI(base_url=f"{hub.url}/v1", api_key=hub.key, max_retries=2)
    claude = anthropic.Anthropic(base_url=hub.url, api_key=hub.key, max_retries=2)
    llama = ollama.Client(host=hub.url, headers={"authorization": f"Bearer {hub.key}"})
    ids, asked = [], dict[str, Any](model="later", messages=[ASKED])
    for stream in (False, True):
        with pytest.raises(openai.InternalServerError) as by_openai:
            gpt.chat.completions.create(**asked, seed=int(stream), stream=stream)
        error = by_openai.value
        assert (error.status_code, error.code) == (503, "offline_queued")
        assert isinstance(error.body, dict)
        ids.append(error.body["job"])
        assert error.response.headers["location"] == f"/v1/jobs/{ids[-1]}"
        with pytest.raises(anthropic.APIStatusError) as by_anthropic:
            claude.messages.create(**asked, max_tokens=9 + stream, stream=stream)
        assert by_anthropic.value.status_code == 529
        assert isinstance(by_anthropic.value.body, dict)
        ids.append(by_anthropic.value.body["error"]["job"])
        with pytest.raises(ollama.ResponseError) as by_ollama:
            list(llama.chat(**asked, options={"num_predict": 9}, stream=stream))
        assert by_ollama.value.status_code == 503
        ids.append(by_ollama.value.error.partition("GET /v1/jobs/")[2].split()[0].rstrip(":;,."))
    assert len(hub.get("/v1/jobs").json["data"]) - before == len(set(ids)) == 6
    # Who asks for it by name has the job itself, as before.
    raw = gpt.chat.completions.with_raw_response.create(
        **asked, extra_headers={"x-pihub-offline": "queue"}
    )
    assert raw.status_code == 202
    house.mend()
    for id_ in ids:
        assert wait(hub, id_)["result"]
