"""Faults F1 to F18 x three client protocols x streamed or not x each kind of upstream.

One target and no second one, so that the client sees what the fault does. The eighteen
combinations of a fault are asked at once: most of them wait for the same timer.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.system.clients import CLIENTS, ClientCase
from tests.system.hub import HubProcess, Reply, Upstreams

MODELS = {"ollama": "local", "claude": "cloud", "openai": "compatible"}
COUNT = itertools.count()
GONE = """
[upstreams.gone-{name}]
kind = "{kind}"
url = "http://nowhere.invalid:9"
simulated = true
[upstreams.gone-{name}.timers]
connect = 1.0
[upstreams.gone-{name}.breaker]
failures = 100000
[models.gone-{name}]
chain = ["gone-{name}/x"]
"""


@pytest.fixture(scope="module")
def lone(upstreams: Upstreams, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub with a chain of one target for each kind of upstream, breakers out of the way."""
    folder: Path = tmp_path_factory.mktemp("lone")
    kinds = {"ollama": "ollama", "claude": "anthropic", "openai": "openai"}
    extra = "".join(GONE.format(name=name, kind=kind) for name, kind in kinds.items())
    with HubProcess(folder, upstreams, workers=1, extra=extra) as hub:
        yield hub


Check = Callable[[ClientCase, str, bool, Reply], None]


def refused(*statuses: int) -> Check:
    """The client's own error before any byte of an answer."""

    def check(client: ClientCase, server: str, stream: bool, reply: Reply) -> None:
        assert reply.status in statuses, reply.text
        assert client.error(reply.json), reply.text

    return check


def broken(client: ClientCase, server: str, stream: bool, reply: Reply) -> None:
    """Streams end in an error behind what was received; whole answers are errors."""
    if not stream:
        refused(502, 504)(client, server, stream, reply)
        return
    assert reply.status == 200, reply.text
    assert client.stream_text(reply.body) and client.stream_error(reply.body), reply.text
    assert not client.complete(reply.body)


def fine(client: ClientCase, server: str, stream: bool, reply: Reply) -> None:
    """As if nothing had been."""
    assert reply.status == 200, reply.text
    if not stream:
        assert client.text(reply.json)
        return
    assert client.complete(reply.body) and client.stream_text(reply.body), reply.text


def once(client: ClientCase, server: str, stream: bool, reply: Reply) -> None:
    """Complete, and with one terminal marker only."""
    fine(client, server, stream, reply)
    if stream:
        marker = {"openai": b"[DONE]", "anthropic": b'"message_stop"', "ollama": b'"done":true'}
        assert reply.body.count(marker[client.name]) == 1, reply.text


def malformed(client: ClientCase, server: str, stream: bool, reply: Reply) -> None:
    """One event of a stream is skipped; a body that is no JSON is an error."""
    whole_upstream = not stream and server != "ollama"  # Ollama is always asked to stream
    (refused(502) if whole_upstream else fine)(client, server, stream, reply)


def unfinished(client: ClientCase, server: str, stream: bool, reply: Reply) -> None:
    """A stream without its terminal marker is no answer; a whole body is one."""
    if not stream and server != "ollama":
        fine(client, server, stream, reply)
    else:
        broken(client, server, stream, reply)


CASES: dict[str, list[tuple[dict[str, Any], Check]]] = {
    "F1": [({}, refused(502))],
    "F2": [({"seconds": 8}, refused(504))],
    "F3": [({"seconds": 8}, refused(504))],
    "F4": [({"status": 401}, refused(502)), ({"status": 403}, refused(502))],
    "F5": [({}, refused(503, 529)), ({"retry_after": "7"}, refused(503, 529))],
    "F6": [({"status": 500}, refused(502)), ({"status": 529}, refused(503, 529))],
    "F7": [({}, refused(502, 503, 529))],
    "F8": [({}, refused(502))],
    "F9": [({"after_tokens": 4}, broken)],
    "F10": [({"after_tokens": 4, "seconds": 6}, broken)],
    "F11": [({}, malformed)],
    "F12": [({"after_tokens": 4}, broken)],
    "F13": [({}, once)],
    "F14": [({}, unfinished)],
    "F15": [({"usage": usage}, fine) for usage in ("missing", "late", "early")],
    "F16": [({"seconds": 0.4}, fine), ({"status": 503, "seconds": 60}, refused(503, 529))],
    "F17": [({"after_tokens": 4}, broken)],
    "F18": [({}, refused(502, 504))],
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", CASES)
def test_fault(lone: HubProcess, upstreams: Upstreams, fault: str) -> None:
    upstreams.pace(0)
    for options, check in CASES[fault]:
        if fault != "F18":
            for server in MODELS:
                upstreams.faults(server, fault, **options)
        combinations = list(itertools.product(CLIENTS, (False, True), MODELS))

        def ask(combination: tuple[ClientCase, bool, str]) -> Reply:
            client, stream, server = combination
            model = f"gone-{server}" if fault == "F18" else MODELS[server]
            prompt = f"please count to {next(COUNT)} in words [[tokens:12]]"
            return lone.post(client.path, client.body(model, prompt, stream=stream))

        with ThreadPoolExecutor(6) as pool:
            replies = list(pool.map(ask, combinations))
        for (client, stream, server), reply in zip(combinations, replies, strict=True):
            try:
                check(client, server, stream, reply)
                assert reply.headers["x-pihub-request-id"]
                if options.get("retry_after"):
                    assert reply.headers["retry-after"] == "7"
            except AssertionError as error:
                raise AssertionError(f"{fault} {options} {client} {server} {stream}") from error
        upstreams.clear()
