"""The control database: keys, tenants, numbers that are never used again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pihub.store.keys import KeyDatabase
from pihub.store.rows import NewKey


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[KeyDatabase]:
    found = KeyDatabase(tmp_path / "control.db")
    yield found
    found.close()


def new(name: str, tenant: str = "default", number: int = 1) -> NewKey:
    return NewKey(tenant, name, (2**64 - number, number), "ph_abcd…", 1000, 0)


def test_a_key_comes_back_as_it_was(keys: KeyDatabase) -> None:
    key = keys.add(new("laptop"), 100)
    assert key is not None
    assert keys.list() == [key]
    assert key.hash == (2**64 - 1, 1)
    assert (key.id, key.tenant_name, key.name, key.revoked) == (1, "default", "laptop", 0)


def test_tenants_are_shared_by_name(keys: KeyDatabase) -> None:
    one, two, other = (
        keys.add(new("a", number=1), 9),
        keys.add(new("b", number=2), 9),
        keys.add(new("c", "family", 3), 9),
    )
    assert one is not None and two is not None and other is not None
    assert one.tenant == two.tenant != other.tenant


def test_no_number_beyond_the_highest_and_nothing_kept(keys: KeyDatabase) -> None:
    assert keys.add(new("a", number=1), 1) is not None
    assert keys.add(new("b", "newcomer", 2), 1) is None
    assert len(keys.list()) == 1
    assert keys.database.read("SELECT name FROM tenants") == [("default",)]


def test_revoking_is_idempotent_and_keeps_the_first_time(keys: KeyDatabase) -> None:
    keys.add(new("a"), 9)
    first = keys.revoke(1, 500)
    again = keys.revoke(1, 900)
    assert first is not None and first == again
    assert first.revoked == 500
    assert keys.revoke(77, 1) is None


def test_a_change_by_another_process_is_seen(keys: KeyDatabase, tmp_path: Path) -> None:
    keys.list()
    before = keys.version()
    assert keys.version() == before
    other = KeyDatabase(tmp_path / "control.db")
    other.add(new("x"), 9)
    other.close()
    assert keys.version() != before


def test_two_keys_cannot_share_a_hash(keys: KeyDatabase) -> None:
    keys.add(new("a"), 9)
    with pytest.raises(Exception, match="UNIQUE"):
        keys.add(new("b"), 9)
    assert len(keys.list()) == 1
