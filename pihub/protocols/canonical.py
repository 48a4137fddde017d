"""What the three protocols share when they turn requests into canonical form and back."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime

from pihub.domain.chat import (
    Ask,
    Block,
    Document,
    Image,
    Message,
    StopReason,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from pihub.errors import BadRequest, Unsupported
from pihub.protocols.imagesize import image_tokens

HARMLESS = frozenset(
    {
        # OpenAI: bookkeeping and hints that change no answer, or only how it is billed
        "metadata",
        "store",
        "service_tier",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "prompt_cache_options",
        "prediction",
        "verbosity",
        "logit_bias",
        "name",
        "detail",
        # Anthropic
        "builtin",
        "cache_control",
        "citations",
        "context_management",
        "diagnostics",
        "display",
        "speed",
        "task_budget",
        # Ollama
        "truncate",
        "shift",
    }
)
"""Last path segments of `Ask.extra` that may be dropped with a note; all others refuse."""

NAME_64 = re.compile(r"[A-Za-z0-9_-]{1,64}")
NAME_128 = re.compile(r"[A-Za-z0-9_-]{1,128}")

MAX_COUNT = 2**53
"""Above it a count, duration (ns) or time (s) of an upstream is taken for nonsense."""
_UNSAFE = re.compile(r"[^A-Za-z0-9_.\[\]-]")
_IMAGE_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_DATA_URI = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),", re.IGNORECASE)
_ID_PREFIX = re.compile(r"^(?:chatcmpl-|msg_)")


def refuse_extra(ask: Ask, upstream: str) -> None:
    """Raises Unsupported for the first field of `ask.extra` that may not be dropped."""
    for path in ask.extra:
        if path.rsplit(".", 1)[-1] not in HARMLESS:
            raise Unsupported(f"{path}: cannot be carried to {upstream}", param=path)


def carries_more(ask: Ask) -> bool:
    """Whether `ask.extra` holds what may change the answer (n, logprobs, ...)."""
    return any(path.rsplit(".", 1)[-1] not in HARMLESS for path in ask.extra)


def dropped(ask: Ask) -> list[str]:
    """Names of the harmless fields in `ask.extra`; fit for a header."""
    return [_UNSAFE.sub("?", path) for path in ask.extra if path.rsplit(".", 1)[-1] in HARMLESS]


def option_names(ask: Ask) -> list[str]:
    """Names of Ollama's own options; fit for a header."""
    return ["options." + _UNSAFE.sub("?", name) for name in ask.options]


def count(value: float | None) -> int:
    """A number that an upstream gave, made safe to add up, store and print."""
    return int(value) if value is not None and 0 <= value < MAX_COUNT else 0


def check(value: float | None, low: float, high: float, param: str) -> None:
    """Raises BadRequest unless `value` is None or within the bounds."""
    if value is not None and not low <= value <= high:
        raise BadRequest(f"{param}: must be between {low:g} and {high:g}", param=param)


def image_from_url(url: str, param: str) -> Image:
    """An OpenAI `image_url` (data URI or http URL). Raises BadRequest."""
    if url[:8].lower().startswith(("http://", "https://")):
        return Image(url=url)
    media_type, data = from_data_uri(url, param)
    return image_from_data(data, media_type, param)


def from_data_uri(url: str, param: str) -> tuple[str, str]:
    """(media type, base64 text without whitespace) of a data URI. Raises BadRequest."""
    match = _DATA_URI.match(url)
    if match is None or ";base64" not in match.group(2).lower():
        raise BadRequest(f"{param}: neither an http URL nor a base64 data URI", param=param)
    return match.group(1).lower(), "".join(url[match.end() :].split())


