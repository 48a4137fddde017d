"""Counting a message request's tokens: Anthropic's own answer, or an estimate."""

from __future__ import annotations

import msgspec

from pihub.domain.chat import Ask
from pihub.errors import UpstreamProtocol
from pihub.protocols.anthropic.parse import parse as parse_message
from pihub.protocols.canonical import count, estimate_input
from pihub.protocols.jsontext import edit, encode, members

PATH = "/v1/messages/count_tokens"
_UNKNOWN = frozenset(
    {
        "max_tokens", "stream", "temperature", "top_p", "top_k", "stop_sequences", "metadata",
        "service_tier", "container", "inference_geo",
    }
)  # fmt: skip
"""What a message request may say and a count may not."""


class _Count(msgspec.Struct):
    input_tokens: int


_DECODER = msgspec.json.Decoder(_Count)


def parse(body: bytes) -> Ask:
    """As a message request, whose `max_tokens` may be missing. Raises BadRequest."""
    if not any(key == "max_tokens" for key, _, _ in members(body)):
        body = edit(body, {"max_tokens": b"1"})
    return parse_message(body)


def request(body: bytes, model: str) -> bytes:
    """The client's own body for Anthropic, without what a count does not know."""
    kept = {
        key: msgspec.Raw(body[start:end])
        for key, start, end in members(body)
        if key not in _UNKNOWN
    }
    kept["model"] = msgspec.Raw(encode(model))
    return encode(kept)


def read(body: bytes) -> int:
    """Raises UpstreamProtocol."""
    try:
        return count(_DECODER.decode(body).input_tokens)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UpstreamProtocol("the upstream's count is none", upstream_status=200) from None


def estimate(ask: Ask) -> int:
    """See `estimate_input`; system, tools and images count too."""
    return estimate_input(ask)


def render(number: int) -> bytes:
    """Exactly `{"input_tokens": n}`."""
    return encode({"input_tokens": number})
