"""Anthropic's list of models, a page at a time.

Source: https://docs.anthropic.com/en/api/models-list: `limit` (1 to 1000), `after_id`, `before_id`;
`has_more` says whether there is more in that direction. Without `limit` all are told at once (the
vendor tells 20): clients that never ask for a second page must not miss a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pihub.errors import BadRequest
from pihub.protocols.canonical import rfc3339
from pihub.protocols.jsontext import encode

MOST = 1000


def render(names: Sequence[str], created: int, *, more: bool = False) -> bytes:
    data = [
        {"type": "model", "id": name, "display_name": name, "created_at": rfc3339(created)}
        for name in names
    ]
    return encode(
        {
            "data": data,
            "has_more": more,
            "first_id": names[0] if names else None,
            "last_id": names[-1] if names else None,
        }
    )


def paged(names: Sequence[str], asked: Mapping[str, str]) -> tuple[Sequence[str], bool]:
    """The page that a query asks for, and whether there is more. Raises BadRequest."""
    limit = asked.get("limit", str(MOST))
    if not (limit.isascii() and limit.isdigit() and len(limit) < 5 and 1 <= int(limit) <= MOST):
        raise BadRequest(f"limit is a number from 1 to {MOST}", param="limit")
    size = int(limit)
    before, after = asked.get("before_id"), asked.get("after_id")
    if before is not None:
        left = names[: _place(names, before, "before_id")]
        return left[max(0, len(left) - size) :], len(left) > size
    left = names if after is None else names[_place(names, after, "after_id") + 1 :]
    return left[:size], len(left) > size


def _place(names: Sequence[str], name: str, param: str) -> int:
    try:
        return list(names).index(name)
    except ValueError:
        raise BadRequest(f"{param} names no model of this list", param=param) from None
