"""The bases of what operations read and answer."""

from __future__ import annotations

import msgspec


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a query or a body may hold; unknown fields are refused."""


class Nothing(Input, frozen=True):
    """No parameters."""


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """What an operation answers."""
