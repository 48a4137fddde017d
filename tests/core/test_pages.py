"""The arena under pages of 4, 16 and 64 KiB: the whole layout, its use, and what it gives back."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pihub._core.arena import Arena
from pihub._core.cache import Cache
from pihub._core.hashing import xxh3_128
from pihub.shared.events import Record
from pihub.shared.metrics import Column
from pihub.shared.state import Plan, SharedState

CORE = Path(__file__).parents[2] / "pihub" / "_core"
MACHINE = os.sysconf("SC_PAGESIZE")
PAGES = [page for page in (4096, 16384, 65536) if page % MACHINE == 0]
PAGE_AT = 12
"""Of the header's page size, u32."""
WORDS = re.compile(r"\b(4096|4095|0x1000|0x[fF]{3}|PAGE_SIZE|_?SC_PAGESIZE|getpagesize)\b")
KNOWN = {
    "arena.pyx": ("SC_PAGESIZE", 2),  # this machine's page: asked for here and nowhere else
    "cache.pyx": ("4096", 1),  # bytes from which LZ4 pays
    "ph_cache.h": ("4096", 2),  # counters of generations; bytes of log that a bucket is for
    "ph_layout.h": ("4096", 1),  # where the slots begin, on every machine
    "ph_wire.h": ("4096", 1),  # bytes of a kept answer's head
}


def key(n: int) -> tuple[int, int]:
    return xxh3_128(b"%d" % n, 7)


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def state(page: int) -> Iterator[SharedState]:
    found = SharedState.create(Plan(workers=3, cache_bytes=24 << 20), page)
    yield found
    for fd in found.eventfds:
        os.close(fd)


def test_every_region_begins_at_a_page_and_none_overlaps(state: SharedState, page: int) -> None:
    arena = state.arena
    assert arena.page == page and arena.size % page == 0
    assert os.fstat(arena.fd).st_size == arena.size
    end = 4096 + arena.n_slots * 128
    for name, (offset, length) in arena.regions().items():
        assert offset % page == 0, name
        assert end <= offset < end + page, name
        end = offset + length
    assert end <= arena.size < end + page


def test_the_same_bytes_are_used_whatever_the_page(page: int) -> None:
    """Page sizes move regions; what lies in one is laid out alike."""
    plan = Plan(workers=3, cache_bytes=24 << 20)
    ours = Arena.create(plan.regions(), 3, page).regions()
    smallest = Arena.create(plan.regions(), 3, MACHINE).regions()
    assert {name: length for name, (_, length) in ours.items()} == {
        name: length for name, (_, length) in smallest.items()
    }


def test_all_of_it_works_and_another_process_sees_the_same(state: SharedState) -> None:
    state.arena.claim_slot(1, os.getpid())
    state.process_began(1)
    state.counters.add(1, Column.REQUESTS, 7)
    state.latency.record(1, 0, 1234)
    state.events.push(1, Record(ts_ns=5, rid=6))
    model = state.names.intern("model")
    state.keys.set_pepper(b"0123456789abcdef")
    state.keys.put(state.keys.hash(b"token"), 1, 2, 0, 0)
    state.keys.publish()
    state.scopes.publish(b"scopes" * 100)
    for n in range(300):
        assert state.cache.put(*key(n), 1, bytes([n % 251]) * 30_000, 60)
    seen = SharedState.attach(state.arena.fd)
    assert seen.arena.page == state.arena.page
    assert seen.counters.total(Column.REQUESTS) == 7
    assert seen.events.read(1, 0)[2][0].rid == 6
    assert seen.names.lookup(model) == "model"
    assert seen.scopes.read()[1] == b"scopes" * 100
    found = [seen.cache.get(*key(n), 1) for n in range(300)]
    assert found == [bytes([n % 251]) * 30_000 for n in range(300)]


def written(fd: int) -> set[int]:
    """The pages of this machine that the file has memory for, by number."""
    out: set[int] = set()
    at, end = 0, os.fstat(fd).st_size
    while at < end:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:  # none is left
            break
        at = os.lseek(fd, start, os.SEEK_HOLE)
        out.update(range(start // MACHINE, at // MACHINE))
    return out


@pytest.mark.native
def test_memory_is_given_back_in_whole_pages_of_the_cache_alone(page: int) -> None:
    arena = Arena.create(
        [("before", 100_001), ("cache", Cache.size_for(24 << 20)), ("behind", 100_001)], 1, page
    )
    cache = Cache(arena, "cache")
    cache.set_owner(1 << 16 | 1)
    for name in ("before", "behind"):
        offset, length = arena.region(name)
        os.pwrite(arena.fd, bytes(range(251)) * (length // 251), offset)
    kept = [arena.dump(*arena.region(name)) for name in ("before", "behind")]
    value = b"v" * 60_000
    for n in range(2000):
        cache.put(*key(n), 1, value, 600, compress=False)
    cache.set_room(400)
    before = written(arena.fd)
    given = cache.trim()
    freed = before - written(arena.fd)
    assert given > 8 << 20 and given % page == 0
    assert given * 0.9 <= len(freed) * MACHINE <= given, "nearly all of it had been written to"
    offset, length = arena.region("cache")
    left = written(arena.fd)
    for block in freed:
        first = block * MACHINE // page * page
        assert offset <= first and first + page <= offset + length
        whole = range(first // MACHINE, (first + page) // MACHINE)
        assert left.isdisjoint(whole), "a part of a page was given back"
    assert [arena.dump(*arena.region(name)) for name in ("before", "behind")] == kept
    for n in range(2000):
        assert cache.get(*key(n), 1) in (None, value)
        assert cache.put(*key(n), 1, value, 600, compress=False)
        assert cache.get(*key(n), 1) == value


@pytest.mark.parametrize("page", [1, 512, 2048, 12288, 131072, MACHINE // 2, MACHINE * 3])
def test_what_is_no_page_is_refused(page: int) -> None:
    with pytest.raises(ValueError, match="pages of"):
        Arena.create([("a", 100)], 1, page)


@pytest.mark.parametrize("page", [0, 1024, MACHINE // 2, MACHINE + 1, 1 << 30])
def test_an_arena_of_other_pages_is_not_attached(page: int) -> None:
    arena = Arena.create([("a", 100)], 1)
    os.pwrite(arena.fd, page.to_bytes(4, "little"), PAGE_AT)
    with pytest.raises(ValueError, match="pages of"):
        Arena.attach(arena.fd)


@pytest.mark.native
def test_nothing_in_the_core_knows_how_large_a_page_is() -> None:
    """Each number that could be one is listed, with what it is."""
    found: dict[str, list[str]] = {}
    for path in sorted(CORE.rglob("*")):
        if path.name.startswith("ph_scan") or "vendor" in path.parts:
            continue  # the scanner has nothing in the arena
        if path.suffix in (".pyx", ".pxd", ".h"):
            code = re.sub(r"/\*.*?\*/|^\s*#(?!define).*?$", "", path.read_text(), flags=re.S | re.M)
            if words := WORDS.findall(code):
                found[path.name] = words
    assert {name: (words[0], len(words)) for name, words in found.items()} == KNOWN
    assert all(len(set(words)) == 1 for words in found.values())
