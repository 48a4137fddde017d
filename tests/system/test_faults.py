"""Faults of the local upstream x three client protocols x streamed or not.

The chain is Ollama, then Claude. Before the first content byte every fault moves on to
Claude; after it a streamed answer ends in the client's own error, and is not kept.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.system.clients import CLIENTS, ClientCase
from tests.system.hub import HubProcess, Upstreams

COUNT = itertools.count()

BEFORE: list[tuple[str, dict[str, Any], str]] = [
    ("F1", {}, "upstream_unreachable"),
    ("F2", {"seconds": 8}, "upstream_timeout"),
    ("F3", {"seconds": 8}, "upstream_timeout"),
    ("F4", {"status": 401}, "upstream_rejected"),
    ("F4", {"status": 403}, "upstream_rejected"),
    ("F5", {"status": 429}, "upstream_busy"),
    ("F6", {"status": 500}, "upstream_error"),
    ("F6", {"status": 529}, "upstream_busy"),
    ("F7", {}, "upstream"),
    ("F8", {}, "upstream_protocol"),
]
AFTER: list[tuple[str, dict[str, Any]]] = [
    ("F9", {"after_tokens": 4}),
    ("F10", {"after_tokens": 4, "seconds": 6}),
    ("F12", {"after_tokens": 4}),
    ("F17", {"after_tokens": 4}),
]


def prompt() -> str:
    """A new one each time: no test may be answered by another one's kept answer."""
    return f"please count to {next(COUNT)} in words and say why that is enough"


def both(test: Any) -> Any:
    clients = pytest.mark.parametrize("client", CLIENTS, ids=str)
    return clients(pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])(test))


@both
@pytest.mark.parametrize(("fault", "options", "code"), BEFORE, ids=lambda v: str(v))
def test_before_the_first_byte_claude_answers(
    hub: HubProcess,
    upstreams: Upstreams,
    client: ClientCase,
    stream: bool,
    fault: str,
    options: dict[str, Any],
    code: str,
) -> None:
    upstreams.faults("ollama", fault, **options)
    body = client.body("assistant", prompt(), stream=stream)
    reply = hub.post(client.path, body)
    assert reply.status == 200, reply.text
    assert reply.headers["x-pihub-route"] == "claude/claude-haiku-4-5"
    assert reply.headers["x-pihub-reason"].startswith("fallback after ollama/llama3.2:3b: " + code)
    if stream:
        assert client.complete(reply.body)
        assert client.stream_text(reply.body)
    else:
        assert client.text(reply.json)


@both
@pytest.mark.parametrize(("fault", "options", "code"), BEFORE, ids=lambda v: str(v))
def test_without_a_second_target_the_client_gets_its_own_error(
    hub: HubProcess,
    upstreams: Upstreams,
    client: ClientCase,
    stream: bool,
    fault: str,
    options: dict[str, Any],
    code: str,
) -> None:
    upstreams.faults("ollama", fault, **options)
    reply = hub.post(client.path, client.body("local", prompt(), stream=stream))
    assert reply.status in (502, 503, 504, 529), reply.text
    assert client.error(reply.json), reply.text
    assert reply.headers["x-pihub-request-id"]
    for secret in ("Traceback", "127.0.0.1", "injected"):
        assert secret not in reply.text


@both
@pytest.mark.parametrize(("fault", "options"), AFTER, ids=lambda v: str(v))
def test_after_the_first_byte(
    hub: HubProcess,
    upstreams: Upstreams,
    client: ClientCase,
    stream: bool,
    fault: str,
    options: dict[str, Any],
) -> None:
    upstreams.faults("ollama", fault, **options)
    body = client.body("assistant", prompt(), stream=stream, temperature=0)
    reply = hub.post(client.path, body)
    assert reply.status == 200, reply.text
    if not stream:
        # Nothing was sent yet: the chain goes on, and the answer is whole.
        assert reply.headers["x-pihub-route"].startswith("claude/")
        assert client.text(reply.json)
        return
    assert reply.headers["x-pihub-route"].startswith("ollama/")
    assert client.stream_text(reply.body), "what was received reaches the client"
    assert client.stream_error(reply.body), reply.text
    assert not client.complete(reply.body)
    upstreams.clear("ollama")
    again = hub.post(client.path, body)
    assert "HIT" not in again.headers["x-pihub-cache"], "a broken stream was kept"
    assert client.complete(again.body)


@pytest.mark.parametrize("client", CLIENTS, ids=str)
def test_one_malformed_event_does_not_kill_a_stream(
    hub: HubProcess, upstreams: Upstreams, client: ClientCase
) -> None:
    upstreams.faults("ollama", "F11")
    reply = hub.post(client.path, client.body("assistant", prompt(), stream=True))
    assert reply.headers["x-pihub-route"].startswith("ollama/")
    assert client.complete(reply.body), reply.text


@pytest.mark.parametrize("client", CLIENTS, ids=str)
@pytest.mark.parametrize("model", ["cloud", "compatible"])
@pytest.mark.parametrize(
    ("fault", "options", "stream"),
    [
        ("F9", {"after_tokens": 4}, True),
        ("F9", {"after_tokens": 4}, False),
        ("F12", {"after_tokens": 4}, True),
    ],
    ids=str,
)
def test_cut_answers_of_the_other_upstreams_are_errors(
    hub: HubProcess,
    upstreams: Upstreams,
    client: ClientCase,
    stream: bool,
    model: str,
    fault: str,
    options: dict[str, Any],
) -> None:
    server = {"cloud": "claude", "compatible": "openai"}[model]
    upstreams.faults(server, fault, **options)
    reply = hub.post(client.path, client.body(model, prompt(), stream=stream))
    if stream:
        assert client.stream_error(reply.body), reply.text
    else:
        assert reply.status == 502, reply.text
        assert client.error(reply.json)
