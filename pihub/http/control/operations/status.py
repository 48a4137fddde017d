"""/status: the live picture."""

from __future__ import annotations

from typing import Any

from pihub.http.control.operation import Call, Operation


def _status(call: Call) -> bytes:
    return call.services.live.snapshot()[1]


OPERATIONS = (
    Operation(
        "GET",
        "/status",
        "status:read",
        "The live picture; a tenant's people see their tenant's",
        _status,
        dict[str, Any],
        tenanted=True,
    ),
)
