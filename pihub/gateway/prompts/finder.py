"""All checks of one text: what was found, where."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from pihub.gateway.prompts import contacts, numbers
from pihub.gateway.prompts.injection import Injection
from pihub.gateway.prompts.leaves import Leaf, Leaves
from pihub.gateway.prompts.secrets import Secrets
from pihub.gateway.prompts.span import Look, Span, runs

MOST = 1_000
"""Findings of one prompt; with more it counts as one that cannot be judged."""
_CONTROL = bytes([*range(1, 8), *range(14, 27), *range(28, 32), 127])
"""Control characters that no text has; a terminal's colours begin with 27."""
_HIDDEN = re.compile(
    rb"\xe2\x80[\xad\xae]|(?:\xe2\x80[\x8b-\x8d]|\xe2\x81\xa0|\xef\xbb\xbf){4}"
    rb"|(?<!\xf0\x9f\x8f\xb4)(?<!\xf3\xa0[\x80\x81][\x80-\xbf])\xf3\xa0[\x80\x81][\x80-\xbf]"
)
"""Direction overrides, runs of zero width, tags outside of a flag."""
_LEADS = (b"\xe2\x80", b"\xe2\x81", b"\xef\xbb", b"\xf3\xa0")
_NUMBERS: dict[str, Callable[[bytes], Look]] = {
    "cards": numbers.cards,
    "ids": numbers.ids,
    "phones": contacts.phones,
    "addresses": contacts.addresses,
}
_TEXTS: dict[str, Callable[[bytes], Iterable[Span]]] = {
    "ibans": numbers.ibans,
    "ids": numbers.codici,
    "emails": contacts.emails,
}


class Hit(NamedTuple):
    """`start` and `end` are bytes within the leaf's UTF-8."""

    leaf: int
    start: int
    end: int
    kind: str
    rule: str


class Report(NamedTuple):
    """`hits` can be taken out of the text; `signs` (kind, rule, points) only speak of it."""

    hits: tuple[Hit, ...]
    signs: tuple[tuple[str, str, int], ...]
    unread: str
    """Why a part could not be judged; empty if all was."""


class Finder:
    """The checks of a configuration, one a process."""

    def __init__(self, checks: Collection[str], injection_at: int, most: int) -> None:
        """`most`: bytes of text that are judged."""
        self._most = most
        self._at = injection_at
        self._secrets = Secrets() if "secrets" in checks else None
        self._injection = Injection() if "injection" in checks else None
        self._hidden = "hidden" in checks
        self._texts = [find for name, find in _TEXTS.items() if name in checks]
        self._numbers = [find for name, find in _NUMBERS.items() if name in checks]

    def judge(self, found: Leaves) -> Report:
        """Linear in the text."""
        leaves = found.leaves
        texts = [leaf.text.encode("utf-8", "replace") for leaf in leaves]
        if sum(map(len, texts)) > self._most:
            return Report((), (), "more text than prompts.max_text")
        starts, at = [], 0
        for text in texts:
            starts.append(at)
            at += len(text) + 1
        data = b"\0".join(texts)
        try:
            spans = self._spans(data)
        except OverflowError as error:
            return Report((), (), str(error))
        hits = []
        for start, end, kind, rule in spans:
            leaf = bisect_right(starts, start) - 1
            hits.append(Hit(leaf, start - starts[leaf], end - starts[leaf], kind, rule))
        return Report(tuple(hits), tuple(self._signs(data, leaves)), found.unread)

    def _spans(self, data: bytes) -> list[Span]:
        """Apart from each other, in order. Raises OverflowError."""
        some = [] if self._secrets is None else list(self._secrets.find(data))
        for find in self._texts:
            some += islice(find(data), MOST + 1)
        looks = [find(data) for find in self._numbers]
        for start, end in runs(data) if looks else ():
            for look in looks:
                some += islice(look(start, end), MOST + 1)
            if len(some) > 4 * MOST:
                break
        some.sort(key=lambda span: (span.start, -span.end))
        kept: list[Span] = []
        for span in some:
            if not kept or span.start >= kept[-1].end:
                kept.append(span)
            elif span.end > kept[-1].end:  # both, as the first of them
                kept[-1] = kept[-1]._replace(end=span.end)
        if len(kept) > MOST:
            raise OverflowError(f"more than {MOST} findings")
        return kept

    def _signs(self, data: bytes, leaves: list[Leaf]) -> Iterator[tuple[str, str, int]]:
        if self._injection is not None:
            own = "\n".join(leaf.text for leaf in leaves if not leaf.foreign)
            foreign = "\n".join(leaf.text for leaf in leaves if leaf.foreign)
            points = self._injection.score(own, foreign)
            if points >= self._at:
                yield "injection", "other-orders", points
        if self._hidden and _hides(data):
            yield "hidden", "characters", 70


def _hides(data: bytes) -> bool:
    if len(data.translate(None, _CONTROL)) < len(data):
        return True
    return any(lead in data for lead in _LEADS) and _HIDDEN.search(data) is not None
