"""Profiles of the property tests."""

from hypothesis import HealthCheck, settings

# Under emulation (arm/prove.py) everything takes twenty times as long: what counts there is that
# the other processor answers the same, not how soon.
settings.register_profile(
    "emulated", max_examples=20, stateful_step_count=20, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
