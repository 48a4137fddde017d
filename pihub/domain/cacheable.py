"""May an answer be kept, and may a kept one be served? Pure policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pihub.domain.chat import Answer, Block, StopReason, Text, ToolUse
from pihub.errors import BadRequest


@dataclass(frozen=True, slots=True)
class CacheWish:
    """What the client said in `x-pihub-cache`: nothing, `off`, `only` or `ttl=SECONDS`."""

    mode: Literal["auto", "off", "only", "ttl"] = "auto"
    ttl: float = 0.0


MAX_TTL = 30 * 86400.0


def parse_wish(value: str | None) -> CacheWish:
    """Raises BadRequest for anything but the four forms."""
    if value is None:
        return CacheWish()
    word = value.strip().lower()
    if word in ("auto", ""):
        return CacheWish()
    if word == "off":
        return CacheWish("off")
    if word == "only":
        return CacheWish("only")
    name, _, number = word.partition("=")
    # ASCII: isdigit() also knows digits that int() refuses; short: so does int() with long ones.
    digits = number.isascii() and number.isdigit() and len(number) <= len(str(int(MAX_TTL)))
    if name == "ttl" and digits and 0 < int(number) <= MAX_TTL:
        return CacheWish("ttl", float(number))
    raise BadRequest(
        "x-pihub-cache must be off, only or ttl=SECONDS (1 to 2592000)", param="x-pihub-cache"
    )


def why_not_looked_up(said: float | None, wish: CacheWish, temperature: float) -> str:
    """Empty if the cache may answer, else the reason for the bypass.

    `said` is the request's temperature, `temperature` the highest that counts as
    deterministic.
    """
    if wish.mode == "off":
        return "asked"
    if wish.mode in ("only", "ttl"):
        return ""
    if said is None:
        return "temperature-unset"
    if said > temperature:
        return "temperature"
    return ""


def why_not_kept(answer: Answer) -> str:
    """Empty if a complete answer may be kept, else the reason."""
    if not any(_says_something(block) for block in answer.blocks):
        return "empty"
    if answer.stop_reason in (StopReason.REFUSAL, StopReason.PAUSE_TURN):
        return str(answer.stop_reason.value)
    return ""


def _says_something(block: Block) -> bool:
    """Thinking alone, or a text block without text, is no answer."""
    return isinstance(block, ToolUse) or (isinstance(block, Text) and bool(block.text))