def image_from_data(data: str, media_type: str, param: str) -> Image:
    """Base64 image data; the true type is read from its first bytes.

    Anthropic refuses an image whose declared type is not its own.
    """
    if data[:5].lower() == "data:":
        media_type, data = from_data_uri(data, param)
    data = "".join(data.split())
    try:
        head = base64.b64decode(data[:24] + "=" * (-len(data[:24]) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest(f"{param}: not base64", param=param) from None
    return Image(media_type=sniff(head) or media_type, data=data)


def sniff(head: bytes) -> str:
    """The media type by magic numbers, empty if unknown."""
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return ""


def known_image(image: Image, upstream: str) -> None:
    """Raises Unsupported for inline images that are not JPEG, PNG, GIF or WebP."""
    if image.data and image.media_type not in _IMAGE_TYPES:
        name = image.media_type or "unknown"
        raise Unsupported(f"image type {name} cannot be carried to {upstream}", param="messages")


def plain_text(document: Document, upstream: str) -> str:
    """A text document's text. Raises Unsupported for other documents."""
    if document.media_type == "text/plain" and not document.url:
        return document.data
    raise Unsupported(
        f"document of type {document.media_type or 'unknown'} cannot be carried to {upstream}",
        param="messages",
    )


def wire_name(name: str, pattern: re.Pattern[str], length: int) -> str:
    """A tool name that `pattern` takes: itself, or a readable prefix and a hash.

    Reversible with the request at hand: see `restored_names`.
    """
    if pattern.fullmatch(name) is not None:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[: length - 13] + "_" + digest


def restored_names(ask: Ask) -> dict[str, str]:
    """Names that an upstream format had to change, to the client's own names."""
    names: dict[str, str] = {}
    for tool in ask.tools:
        for pattern, length in ((NAME_64, 64), (NAME_128, 128)):
            changed = wire_name(tool.name, pattern, length)
            if changed != tool.name:
                names[changed] = tool.name
    return names


def mint(prefix: str) -> str:
    """A fresh unguessable id."""
    return prefix + secrets.token_hex(12)


def answer_id(prefix: str, upstream_id: str) -> str:
    """The id of an answer in the client's style: stable for one upstream id."""
    if not upstream_id:
        return mint(prefix)
    return prefix + _ID_PREFIX.sub("", upstream_id)


def settled(reason: StopReason, *, has_tools: bool) -> StopReason:
    """Tool calls win over an ordinary end, but never over a truncation."""
    if has_tools and reason is StopReason.END_TURN:
        return StopReason.TOOL_USE
    return reason


def rfc3339(created: int) -> str:
    """Unix seconds as RFC 3339 in UTC."""
    return datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def unix_seconds(text: str) -> int:
    """RFC 3339 (nanoseconds allowed) to unix seconds, 0 if it is not that."""
    try:
        stamp = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).timestamp()
        return max(0, int(stamp))
    except (ValueError, OverflowError):
        return 0


def texts(blocks: Iterable[Block]) -> str:
    """The text blocks, joined as they are."""
    return "".join(block.text for block in blocks if isinstance(block, Text))


def estimate_input(ask: Ask) -> int:
    """A rough number of prompt tokens (4 characters each), for `message_start`.

    Images count by their pixels (imagesize.py), documents a token for 6 characters of base64.
    """
    size = sum(len(part.text) for part in ask.system)
    size += sum(len(t.name) + len(t.description) + len(t.schema) for t in ask.tools)
    tokens = 0
    for message in ask.messages:
        size += 12
        for block in message.blocks:
            if isinstance(block, Text | Thinking):
                size += len(block.text)
            elif isinstance(block, ToolUse):
                size += len(block.name) + len(block.input)
            elif isinstance(block, ToolResult):
                for part in block.content:
                    if isinstance(part, Text):
                        size += len(part.text)
                    else:
                        tokens += image_tokens(part.data)
            elif isinstance(block, Image):
                tokens += image_tokens(block.data)
            elif isinstance(block, Document):
                tokens += len(block.data) // 6
    return tokens + size // 4 + 1


def tool_names(messages: Iterable[Message]) -> dict[str, str]:
    """Tool-use id to tool name over the history; of a repeated id the last wins."""
    return {
        block.id: block.name
        for message in messages
        for block in message.blocks
        if isinstance(block, ToolUse)
    }
