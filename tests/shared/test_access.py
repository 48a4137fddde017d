"""Keys at the doors that the edge does not guard."""

from __future__ import annotations

import pytest

from pihub.domain.target import Principal
from pihub.errors import RateLimited, Starting, Unauthenticated
from pihub.shared.access import Access
from pihub.shared.state import Plan, SharedState


@pytest.fixture
def state() -> SharedState:
    state = SharedState.create(Plan(workers=1, cache_bytes=1 << 20))
    state.keys.set_pepper(b"p" * 16)
    return state


@pytest.fixture
def access(state: SharedState) -> Access:
    state.keys.put(state.keys.hash(b"ph_good"), 3, 4, 1, 0)
    state.keys.put(state.keys.hash(b"ph_old"), 5, 4, 0, 1)
    state.keys.publish()
    return Access(state.keys, state.limits)


def test_before_the_keys_are_loaded(state: SharedState) -> None:
    with pytest.raises(Starting) as caught:
        Access(state.keys, state.limits).principal("Bearer ph_good", None)
    assert caught.value.retry_after == 1


@pytest.mark.parametrize(
    ("authorization", "x_api_key"),
    [
        ("Bearer ph_good", None),
        ("bearer  ph_good ", None),
        (None, "ph_good"),
        ("Basic abc", "ph_good"),
        ("Bearer ph_good", "ph_wrong"),
    ],
)
def test_the_forms_of_a_key(
    access: Access, authorization: str | None, x_api_key: str | None
) -> None:
    assert access.principal(authorization, x_api_key) == Principal(3, 4, 1)


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer ", "ph_good", "Bearer ph_old", "Bearer ключ"]
)
def test_no_key_or_a_wrong_one(access: Access, authorization: str | None) -> None:
    with pytest.raises(Unauthenticated) as caught:
        access.principal(authorization, None)
    assert "ph_old" not in caught.value.message


def test_the_rate_is_the_key_s_own_and_waits_in_whole_seconds(
    access: Access, state: SharedState
) -> None:
    state.limits.configure(3, 1_500_000_000, 2)
    for _ in range(2):
        access.hit(Principal(3))
        access.hit(Principal(9))
    with pytest.raises(RateLimited) as caught:
        access.hit(Principal(3))
    assert caught.value.retry_after == 2, "rounded up: an early retry fails again"
    access.hit(Principal(9))
