from collections.abc import Callable, Iterable
from typing import Any, Self, TypeAlias, final

from pihub._core.matcher import Literals

CLASSES: tuple[str, ...]
"""Kinds of attack."""
PLACES: tuple[str, ...]
"""Where a value stood."""

_Found: TypeAlias = tuple[int, str, str, str, str, int]
"""Points (1 to 100), class, rule, place, field (at most 40 bytes), offset in the decoded value."""

@final
class Scanner:
    """Judges values, bodies and whole requests; one object a process, one thread at a time."""

    def __new__(cls, keywords: Literals, secret: bytes) -> Self:
        """`keywords`: what makes a value without unusual bytes worth a look. `secret`: 8 bytes
        or more, seeds the memory of clean headers.

        Raises ValueError for a shorter one.
        """
    def value(self, data: bytes, place: str, encoded: bool = False) -> _Found | None:
        """One value; `encoded`: as it stood in a URL. Raises ValueError for an unknown place."""
    def body(
        self, data: bytes, kind: str, place: str, text: int = ...
    ) -> tuple[_Found | None, int, int]:
        """What was found in a body (kind json, form, multipart, text), JSON nesting, values seen.
        `text`: bytes of a multipart form that may be judged as text, its files not counted.

        Raises KeyError for another kind, ValueError for an unknown place, OverflowError for a
        form with more text than that.
        """
    def request(self, environ: dict[str, Any]) -> _Found | None:
        """The worst of path, query and headers of a WSGI request."""

_Start: TypeAlias = Callable[..., Any]
_Judge: TypeAlias = Callable[[_Found, dict[str, Any], _Start], Iterable[bytes] | None]
"""Answers in place of the application, or None: let it pass."""

@final
class Gate:
    """A WSGI callable: what `scanner` finds in a request is judged before `app` sees it."""

    def __new__(
        cls, app: Callable[..., Iterable[bytes]], scanner: Scanner, judge: _Judge
    ) -> Self: ...
    @property
    def direct(self) -> object:
        """The capsule of `app.direct` behind the scanner (direct.pyi): what is not clean is not
        answered, and comes again as a WSGI call. Raises AttributeError if `app` has none."""

    def __call__(self, environ: dict[str, Any], start_response: _Start) -> Iterable[bytes]: ...
