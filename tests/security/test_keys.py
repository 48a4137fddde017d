"""Keys on a real database and in the real shared table."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pihub.errors import (
    BadRequest,
    NotFound,
    Overloaded,
    RateLimited,
    StartupError,
    Unauthenticated,
)
from pihub.security import keys as keys_module
from pihub.security.keys import KeyService, open_keys
from pihub.security.publish import Publisher
from pihub.settings.limits import Limits
from pihub.settings.schema import Settings, Store
from pihub.shared.access import Access
from pihub.shared.state import Plan, SharedState
from pihub.shared.tokenhash import token_hash
from pihub.store.keys import KeyDatabase

PEPPER = bytes(range(16))


@pytest.fixture
def state() -> Iterator[SharedState]:
    found = SharedState.create(Plan(workers=1, cache_bytes=1 << 22))
    yield found
    for fd in found.eventfds:
        os.close(fd)


@pytest.fixture
def access(state: SharedState) -> Access:
    return Access(state.keys, state.limits)


@pytest.fixture
def service(state: SharedState, tmp_path: Path) -> Iterator[KeyService]:
    found = make(state, tmp_path)
    found.load()
    yield found
    found.close()


def make(
    state: SharedState,
    folder: Path,
    limits: Limits | None = None,
    clock: Callable[[], float] = time.time,
) -> KeyService:
    publisher = Publisher(state.keys, state.limits, limits or Limits())
    return KeyService(KeyDatabase(folder / "control.db"), PEPPER, publisher, clock)


def test_a_new_key_works_at_once_and_a_revoked_one_no_more(
    service: KeyService, access: Access
) -> None:
    made = service.create("default", "laptop")
    who = access.principal(f"Bearer {made.token}", None)
    assert (who.key, who.tenant) == (made.key.id, made.key.tenant)
    assert access.principal(None, made.token) == who
    service.revoke(made.key.id)
    with pytest.raises(Unauthenticated):
        access.principal(None, made.token)


def test_only_the_hash_is_kept(service: KeyService, tmp_path: Path) -> None:
    made = service.create("default", "laptop")
    secret = made.token[3:46].encode()
    service.close()
    for path in tmp_path.iterdir():
        assert secret not in path.read_bytes(), path
    assert made.token not in repr(made.key)


def test_the_shared_table_hashes_as_the_store(state: SharedState, service: KeyService) -> None:
    for text in ("ph_x", "ph_" + "a" * 49, "some other token"):
        assert state.keys.hash(text.encode()) == token_hash(PEPPER, text)


def test_keys_survive_a_restart(
    state: SharedState, service: KeyService, access: Access, tmp_path: Path
) -> None:
    kept, gone = service.create("a", "kept"), service.create("b", "gone")
    service.revoke(gone.key.id)
    other = SharedState.create(Plan(1, 1 << 22))
    again = make(other, tmp_path)
    assert again.load() == 1
    who = Access(other.keys, other.limits)
    assert who.principal(None, kept.token).key == kept.key.id
    with pytest.raises(Unauthenticated):
        who.principal(None, gone.token)
    again.close()


def test_what_is_not_on_disk_goes_out_of_force(
    state: SharedState, service: KeyService, access: Access, tmp_path: Path
) -> None:
    made = service.create("default", "x")
    (tmp_path / "empty").mkdir()
    restored = make(state, tmp_path / "empty")
    assert restored.load() == 0
    with pytest.raises(Unauthenticated):
        access.principal(None, made.token)
    restored.close()


def test_another_pepper_than_the_running_hubs_is_refused(
    state: SharedState, service: KeyService, tmp_path: Path
) -> None:
    (tmp_path / "b").mkdir()
    publisher = Publisher(state.keys, state.limits, Limits())
    other = KeyService(KeyDatabase(tmp_path / "b" / "control.db"), bytes(16), publisher)
    with pytest.raises(StartupError, match="pepper"):
        other.load()
    other.close()


def test_an_expired_key_is_refused(state: SharedState, tmp_path: Path, access: Access) -> None:
    past = make(state, tmp_path, clock=lambda: time.time() - 1000)
    past.load()
    made = past.create("default", "short", 500)
    with pytest.raises(Unauthenticated):
        access.principal(None, made.token)
    now = make(state, tmp_path)
    assert now.load() == 0
    renewed = now.expire(made.key.id, int(time.time()) + 100)
    assert renewed.expires > time.time()
    assert access.principal(None, made.token).key == made.key.id
    now.expire(made.key.id, 1)
    with pytest.raises(Unauthenticated):
        access.principal(None, made.token)
    past.close()
    now.close()


def test_each_key_has_its_own_limit(state: SharedState, tmp_path: Path, access: Access) -> None:
    service = make(state, tmp_path, Limits(requests_per_minute=1, burst=3))
    service.load()
    one, two = (service.create("default", name).token for name in ("one", "two"))
    for _ in range(3):
        access.hit(access.principal(None, one))
    with pytest.raises(RateLimited) as limited:
        access.hit(access.principal(None, one))
    assert limited.value.retry_after is not None and 50 < limited.value.retry_after <= 60
    access.hit(access.principal(None, two))
    # Loading again, as after any change of a key, must not give the rate back.
    service.load()
    with pytest.raises(RateLimited):
        access.hit(access.principal(None, one))
    service.close()


def test_a_key_made_by_another_process_is_found(
    service: KeyService, access: Access, tmp_path: Path
) -> None:
    service.refresh()
    assert not service.refresh()
    command_line = KeyService(KeyDatabase(tmp_path / "control.db"), PEPPER)
    made = command_line.create("default", "cli")
    with pytest.raises(Unauthenticated):
        access.principal(None, made.token)
    assert service.refresh()
    assert access.principal(None, made.token).key == made.key.id
    command_line.revoke(made.key.id)
    command_line.close()
    assert service.refresh()
    with pytest.raises(Unauthenticated):
        access.principal(None, made.token)


def test_a_full_table_gives_out_no_key_that_does_not_work(
    service: KeyService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Publisher, "put", lambda self, key: False)
    with pytest.raises(Overloaded):
        service.create("default", "x")
    assert [key.revoked > 0 for key in service.list()] == [True]


def test_numbers_end_with_the_limiters_rows(
    service: KeyService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys_module, "HIGHEST", 1)
    service.create("default", "x")
    with pytest.raises(Overloaded, match="given out"):
        service.create("default", "y")
    assert len(service.list()) == 1


@pytest.mark.parametrize(
    ("tenant", "name", "lifetime"),
    [
        ("", "x", None),
        ("UPPER", "x", None),
        ("a/b", "x", None),
        ("a" * 64, "x", None),
        ("ok", "", None),
        ("ok", "  ", None),
        ("ok", "x" * 65, None),
        ("ok", "bad\nname", None),
        ("ok", "x", 0),
        ("ok", "x", 10**10),
    ],
)
def test_bad_wishes_are_refused(
    service: KeyService, tenant: str, name: str, lifetime: int | None
) -> None:
    with pytest.raises(BadRequest):
        service.create(tenant, name, lifetime)
    assert service.list() == []


def test_unknown_numbers_are_not_found(service: KeyService) -> None:
    with pytest.raises(NotFound):
        service.revoke(7)
    with pytest.raises(NotFound):
        service.expire(7, 0)


def test_open_keys_needs_nothing_but_the_settings(tmp_path: Path) -> None:
    settings = Settings(store=Store(url=f"sqlite://{tmp_path}/pihub.db"))
    first = open_keys(settings)
    made = first.create("default", "x")
    first.close()
    again = open_keys(settings)
    assert again.list() == [made.key]
    assert again.load() == 0
    again.close()


def test_a_key_revoked_just_before_a_crash_is_out_of_force_after_it(
    state: SharedState, service: KeyService, access: Access, tmp_path: Path
) -> None:
    made, kept = service.create("default", "gone"), service.create("default", "kept")
    # On disk and no further: the control process died before it told the workers.
    KeyDatabase(tmp_path / "control.db").revoke(made.key.id, int(time.time()))
    assert access.principal(None, made.token).key == made.key.id
    again = make(state, tmp_path)
    assert again.load() == 1
    assert state.keys.hashes() == [kept.key.hash]
    with pytest.raises(Unauthenticated):
        access.principal(None, made.token)
    assert access.principal(None, kept.token).key == kept.key.id
    again.close()
