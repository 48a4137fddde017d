"""The vendors' own SDKs read what the client formats write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anthropic
import ollama
import openai
import pytest

from pihub.domain.chat import Answer, Ask, StopReason, Text, Thinking, ToolUse, Usage
from pihub.domain.collect import replay
from pihub.errors import PihubError, RateLimited, UpstreamIncomplete
from pihub.protocols.registry import CLIENTS

ANSWER = Answer(
    id="msg_7",
    model="served",
    blocks=(
        Thinking("Hm.", "sig=="),
        Text("Héllo 😀"),
        ToolUse("call_1", "weather", '{"city": "Rome", "days": 1.5}'),
        ToolUse("call_2", "now", "{}"),
    ),
    stop_reason=StopReason.TOOL_USE,
    usage=Usage(input=10, output=5, cache_read=2),
    created=1700000000,
)
PATHS = {
    "/v1/chat/completions": "openai",
    "/v1/messages": "anthropic",
    "/api/chat": "ollama",
}


class Serve:
    """Answers each request with ANSWER, or with what `failure` says, as its client asks."""

    def __init__(self) -> None:
        self.failure: PihubError | None = None
        self.breaks = False
        self.asks: list[Ask] = []
        serve = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                path = self.path.partition("?")[0]
                status, headers, body = serve.answer(PATHS[path], self.rfile.read(length))
                self.send_response(status)
                for name, value in [*headers, ("content-length", str(len(body)))]:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, protocol: str, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        client = CLIENTS[protocol]()
        if self.failure is not None:
            return client.error(self.failure, "r-1")
        ask = client.parse(body)
        self.asks.append(ask)
        if not ask.stream:
            return 200, [("content-type", "application/json")], client.render(ANSWER, ask)
        renderer = client.renderer(ask)
        events = list(replay(ANSWER))
        if self.breaks:
            events = events[:6]
        out = b"".join(renderer.feed(event) for event in events)
        if self.breaks:
            out += renderer.error(UpstreamIncomplete("the answer ended early"), "r-1")
        return 200, [("content-type", renderer.content_type)], out


@pytest.fixture
def hub() -> Iterator[Serve]:
    serve = Serve()
    thread = threading.Thread(target=serve.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield serve
    serve.server.shutdown()
    serve.server.server_close()


USER: Any = [{"role": "user", "content": "hi"}]


def open_ai(hub: Serve) -> openai.OpenAI:
    return openai.OpenAI(base_url=hub.url + "/v1", api_key="k", max_retries=0)


def claude(hub: Serve) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=hub.url, api_key="k", max_retries=0)


def test_openai_sdk_whole(hub: Serve) -> None:
    done = open_ai(hub).chat.completions.create(model="m", messages=USER)
    choice = done.choices[0]
    assert choice.message.content == "Héllo 😀" and choice.finish_reason == "tool_calls"
    calls: Any = choice.message.tool_calls
    assert [(c.id, c.function.name, c.function.arguments) for c in calls] == [
        ("call_1", "weather", '{"city": "Rome", "days": 1.5}'),
        ("call_2", "now", "{}"),
    ]
    assert done.usage is not None and done.usage.prompt_tokens == 12
    assert done.model == "served" and done.created == 1700000000


def test_openai_sdk_stream_helper(hub: Serve) -> None:
    with open_ai(hub).chat.completions.stream(
        model="m", messages=USER, stream_options={"include_usage": True}
    ) as stream:
        text = "".join(event.delta for event in stream if event.type == "content.delta")
        final = stream.get_final_completion()
    assert text == final.choices[0].message.content == "Héllo 😀"
    calls: Any = final.choices[0].message.tool_calls
    assert [(c.id, c.function.arguments) for c in calls] == [
        ("call_1", '{"city": "Rome", "days": 1.5}'),
        ("call_2", "{}"),
    ]
    assert final.usage is not None and final.usage.total_tokens == 17
    assert hub.asks[0].stream and hub.asks[0].include_usage


def test_anthropic_sdk_whole(hub: Serve) -> None:
    message: Any = claude(hub).messages.create(model="m", max_tokens=9, messages=USER)
    assert [block.type for block in message.content] == [
        "thinking",
        "text",
        "tool_use",
        "tool_use",
    ]
    assert message.content[0].signature == "sig=="
    assert message.content[2].input == {"city": "Rome", "days": 1.5}
    assert message.stop_reason == "tool_use" and message.usage.cache_read_input_tokens == 2


def test_anthropic_sdk_stream_helper(hub: Serve) -> None:
    with claude(hub).messages.stream(model="m", max_tokens=9, messages=USER) as stream:
        text = "".join(stream.text_stream)
        message: Any = stream.get_final_message()
    assert text == "Héllo 😀"
    assert (message.content[0].thinking, message.content[0].signature) == ("Hm.", "sig==")
    assert [b.input for b in message.content[2:]] == [{"city": "Rome", "days": 1.5}, {}]
    assert (message.usage.input_tokens, message.usage.output_tokens) == (10, 5)
    assert message.stop_reason == "tool_use"


def test_ollama_sdk_whole_and_stream(hub: Serve) -> None:
    client = ollama.Client(host=hub.url)
    whole = client.chat(model="m", messages=USER)
    parts = list(client.chat(model="m", messages=USER, stream=True))
    assert whole.message.content == "".join(p.message.content or "" for p in parts) == "Héllo 😀"
    assert whole.message.thinking == "".join(p.message.thinking or "" for p in parts) == "Hm."
    for calls in (
        whole.message.tool_calls or [],
        [call for part in parts for call in part.message.tool_calls or []],
    ):
        assert [(c.function.name, dict(c.function.arguments)) for c in calls] == [
            ("weather", {"city": "Rome", "days": 1.5}),
            ("now", {}),
        ]
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1].prompt_eval_count == 12 and parts[-1].done_reason == "stop"
    assert [ask.stream for ask in hub.asks] == [False, True]


def test_errors_before_the_headers(hub: Serve) -> None:
    hub.failure = RateLimited("too fast", retry_after=3)
    with pytest.raises(openai.RateLimitError) as first:
        open_ai(hub).chat.completions.create(model="m", messages=USER)
    assert first.value.code == "rate_limited" and first.value.request_id == "r-1"
    assert first.value.response.headers["retry-after"] == "3"
    with pytest.raises(anthropic.RateLimitError) as second:
        claude(hub).messages.create(model="m", max_tokens=9, messages=USER)
    assert second.value.request_id == "r-1" and "too fast" in second.value.message
    with pytest.raises(ollama.ResponseError) as third:
        ollama.Client(host=hub.url).chat(model="m", messages=USER)
    assert third.value.status_code == 429 and "too fast" in third.value.error


def read_openai(hub: Serve) -> None:
    for _ in open_ai(hub).chat.completions.create(model="m", messages=USER, stream=True):
        pass


def read_anthropic(hub: Serve) -> None:
    with claude(hub).messages.stream(model="m", max_tokens=9, messages=USER) as stream:
        stream.until_done()


def read_ollama(hub: Serve) -> None:
    for _ in ollama.Client(host=hub.url).chat(model="m", messages=USER, stream=True):
        pass


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (read_openai, openai.APIError),
        (read_anthropic, anthropic.APIError),
        (read_ollama, ollama.ResponseError),
    ],
)
def test_a_broken_stream_is_an_exception_and_never_a_short_answer(
    hub: Serve, read: Callable[[Serve], None], kind: type[Exception]
) -> None:
    hub.breaks = True
    with pytest.raises(kind, match="ended early"):
        read(hub)
