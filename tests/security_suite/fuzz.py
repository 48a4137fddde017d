"""Fuzz of everything that reads bytes of strangers: only the declared errors may come out.

    python -m tests.security_suite.fuzz NAME --seconds 60
    python -m tests.security_suite.fuzz all --seconds 2

One parser is fuzzed by atheris, guided by coverage, where that is installed (the security suite
installs it); all in turn, and without atheris, by plain mutation. A finding prints its input
and ends with 1.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

try:
    import atheris
except ImportError:
    atheris = None

_instrument: AbstractContextManager[Any] = (
    nullcontext()
    if atheris is None or "all" in sys.argv
    else atheris.instrument_imports(include=["pihub"])
)
with _instrument:
    from pihub._core.httphead import parse as parse_head
    from pihub.errors import PihubError
    from pihub.gateway.api.directives import Directives
    from pihub.gateway.api.http_date import parse_date
    from pihub.gateway.api.uri import safe_path, safe_query
    from pihub.gateway.intake import require_utf8, undone
    from pihub.protocols import jsontext
    from pihub.protocols.imagesize import pixels
    from pihub.protocols.registry import CLIENTS, EMBED_CLIENTS, UPSTREAMS
    from pihub.security.scanner.keywords import load as load_keywords
    from pihub.shared.jsonscan import measure, members
    from pihub.shared.scanning import Scanner
    from pihub.shared.traces import parse as parse_trace
    from pihub.upstream.connector.chunked import ChunkedDecoder
    from pihub.webhooks import parse as hooks

Target = Callable[[bytes], None]
MOST = 4096
"""Bytes of one input."""


class Fuzzed(NamedTuple):
    """What is fuzzed, from which inputs, and which errors are its own."""

    run: Target
    seeds: Sequence[bytes]
    own: tuple[type[Exception], ...] = (PihubError,)


CHAT = json.dumps(
    {
        "model": "m", "stream": True, "temperature": 0.5, "max_tokens": 9,
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
            {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function":
                {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "a", "content": "1"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        "response_format": {"type": "json_object"}, "stop": ["x"], "input": ["a"], "prompt": "p",
    }
).encode()  # fmt: skip
STREAMS = {
    "openai": b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n',
    "anthropic": b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"a"}}\n\n',
    "ollama": b'{"message":{"content":"a"},"done":false}\n{"done":true}\n',
}
EVENT = b'[{"eventId":1,"portalId":2,"subscriptionType":"contact.creation","objectId":3}]'


def _client(name: str) -> Target:
    client = CLIENTS[name]()

    def run(data: bytes) -> None:
        require_utf8(data)
        client.peek(data)
        client.parse(data)

    return run


def _embed(path: str) -> Target:
    def run(data: bytes) -> None:
        require_utf8(data)
        EMBED_CLIENTS[path]().parse_embed(data)

    return run


def _upstream(kind: str) -> Target:
    upstream = UPSTREAMS[kind]()

    def run(data: bytes) -> None:
        cut = data[0] % (len(data) + 1) if data else 0
        parser = upstream.parser()
        parser.feed(data[:cut])
        parser.feed(data[cut:])
        parser.eof()

    return run


def _whole(kind: str) -> Target:
    upstream = UPSTREAMS[kind]()

    def run(data: bytes) -> None:
        upstream.error(500, [], data)
        upstream.glance(200, data)
        upstream.answer(200, [("content-type", "application/json")], data)

    return run


def _json(data: bytes) -> None:
    measure(data, 64, 1000)
    members(data)
    jsontext.is_json(data)


def _scanner() -> Target:
    core = Scanner(load_keywords(), b"secret-of-the-fuzzer")

    def run(data: bytes) -> None:
        for kind, place in (("json", "json"), ("form", "form"), ("text", "json")):
            core.body(data, kind, place)
        core.value(data, "query", True)
        core.value(data, "header")

    return run


def _small(data: bytes) -> None:
    text = data.decode("latin-1")
    parse_date(text)
    parse_trace(text)
    Directives([("cache-control", text)])
    pixels(data)
    for part in (safe_path, safe_query):
        try:
            part(text)
        except PihubError:
            pass


def _chunked(data: bytes) -> None:
    ChunkedDecoder(1024).feed(data)


def _hooks(data: bytes) -> None:
    for read in (hooks.hubspot, hooks.stripe, hooks.github, hooks.slack, hooks.standard):
        try:
            read("s", {"x-github-event": "push", "webhook-id": "1"}, data, 1)
        except PihubError:
            pass


def _none(_: object) -> None: ...


def targets() -> dict[str, Fuzzed]:
    """By name."""
    found = {f"client-{name}": Fuzzed(_client(name), [CHAT]) for name in CLIENTS}
    found |= {
        f"embed-{path.strip('/').replace('/', '-')}": Fuzzed(_embed(path), [CHAT])
        for path in EMBED_CLIENTS
    }
    for kind, seed in STREAMS.items():
        found[f"stream-{kind}"] = Fuzzed(_upstream(kind), [seed])
        found[f"answer-{kind}"] = Fuzzed(_whole(kind), [b'{"choices":[],"content":[]}'])
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n\r\nhello"
    return found | {
        "json": Fuzzed(_json, [CHAT]),
        "head": Fuzzed(lambda data: _none(parse_head(data, 0, False)), [head]),
        "chunked": Fuzzed(_chunked, [b"5\r\nhello\r\n0\r\n\r\n"]),
        "coding": Fuzzed(lambda data: _none(undone(data, "gzip", 1 << 16)), [b"\x1f\x8b\x08"]),
        "webhooks": Fuzzed(_hooks, [EVENT]),
        "scanner": Fuzzed(_scanner(), [b"q=' OR 1=1 --&x=<script>", CHAT], ()),
        "small": Fuzzed(_small, [b"max-age=5, no-store", b"Sun, 06 Nov 1994 08:49:37 GMT"]),
    }


def guarded(one: Fuzzed) -> Target:
    def run(data: bytes) -> None:
        try:
            one.run(data)
        except one.own:
            pass
        except BaseException:
            print(f"found by {data!r}", flush=True)
            raise

    return run


def mutate(one: Fuzzed, seconds: float) -> int:
    """Without atheris: random edits of the seeds. How many were tried."""
    dice, run, tried = random.Random(7), guarded(one), 0
    pool = list(one.seeds)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = bytearray(dice.choice(pool))
        for _ in range(dice.randint(1, 8)):
            at = dice.randrange(len(data) + 1)
            match dice.randrange(4):
                case 0:
                    data[at:at] = dice.randbytes(dice.randint(1, 4))
                case 1:
                    del data[at : at + dice.randint(1, 8)]
                case 2 if data:
                    data[at % len(data)] ^= 1 << dice.randrange(8)
                case _:
                    data[at:at] = dice.choice([b'"', b"{", b"[", b"null", b"\xff", b"1e999", b"-0"])
        run(bytes(data[:MOST]))
        tried += 1
    return tried


def main(arguments: Sequence[str]) -> int:
    every = targets()
    reader = argparse.ArgumentParser()
    reader.add_argument("name", choices=["all", *sorted(every)])
    reader.add_argument("--seconds", type=float, default=10.0)
    wanted = reader.parse_args(arguments)
    if wanted.name == "all":
        for name, one in every.items():
            print(f"{name}: {mutate(one, wanted.seconds)} inputs", flush=True)
        return 0
    one = every[wanted.name]
    mutate(one, min(1.0, wanted.seconds))
    if atheris is None:
        print(f"{wanted.name}: {mutate(one, wanted.seconds)} mutations, atheris is not installed")
        return 0
    options = [f"-max_total_time={int(wanted.seconds)}", f"-max_len={MOST}", "-verbosity=0"]
    atheris.Setup(["fuzz", *options, "-artifact_prefix=/tmp/pihub-fuzz-"], guarded(one))
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
