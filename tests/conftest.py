"""Profiles of the property tests, and what is begun first."""

import pytest
from hypothesis import HealthCheck, settings

# Under emulation (arm/prove.py) everything takes twenty times as long: what counts there is that
# the other processor answers the same, not how soon.
settings.register_profile(
    "emulated", max_examples=20, stateful_step_count=20, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
# On a second interpreter: the same properties have just held with all their examples on the first,
# and what is looked for is code that another Python runs differently, not another input.
settings.register_profile("again", settings.get_profile("ci"), max_examples=25)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests go first, so that no process is left alone with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
