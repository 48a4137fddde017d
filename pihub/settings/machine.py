"""[machine]: how the hub treats the board that it runs on."""

from __future__ import annotations

from typing import Annotated

import msgspec

from pihub.settings.section import Section


class MachineSection(Section, frozen=True):
    ease: bool = True
    """Take less work while the board is throttled, under-powered, hot or short of memory."""
    hot: Annotated[float, msgspec.Meta(ge=40, le=110)] = 82.0
    """Degrees Celsius; a Pi's firmware begins to throttle at 80 and does so hard at 85."""
    write_budget: str = "1GB"
    """Bytes a day that the hub may write to storage before it says so."""
