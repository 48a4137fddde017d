"""The obvious twin of pihub._core.inflight: a dict of leases, as many as a bucket has ways."""

from __future__ import annotations

WAYS = 8


class Inflight:
    """One bucket; its keys must differ in their tags."""

    def __init__(self) -> None:
        self.leases: dict[int, tuple[int, int]] = {}
        """key -> (slot, end); an ended lease stays until its place is needed"""

    def led(self, h: int, now: int) -> bool:
        return h in self.leases and now < self.leases[h][1]

    def begin(self, h: int, slot: int, lease: int, now: int) -> bool | None:
        if self.led(h, now):
            return False
        live = [k for k in self.leases if self.led(k, now)]
        if len(live) == WAYS:
            return None
        self.leases[h] = (slot, now + lease)
        return True

    def renew(self, h: int, slot: int, lease: int, now: int) -> bool:
        if not self.led(h, now) or self.leases[h][0] != slot:
            return False
        self.leases[h] = (slot, now + lease)
        return True

    def end(self, h: int, slot: int) -> None:
        if h in self.leases and self.leases[h][0] == slot:
            del self.leases[h]

    def recover(self, slot: int) -> None:
        self.leases = {h: lease for h, lease in self.leases.items() if lease[0] != slot}
