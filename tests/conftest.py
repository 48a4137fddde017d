"""Profiles of the property tests, what is begun first, and what a module leaves behind."""

import os
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, settings

# No property fails by the clock, whatever profile runs: another process's turn is no fault of the
# code. (Hypothesis's own "ci", which it takes where CI is set, has this already.)
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# Under emulation (arm/prove.py) everything takes twenty times as long: what counts there is that
# the other processor answers the same, not how soon.
settings.register_profile(
    "emulated", settings.get_profile("default"), max_examples=20, stateful_step_count=20
)
# On a second interpreter: the same properties have just held with all their examples on the first,
# and what is looked for is code that another Python runs differently, not another input.
settings.register_profile("again", settings.get_profile("ci"), max_examples=25)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests go first, so that no process is left alone with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="module", autouse=True)
def eventfds() -> Iterator[None]:
    """Closed at the module's end, as a process's are at its own: tests make a shared state each,
    and a login has 1024 descriptors."""
    real, made = os.eventfd, dict[int, str]()

    def recorded(initval: int, flags: int = os.EFD_CLOEXEC) -> int:
        fd = real(initval, flags)
        made[fd] = _which(fd)
        return fd

    os.eventfd = recorded
    yield
    os.eventfd = real
    for fd, which in made.items():
        with suppress(OSError):  # the test has closed it itself
            if which and _which(fd) == which:
                os.close(fd)


def _which(fd: int) -> str:
    """The eventfd behind a number, whatever number it had before; proc(5)."""
    with open(f"/proc/self/fdinfo/{fd}") as lines:
        return next((line for line in lines if line.startswith("eventfd-id")), "")
