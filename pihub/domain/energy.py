"""What local generation costs: watts x seconds x tariff, in nano-USD."""

from __future__ import annotations

import msgspec

JOULES_PER_KWH = 3_600_000
NANO = 10**9


class Energy(msgspec.Struct, frozen=True):
    """The power that generation draws beyond idling, and the tariff; zeros: not counted."""

    watts: float = 0.0
    usd_per_kwh: float = 0.0

    def nano(self, seconds: float) -> int:
        """Nano-USD of `seconds` of generation, rounded up; never negative."""
        if seconds <= 0 or not self.watts or not self.usd_per_kwh:
            return 0
        exact = self.watts * seconds / JOULES_PER_KWH * self.usd_per_kwh * NANO
        return -int(-exact // 1)


UNCOUNTED = Energy()
