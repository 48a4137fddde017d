"""The texts of a chat's body, of whichever protocol, and who wrote them.

Every string of the body is a text but those that only name or sign something. Arguments of
tools are read whole, the names in them too, also where they come as JSON text: an escape's letter
must not be taken for the beginning of a value, nor a value with its escapes. What cannot be read
(images, sound, files by reference, encoded documents) is noted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from pihub.protocols.jsontext import encode

SKIPPED = frozenset(
    {
        "model", "role", "type", "id", "tool_use_id", "tool_call_id", "call_id", "item_id",
        "signature", "encrypted_content", "previous_response_id", "conversation", "media_type",
        "object", "status", "cache_control", "service_tier", "keep_alive", "encoding_format",
        "thought_signature", "container",
    }
)  # fmt: skip
"""Members that say what something is, or sign it."""
UNREAD = frozenset(
    {"image", "image_url", "input_image", "input_audio", "file", "input_file", "audio", "video"}
)
"""Types of parts in which a text cannot be looked for."""
FOREIGN_TYPES = frozenset(
    {
        "tool_result", "function_call_output", "document", "search_result",
        "web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result",
        "mcp_tool_result", "custom_tool_call_output",
    }
)  # fmt: skip
FOREIGN_ROLES = frozenset({"tool", "function"})


class Leaf(NamedTuple):
    """`holder[place]` is `text`; with `name` the text is the name of a member itself."""

    holder: Any
    place: Any
    text: str
    foreign: bool
    """Not the user's own words: a tool's result, a document."""
    name: bool = False


class Leaves:
    """`leaves` and `unread` of one body. RAM: some 100 bytes a string, while it is judged."""

    def __init__(self, tree: Any) -> None:
        self.unread = ""
        """What could not be read, in a word."""
        self._within: list[tuple[Any, str, Any]] = []
        """(holder, place, objects) of texts that are JSON."""
        self.leaves: list[Leaf] = list(self._walk(tree, foreign=False, inside=False))

    def close(self) -> None:
        """After leaves were changed: the texts that are JSON hold them, too."""
        for holder, place, tree in self._within:
            if (now := encode(tree)) != encode(msgspec.json.decode(holder[place])):
                holder[place] = now.decode()

    def _walk(self, node: Any, *, foreign: bool, inside: bool) -> Iterator[Leaf]:
        """`inside` a tool's arguments every member is text."""
        if isinstance(node, list):
            for place, value in enumerate(node):
                if isinstance(value, str):
                    yield Leaf(node, place, value, foreign)
                else:
                    yield from self._walk(value, foreign=foreign, inside=inside)
        elif isinstance(node, dict):
            yield from self._members(node, foreign=foreign, inside=inside)

    def _members(self, node: dict[str, Any], *, foreign: bool, inside: bool) -> Iterator[Leaf]:
        kind = role = ""
        if not inside:
            kind, role = _word(node.get("type")), _word(node.get("role"))
        if kind in UNREAD:
            self.unread = "an image, a sound or a file"
            return
        foreign = foreign or kind in FOREIGN_TYPES or role in FOREIGN_ROLES
        sealed = kind in ("redacted_thinking", "base64", "url", "file")
        if kind in ("base64", "url", "file"):
            self.unread = "a document"
        for place, value in list(node.items()):
            if inside:
                yield Leaf(node, place, place, foreign, name=True)
            elif isinstance(value, str) and _names(place, sealed=sealed):
                continue
            elif place == "images" and isinstance(value, list) and value:
                self.unread = "an image"
                continue
            if isinstance(value, str):
                yield from self._text(node, place, value, foreign=foreign, inside=inside)
            elif isinstance(value, dict | list):
                yield from self._walk(value, foreign=foreign, inside=inside or _opens(kind, place))


    def _text(
        self, node: dict[str, Any], place: str, text: str, *, foreign: bool, inside: bool
    ) -> list[Leaf]:
        if place == "arguments" and not inside:
            try:
                tree = msgspec.json.decode(text)
                found = list(self._walk(tree, foreign=foreign, inside=True))
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                pass  # as it is
            else:
                if isinstance(tree, dict | list):
                    self._within.append((node, place, tree))
                    return found
        return [Leaf(node, place, text, foreign)]


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _names(place: str, *, sealed: bool) -> bool:
    """Whether a string only names, signs or encodes something."""
    return place in SKIPPED or (sealed and place in ("data", "url", "file_id"))


def _opens(kind: str, place: str) -> bool:
    """Whether a member holds a tool's arguments."""
    if place == "input":
        return kind in ("tool_use", "server_tool_use", "mcp_tool_use")
    return place == "arguments"
