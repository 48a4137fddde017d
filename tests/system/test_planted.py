"""Secrets go where they must and nowhere else: searched for in all that the hub leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.clients import ANTHROPIC, OLLAMA, OPENAI
from tests.system.hub import HubProcess, Upstreams

PLANTED = "sk-planted-7f3c9d51e2a84b6f"
EXTRA = """
[upstreams.keyed]
kind = "openai"
url = "{url}"
api_key_env = "PLANTED_KEY"
simulated = true

[models.keyed]
chain = ["keyed/gpt-4o-mini"]
"""


@pytest.mark.slow
def test_planted_secrets_are_in_no_sink(
    engine: str, upstreams: Upstreams, tmp_path: Path
) -> None:
    upstreams.clear_log()
    extra = EXTRA.format(url=upstreams.openai)
    with HubProcess(
        tmp_path, upstreams, engine, extra=extra, env={"PLANTED_KEY": PLANTED}
    ) as hub:
        said: list[str] = []
        for fault in ("", "F4", "F6", "F7", "F8", "F12"):
            if fault:
                upstreams.faults("openai", fault, times=6)
            for client in (OPENAI, ANTHROPIC, OLLAMA):
                for stream in (False, True):
                    reply = hub.post(client.path, client.body("keyed", "hello", stream=stream))
                    said.append(f"{reply.headers} {reply.text}")
            upstreams.clear("openai")
        sent = str(upstreams.log("openai"))
        assert PLANTED in sent, "the upstream gets its own key"
        assert hub.key not in sent, "and never the client's"
        said += [hub.get(path).text for path in ("/metrics", "/healthz", "/readyz", "/v1/models")]
        hub.stop()
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in written)
    sinks = {str(path): path.read_bytes() for path in written}
    sinks |= {f"answer {n}": text.encode() for n, text in enumerate(said)}
    for name, data in sinks.items():
        assert PLANTED.encode() not in data, name
        assert hub.key.encode() not in data, name
