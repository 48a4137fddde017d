"""Thoughts that an upstream left in its text: `<think>…</think>` at the beginning.

Servers without a reasoning parser (llama.cpp, vLLM, LM Studio, older Ollamas) send what
the model wrote. One incremental splitter serves streams and whole answers alike; tags may
be cut anywhere. Only an answer that begins with the tag is split: later ones are text.
"""

from __future__ import annotations

from pihub.domain.chat import Block, Text, Thinking

OPEN, CLOSE = "<think>", "</think>"


class ThinkSplitter:
    """Feed text in pieces, get (is thought, text) pairs. RAM: the length of one tag, and
    the whitespace before the first."""

    __slots__ = ("_held", "_state")

    def __init__(self) -> None:
        self._held = ""
        self._state = "start"
        """start, thought, after (whitespace behind the tag is dropped), text"""

    def feed(self, text: str) -> list[tuple[bool, str]]:
        if self._state == "text":
            return [(False, text)] if text else []
        self._held += text
        out: list[tuple[bool, str]] = []
        if self._state == "start":
            begun = self._held.lstrip()
            if not begun or (len(begun) < len(OPEN) and OPEN.startswith(begun)):
                return out
            if not begun.startswith(OPEN):
                return [*out, *self._rest()]
            self._held, self._state = begun[len(OPEN) :].lstrip("\n"), "thought"
        if self._state == "thought":
            thought, tag, rest = self._held.partition(CLOSE)
            if not tag:
                keep = _overlap(self._held)
                ready, self._held = self._held[: len(self._held) - keep], self._held[-keep:]
                if not keep:
                    self._held = ""
                return [(True, ready)] if ready else []
            if thought.rstrip("\n"):
                out.append((True, thought.rstrip("\n")))
            self._held, self._state = rest, "after"
        self._held = self._held.lstrip()
        return [*out, *self._rest()] if self._held else out

    @property
    def over(self) -> bool:
        """What follows is text."""
        return self._state == "text"

    def end(self) -> list[tuple[bool, str]]:
        """What is still held when the answer is over."""
        held, self._held = self._held, ""
        return [(self._state == "thought", held)] if held and self._state != "after" else []

    def _rest(self) -> list[tuple[bool, str]]:
        text, self._held, self._state = self._held, "", "text"
        return [(False, text)]


def split(text: str) -> list[tuple[bool, str]]:
    """A whole text at once."""
    if OPEN not in text:
        return [(False, text)] if text else []
    splitter = ThinkSplitter()
    return splitter.feed(text) + splitter.end()


def thoughtful(text: str) -> list[Block]:
    """A whole answer's text as blocks."""
    return [Thinking(part) if thought else Text(part) for thought, part in split(text)]


def _overlap(text: str) -> int:
    """How many of the last characters may begin the closing tag."""
    for size in range(min(len(CLOSE) - 1, len(text)), 0, -1):
        if CLOSE.startswith(text[-size:]):
            return size
    return 0
