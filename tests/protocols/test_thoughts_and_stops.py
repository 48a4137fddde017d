"""Thoughts left in the text, stop sequences of the hub's own, sizes of images."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub.domain.chat import Answer, StopReason, Text, Thinking
from pihub.domain.collect import collect
from pihub.domain.stops import enforced
from pihub.domain.stream import BlockStart, BlockStop, Finish, Start, TextDelta
from pihub.protocols.canonical import estimate_input
from pihub.protocols.imagesize import UNKNOWN, image_tokens, pixels
from pihub.protocols.registry import UPSTREAMS
from pihub.protocols.thinktags import ThinkSplitter, split
from tests.gateway.parts import (
    SSE,
    Bench,
    FakeResponse,
    anthropic_chunks,
    header,
    make,
    openai_chunks,
)
from tests.protocols.carry import chat, parse, stream_answer, user
from tests.protocols.chunks import DONE, chunk, delta, finish

__all__ = ["make"]


def pieces(text: str, cuts: list[int]) -> list[str]:
    at = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    return [text[a:b] for a, b in pairwise(at)]


def joined(parts: list[tuple[bool, str]]) -> tuple[str, str]:
    return (
        "".join(text for thought, text in parts if thought),
        "".join(text for thought, text in parts if not thought),
    )


@pytest.mark.parametrize(
    ("text", "thought", "said"),
    [
        ("<think>\nHm.\n</think>\n\nYes.", "Hm.", "Yes."),
        ("\n<think>a</think>b", "a", "b"),
        ("<think></think>b", "", "b"),
        ("<think>never closed", "never closed", ""),
        ("<think>a < b </thin </think>c", "a < b </thin ", "c"),
        ("plain <think>no</think>", "", "plain <think>no</think>"),
        ("<thinker> is a word", "", "<thinker> is a word"),
        ("<th", "", "<th"),
        ("<think>a</think>x <think>b</think>", "a", "x <think>b</think>"),
        ("", "", ""),
    ],
)
def test_case_48_think_tags_are_split_once_at_the_beginning(
    text: str, thought: str, said: str
) -> None:
    assert joined(split(text)) == (thought, said)
    for size in (1, 2, 3):
        splitter = ThinkSplitter()
        parts: list[tuple[bool, str]] = []
        for at in range(0, len(text), size):
            parts += splitter.feed(text[at : at + size])
        assert joined(parts + splitter.end())[1] == said


@given(
    st.text(alphabet="<think>/ab\n", max_size=40).map(lambda t: "<think>" + t),
    st.lists(st.integers(0, 50), max_size=8),
)
def test_case_48_cuts_change_nothing(text: str, cuts: list[int]) -> None:
    splitter = ThinkSplitter()
    parts = [part for piece in pieces(text, cuts) for part in splitter.feed(piece)]
    thought, said = joined(parts + splitter.end())
    whole_thought, whole_said = joined(split(text))
    assert said == whole_said and thought.strip("\n") == whole_thought.strip("\n")


@pytest.mark.parametrize("upstream", ["openai", "ollama"])
def test_case_48_streams_and_whole_answers_agree(upstream: str) -> None:
    text = "<think>Hm, well.</think>\n\nYes."
    if upstream == "openai":
        stream = b"".join(chunk(delta(content=c)) for c in text) + chunk(finish()) + DONE
        body = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
    else:
        lines = [{"message": {"role": "assistant", "content": c}, "done": False} for c in text]
        lines.append({"message": {"role": "assistant", "content": ""}, "done": True})
        stream = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        body = {"message": {"role": "assistant", "content": text}, "done": True}
    streamed = stream_answer(upstream, stream)
    whole = UPSTREAMS[upstream]().answer(200, [], json.dumps(body).encode())
    assert streamed.blocks == whole.blocks == (Thinking("Hm, well."), Text("Yes."))


def stopped(words: list[str], *stops: str) -> Answer:
    events = [Start("i", "m"), BlockStart(0, "text"), *(TextDelta(0, word) for word in words)]
    return collect(enforced([*events, BlockStop(0), Finish(StopReason.END_TURN)], stops))


def test_case_47_a_stop_of_the_hub_s_own_does_not_leak() -> None:
    answer = stopped(["one ", "tw", "o ST", "O", "P three"], "STOP", "\n\n")
    assert answer.blocks == (Text("one two "),)
    assert (answer.stop_reason, answer.stop_sequence) == (StopReason.STOP_SEQUENCE, "STOP")
    whole = stopped(["one ST", "ONE"], "STOP")
    assert whole.blocks == (Text("one STONE"),) and whole.stop_reason is StopReason.END_TURN


@given(st.text(alphabet="ab", max_size=30), st.lists(st.integers(0, 30), max_size=6))
def test_case_47_cuts_change_nothing(text: str, cuts: list[int]) -> None:
    for stop in ("aba", "bb"):
        said = "".join(b.text for b in stopped(pieces(text, cuts), stop).blocks)  # type: ignore[union-attr]
        assert said == text.partition(stop)[0]


@pytest.mark.parametrize("stream", [False, True])
def test_case_47_blank_stops_are_the_hub_s_for_anthropic(
    make: Callable[..., Bench], stream: bool
) -> None:
    bench = make(chat=("an",))
    words = ("one", " two\n", "\nthree")
    if stream:
        bench.says("an", FakeResponse(*anthropic_chunks(*words), kind=SSE))
    else:
        body = {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
            "content": [{"type": "text", "text": "".join(words)}], "stop_reason": "end_turn",
            "stop_sequence": None, "usage": {"input_tokens": 10, "output_tokens": 5},
        }  # fmt: skip
        bench.says("an", FakeResponse(json.dumps(body).encode()))
    reply, raw = bench.whole(stop=["\n\n"], max_tokens=50, stream=stream)
    assert b"one" in raw and b"two" in raw and b"three" not in raw
    assert b'"finish_reason":"stop"' in raw
    assert all(name != "x-pihub-warning" for name, _ in reply.headers)


def test_case_49_headers_of_streams(make: Callable[..., Bench]) -> None:
    bench = make(chat=("oa",))
    bench.says("oa", FakeResponse(*openai_chunks("a", "b"), kind=SSE))
    reply, _ = bench.whole(stream=True)
    assert header(reply, "cache-control") == "no-cache"
    assert header(reply, "x-accel-buffering") == "no"
    assert header(reply, "content-type").startswith(SSE)
    names = {name for name, _ in reply.headers}
    assert not names & {"content-length", "content-encoding", "transfer-encoding"}


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + b"\x08\x06"


SIZES = {
    "png": png(1092, 1092),
    "gif": b"GIF89a" + struct.pack("<HH", 1092, 1092),
    "jpeg": b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x11\x08" + struct.pack(">HH", 1092, 1092) + b"\3",
    "webp-vp8": b"RIFF\0\0\0\0WEBPVP8 " + b"\0" * 10 + struct.pack("<HH", 1092, 1092),
    "webp-vp8l": b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + struct.pack("<I", 1091 | 1091 << 14),
    "webp-vp8x": b"RIFF\0\0\0\0WEBPVP8X" + b"\0" * 8 + (1091).to_bytes(3, "little") * 2,
}


@pytest.mark.parametrize("kind", SIZES)
def test_case_54_image_tokens_by_their_pixels(kind: str) -> None:
    assert pixels(SIZES[kind]) == (1092, 1092)
    assert image_tokens(base64.b64encode(SIZES[kind]).decode()) == 1590


def test_case_54_large_images_are_scaled_and_broken_ones_guessed() -> None:
    assert image_tokens(base64.b64encode(png(8000, 8000)).decode()) == 3278
    assert image_tokens("!!!") == image_tokens("aGVsbG8=") == UNKNOWN
    source = {"type": "base64", "media_type": "image/png"}
    small, large = (
        parse(
            "anthropic",
            chat(
                "anthropic",
                user(
                    [
                        {
                            "type": "image",
                            "source": {**source, "data": base64.b64encode(data).decode()},
                        }
                    ]
                ),
            ),
        )
        for data in (png(75, 100), png(1092, 1092))
    )
    assert estimate_input(large) - estimate_input(small) == 1580
