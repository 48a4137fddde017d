from typing import Self, final

from pihub._core.arena import Arena

@final
class Inflight:
    """Which keys are being answered, by which worker; followers wait on eventfds."""

    def __new__(cls, arena: Arena, region: str, eventfds: tuple[int, ...]) -> Self:
        """`eventfds[slot]` for each worker slot, made before fork; () only to look."""
    @staticmethod
    def size_for(slots: int) -> int: ...
    def begin(self, h: int, slot: int, lease_ms: int, now_ms: int) -> bool | None:
        """True: lead. False: follow (registered as waiter). None: no room, just call."""
    def renew(self, h: int, slot: int, lease_ms: int, now_ms: int) -> bool:
        """False: the lease has run out or is another's."""
    def end(self, h: int, slot: int) -> None:
        """Only the leader; wakes the workers of all waiters, who look and begin anew."""
    def led(self, h: int, now_ms: int) -> bool:
        """Whether someone leads `h` now."""
    def leader(self, h: int, now_ms: int) -> int:
        """The slot of whoever leads `h` now, -1 if nobody does."""
    def followed(self, h: int, slot: int) -> bool:
        """Whether a worker has registered as waiter since `slot` began to lead `h`."""
    def tell(self, h: int, slot: int) -> bool:
        """As `followed`, and wakes those workers; they stay registered."""
    def leave(self, h: int, slot: int) -> None:
        """A follower gives up. Its worker stays registered, as others of it may follow:
        the cost is one wake-up for nothing."""
    def recover(self, slot: int) -> int:
        """Drop all that a dead worker led; wakes every worker once. Returns how many."""
