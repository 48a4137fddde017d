"""Token probabilities, which OpenAI's formats and Ollama's both know, in their four shapes.

Sources: OpenAI API reference (chat: `logprobs.content`; completions: four parallel lists;
responses: `output_text.logprobs`), Ollama's API documentation (`logprobs`, a plain list).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from pihub.domain.chat import Alternative, Ask, TokenLogprob
from pihub.errors import BadRequest

Tokens = tuple[TokenLogprob, ...]
MOST = 20
"""Alternatives a token, of either vendor."""
INCLUDE = "message.output_text.logprobs"
"""How a Responses client asks for them."""


class _Chat(msgspec.Struct):
    content: list[TokenLogprob] | None = None


class _Lists(msgspec.Struct):
    """Of a completion that is no chat."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None] | None = None


_LIST = msgspec.json.Decoder(list[TokenLogprob])
_CHAT = msgspec.json.Decoder(_Chat)
_LISTS = msgspec.json.Decoder(_Lists)


def wanted(said: bool | None, top: int | None) -> tuple[bool, int | None]:
    """`logprobs` and `top_logprobs` of a request. Raises BadRequest."""
    if top is not None and not 0 <= top <= MOST:
        raise BadRequest(f"top_logprobs: must be between 0 and {MOST}", param="top_logprobs")
    if top and not said:
        raise BadRequest("top_logprobs: needs logprobs to be true", param="logprobs")
    return bool(said), top if said else None


def asked(ask: Ask) -> dict[str, Any]:
    """The request's fields for an upstream that knows them."""
    if not ask.logprobs:
        return {}
    fields: dict[str, Any] = {"logprobs": True}
    if ask.top_logprobs is not None:
        fields["top_logprobs"] = ask.top_logprobs
    return fields


def dropped(ask: Ask) -> list[str]:
    """What an upstream that does not know them leaves out."""
    return list(asked(ask))


def read(raw: msgspec.Raw) -> Tokens:
    """Whatever shape it is in; what cannot be read is worth no failed answer."""
    data = bytes(raw)
    if len(data) <= 4:  # nothing, null, [] or {}
        return ()
    try:
        if data.startswith(b"["):
            return tuple(_LIST.decode(data))
        if b'"token_logprobs"' in data:
            return _of_lists(_LISTS.decode(data))
        return tuple(_CHAT.decode(data).content or ())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()


def _of_lists(wire: _Lists) -> Tokens:
    tops = wire.top_logprobs or [None] * len(wire.tokens)
    return tuple(
        TokenLogprob(
            token,
            value if value is not None else 0.0,  # OpenAI: the first token of an echoed prompt
            None,
            tuple(Alternative(other, chance) for other, chance in (top or {}).items()),
        )
        for token, value, top in zip(wire.tokens, wire.token_logprobs, tops, strict=False)
    )


def chat(tokens: Sequence[TokenLogprob]) -> dict[str, Any]:
    """OpenAI's `logprobs` of a chat choice; every field stands, unknown bytes are null."""
    return {"content": list(tokens), "refusal": None}


def plain(tokens: Sequence[TokenLogprob]) -> list[dict[str, Any]]:
    """Ollama's list, without what is not known."""
    wires = []
    for one in tokens:
        wire = _plain(one)
        if one.top_logprobs:
            wire["top_logprobs"] = [_plain(other) for other in one.top_logprobs]
        wires.append(wire)
    return wires


def _plain(one: TokenLogprob | Alternative) -> dict[str, Any]:
    wire: dict[str, Any] = {"token": one.token, "logprob": one.logprob}
    if one.bytes is not None:
        wire["bytes"] = one.bytes
    return wire


def lists(tokens: Sequence[TokenLogprob], offset: int) -> dict[str, Any]:
    """OpenAI's `logprobs` of a completion. `offset`: characters of the text before."""
    offsets = []
    for one in tokens:
        offsets.append(offset)
        offset += len(one.token)
    return {
        "tokens": [one.token for one in tokens],
        "token_logprobs": [one.logprob for one in tokens],
        "top_logprobs": [{o.token: o.logprob for o in one.top_logprobs} for one in tokens],
        "text_offset": offsets,
    }


def brief(tokens: Sequence[TokenLogprob]) -> list[dict[str, Any]]:
    """As a Responses stream's deltas have them: without bytes."""
    return [
        {
            "token": one.token,
            "logprob": one.logprob,
            "top_logprobs": [{"token": o.token, "logprob": o.logprob} for o in one.top_logprobs],
        }
        for one in tokens
    ]


def full(tokens: Sequence[TokenLogprob]) -> list[dict[str, Any]]:
    """As a Responses output has them: bytes are required, so unknown ones are the token's."""
    return [_full(one) | {"top_logprobs": [_full(o) for o in one.top_logprobs]} for one in tokens]


def _full(one: TokenLogprob | Alternative) -> dict[str, Any]:
    known = one.bytes
    data = list(one.token.encode("utf-8", "replace")) if known is None else known
    return {"token": one.token, "logprob": one.logprob, "bytes": data}
