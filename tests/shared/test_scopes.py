"""Rules of restricted keys, from the service to the worker's check, over a real arena."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pihub.errors import BadRequest, Conflict, Forbidden, Overloaded, RateLimited, Unauthenticated
from pihub.security.keys import KeyService
from pihub.security.publish import Publisher
from pihub.security.scope import Scope
from pihub.settings.limits import Limits
from pihub.shared.access import Access
from pihub.shared.scopes import QUOTA, RESTRICTED, Rule, Scopes, encode
from pihub.shared.state import Plan, SharedState
from pihub.store.keys import KeyDatabase


@pytest.fixture
def state() -> Iterator[SharedState]:
    found = SharedState.create(Plan(workers=1, cache_bytes=1 << 22))
    yield found
    for fd in found.eventfds:
        os.close(fd)


@pytest.fixture
def keys(state: SharedState, tmp_path: Path) -> Iterator[KeyService]:
    publisher = Publisher(state.keys, state.limits, Limits(), state.scopes, state.quotas)
    found = KeyService(KeyDatabase(tmp_path / "control.db"), bytes(16), publisher)
    found.load()
    yield found
    found.close()


@pytest.fixture
def access(state: SharedState) -> Access:
    return Access(state.keys, state.limits, state.quotas, Scopes(state.scopes))


def test_a_free_key_is_never_looked_up(keys: KeyService, access: Access) -> None:
    who = access.principal(None, keys.create("default", "a").token)
    assert who.flags == 0 and access.scopes(who) is None


def test_a_rule_holds_where_it_is_asked(keys: KeyService, access: Access) -> None:
    scope = Scope(models=["assistant"], apis=[], networks=["10.0.0.0/8", "2001:db8::/32"])
    who = access.principal(None, keys.create("default", "a", None, scope).token)
    assert who.flags & RESTRICTED
    found = access.scopes(who)
    assert found is not None
    found.check_model(who.key, "assistant")
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1"):
        found.check_network(who.key, address)
    for address in ("11.0.0.1", "", "unknown", "2001:db9::1"):
        with pytest.raises(Forbidden):
            found.check_network(who.key, address)
    with pytest.raises(Forbidden):
        found.check_model(who.key, "other")
    with pytest.raises(Forbidden):
        found.check_api(who.key, "hubspot")
    assert found.models(who.key, ("x", "assistant")) == ("assistant",)


def test_a_change_is_in_force_at_once(keys: KeyService, access: Access) -> None:
    made = keys.create("default", "a")
    keys.change(made.key.id, "a", Scope(models=["m"]))
    who = access.principal(None, made.token)
    found = access.scopes(who)
    assert found is not None
    found.check_model(who.key, "m")
    keys.change(made.key.id, "a", Scope(models=["n"]))
    with pytest.raises(Forbidden):
        found.check_model(who.key, "m")
    keys.change(made.key.id, "a", Scope())
    assert access.scopes(access.principal(None, made.token)) is None


def test_a_restricted_key_without_a_rule_may_nothing(state: SharedState) -> None:
    state.scopes.publish(encode({7: Rule(["m"], None, ())}))
    scopes = Scopes(state.scopes)
    scopes.check_model(7, "m")
    with pytest.raises(Forbidden):
        scopes.check_model(8, "m")


def test_a_tenant_s_lists_bound_its_keys(keys: KeyService, access: Access) -> None:
    made = keys.create("family", "a", None, Scope(models=["a", "b"]))
    plain = keys.create("family", "b")
    tenant = keys.tenant(made.key.tenant)
    keys.change_tenant(tenant._replace(models=["b", "c"]))
    for token, may in ((made.token, {"b"}), (plain.token, {"b", "c"})):
        who = access.principal(None, token)
        found = access.scopes(who)
        assert found is not None
        assert set(found.models(who.key, ("a", "b", "c", "d"))) == may


def test_a_disabled_tenant_s_keys_are_out_of_force(keys: KeyService, access: Access) -> None:
    made = keys.create("family", "a")
    keys.change_tenant(keys.tenant(made.key.tenant)._replace(disabled=1))
    with pytest.raises(Unauthenticated):
        access.principal(None, made.token)
    with pytest.raises(Unauthenticated):
        access.principal(None, keys.create("family", "b").token)
    keys.change_tenant(keys.tenant(made.key.tenant)._replace(disabled=0))
    assert access.principal(None, made.token).key == made.key.id


def test_a_quota_is_shared_by_a_tenant_s_keys(keys: KeyService, access: Access) -> None:
    one, two = keys.create("family", "a"), keys.create("family", "b")
    other = keys.create("other", "c")
    keys.change_tenant(keys.tenant(one.key.tenant)._replace(requests_per_minute=20))
    who = [access.principal(None, made.token) for made in (one, two, other)]
    assert [w.flags & QUOTA for w in who] == [QUOTA, QUOTA, 0]
    access.hit(who[0])
    access.hit(who[1])
    with pytest.raises(RateLimited):
        access.hit(who[0])
    access.hit(who[2])


def test_a_rotation_overlaps(keys: KeyService, access: Access) -> None:
    old = keys.create("default", "a", None, Scope(models=["m"]))
    new = keys.rotate(old.key.id, 60)
    assert new.key.scope == old.key.scope and new.key.name == "a"
    both = [access.principal(None, made.token).key for made in (old, new)]
    assert both == [old.key.id, new.key.id]
    assert keys.get(old.key.id).successor == new.key.id
    with pytest.raises(Conflict):
        keys.rotate(old.key.id, 60)
    last = keys.rotate(new.key.id, 0)
    with pytest.raises(Unauthenticated):
        access.principal(None, new.token)
    assert access.principal(None, last.token).key == last.key.id


def test_bad_scopes_are_refused(keys: KeyService) -> None:
    for scope in (Scope(networks=["10.0.0.0/99"]), Scope(admin=["keys:eat"])):
        with pytest.raises(BadRequest):
            keys.create("default", "x", None, scope)
    assert keys.list() == []


def test_rules_beyond_the_board_are_refused_whole(keys: KeyService, access: Access) -> None:
    made = keys.create("default", "a", None, Scope(models=["m"]))
    with pytest.raises(Overloaded):
        for n in range(200):
            keys.create("default", "x", None, Scope(models=[f"{n}-{m}" * 10 for m in range(60)]))
    found = access.scopes(access.principal(None, made.token))
    assert found is not None
    found.check_model(made.key.id, "m")
