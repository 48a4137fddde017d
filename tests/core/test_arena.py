from __future__ import annotations

import errno
import fcntl
import os
import struct
import tempfile

import pytest

from pihub._core.arena import Arena
from pihub._core.counters import Counters
from pihub._core.ring import Ring

REGIONS = [("first", 100), ("second", 70_000), ("third.a", 1)]
PAGE = os.sysconf("SC_PAGESIZE")


def make(n_workers: int = 3) -> Arena:
    return Arena.create(REGIONS, n_workers)


def bytes_of(arena: Arena) -> bytearray:
    return bytearray(arena.dump(0, arena.size))


def attach_bytes(raw: bytes) -> Arena:
    with tempfile.TemporaryFile() as file:
        file.write(raw)
        file.flush()
        return Arena.attach(file.fileno())


def test_regions_are_page_aligned_and_apart() -> None:
    arena = make()
    low = 4096 + 4 * 128
    for name, length in REGIONS:
        offset, size = arena.region(name)
        assert size == length
        assert offset % PAGE == 0
        assert offset >= low
        low = offset + size
    assert arena.size >= low
    assert arena.size == os.fstat(arena.fd).st_size
    assert list(arena.regions()) == [name for name, _ in REGIONS]
    with pytest.raises(KeyError):
        arena.region("fourth")


def test_new_regions_are_zero() -> None:
    arena = make()
    for offset, length in arena.regions().values():
        assert arena.dump(offset, length) == bytes(length)


def test_each_arena_has_its_own_secret_and_boot() -> None:
    one, two = make(), make()
    assert len(one.secret) == 32
    assert one.secret != two.secret
    assert one.boot_id != two.boot_id
    assert one.boot_id > 0
    assert one.creator_pid == os.getpid()


@pytest.mark.parametrize("readonly", [False, True])
def test_attach_sees_the_same_arena(readonly: bool) -> None:
    arena = make()
    seen = Arena.attach(arena.fd, readonly)
    assert seen.fd != arena.fd
    assert (seen.size, seen.secret, seen.boot_id, seen.n_slots, seen.creator_pid) == (
        arena.size, arena.secret, arena.boot_id, arena.n_slots, arena.creator_pid,
    )  # fmt: skip
    assert seen.regions() == arena.regions()
    arena.claim_slot(2, 77)
    assert seen.slot_info(2)[:2] == (77, 1)


def test_the_mapping_outlives_its_maker() -> None:
    arena = make()
    arena.claim_slot(1, 55)
    seen = Arena.attach(arena.fd)
    del arena
    assert seen.slot_info(1)[0] == 55


def test_read_only_cannot_write() -> None:
    arena = make()
    seen = Arena.attach(arena.fd, True)
    for write in (
        lambda: seen.claim_slot(1, 5),
        lambda: seen.release_slot(1, 5),
        lambda: seen.beat(1, 5),
    ):
        with pytest.raises(PermissionError):
            write()
    assert arena.slot_info(1)[0] == 0


# Offsets of struct ph_header: what a build of another layout would differ in.
DAMAGE = {
    "magic": (0, "<Q", 1),
    "layout": (8, "<I", 99),
    "page size": (12, "<I", 0),
    "size": (16, "<Q", 4096),
    "no slots": (68, "<I", 0),
    "too many slots": (68, "<I", 66),
    "too many regions": (72, "<I", 33),
    "header size": (76, "<H", 500),
    "region size": (78, "<H", 32),
    "slot size": (80, "<H", 64),
    "event size": (82, "<H", 64),
    "head size": (84, "<H", 64),
    "region offset in the header": (512 + 40, "<Q", 64),
    "region offset not on a page": (512 + 40, "<Q", 2 * PAGE + 8),
    "region offset beyond the end": (512 + 40, "<Q", 1 << 62),
    "region length": (512 + 48, "<Q", 1 << 63),
    "overlapping regions": (512 + 48, "<Q", 2 * PAGE),
    "name without an end": (512 + 36, "<I", 0x61616161),
}


def test_attach_takes_an_undamaged_copy() -> None:
    assert attach_bytes(bytes_of(make())).regions()


@pytest.mark.parametrize("what", DAMAGE)
def test_attach_refuses(what: str) -> None:
    offset, form, value = DAMAGE[what]
    raw = bytes_of(make())
    struct.pack_into(form, raw, offset, value)
    with pytest.raises(ValueError, match="arena"):
        attach_bytes(raw)


@pytest.mark.parametrize("size", [0, 100, 4095])
def test_attach_refuses_what_is_too_short(size: int) -> None:
    with pytest.raises(ValueError, match="arena"):
        attach_bytes(bytes_of(make())[:size])


def test_attach_refuses_a_cut_arena() -> None:
    with pytest.raises(ValueError, match="bytes"):
        attach_bytes(bytes_of(make())[:-PAGE])


def test_a_failed_attach_leaves_no_descriptor() -> None:
    raw = bytes_of(make())
    raw[0] ^= 1
    before = os.listdir("/proc/self/fd")
    for _ in range(5):
        with pytest.raises(ValueError, match="magic"):
            attach_bytes(raw)
    assert os.listdir("/proc/self/fd") == before


def test_descriptors_and_mappings_go_with_the_object() -> None:
    def ours() -> int:
        with open("/proc/self/maps") as file:
            return sum("memfd:pihub" in line for line in file)

    fds, maps = len(os.listdir("/proc/self/fd")), ours()
    arena = make()
    assert ours() == maps + 1
    del arena
    assert (len(os.listdir("/proc/self/fd")), ours()) == (fds, maps)


def test_attach_refuses_what_cannot_be_mapped() -> None:
    raw = bytes_of(make())
    with tempfile.NamedTemporaryFile() as file:
        file.write(raw)
        file.flush()
        with open(file.name, "rb") as reader:
            before = os.listdir("/proc/self/fd")
            with pytest.raises(PermissionError):
                Arena.attach(reader.fileno())
            assert Arena.attach(reader.fileno(), True).regions()
            assert os.listdir("/proc/self/fd") == before


def test_a_region_holds_one_kind_of_thing() -> None:
    arena = Arena.create([("r", Ring.size_for(1, 64)), ("c", Counters.size_for(1, 1))], 1)
    Ring(arena, "r", 1, 64)
    with pytest.raises(ValueError, match="kind"):
        Counters(arena, "r", 1, 1)
    with pytest.raises(ValueError, match="are needed"):
        Ring(arena, "c", 1, 64)
    with pytest.raises(KeyError):
        Ring(arena, "none", 1, 64)


def test_read_only_cannot_set_a_region_up() -> None:
    arena = Arena.create([("c", Counters.size_for(1, 1))], 1)
    seen = Arena.attach(arena.fd, True)
    with pytest.raises(PermissionError):
        Counters(seen, "c", 1, 1)
    Counters(arena, "c", 1, 1)
    assert Counters(seen, "c", 1, 1).total(0) == 0


def test_nobody_can_resize_it_under_us() -> None:
    arena = make()
    for size in (0, arena.size * 2):
        with pytest.raises(OSError) as error:
            os.ftruncate(arena.fd, size)
        assert error.value.errno == errno.EPERM
    assert fcntl.fcntl(arena.fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC


@pytest.mark.parametrize(
    ("regions", "n_workers"),
    [
        ([("a", 1), ("a", 1)], 1),
        ([("A", 1)], 1),
        ([("", 1)], 1),
        ([("x" * 40, 1)], 1),
        ([("a", 0)], 1),
        ([("a", -1)], 1),
        ([("a", 1 << 41)], 1),
        ([(f"r{i}", 1) for i in range(33)], 1),
        ([], -1),
        ([], 65),
    ],
)
def test_create_refuses(regions: list[tuple[str, int]], n_workers: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        Arena.create(regions, n_workers)


def test_the_most_it_holds() -> None:
    arena = Arena.create([(f"r{i}", 1) for i in range(32)], 64)
    assert arena.n_slots == 65
    assert arena.claim_slot(64, 9) == 1
    assert Arena.attach(arena.fd).slot_info(64)[0] == 9
    assert arena.region("r0")[0] >= 4096 + 65 * 128


def test_dump_stays_inside() -> None:
    arena = make()
    assert arena.dump(arena.size, 0) == b""
    for offset, length in [(arena.size, 1), (0, arena.size + 1), (arena.size + 1, 0)]:
        with pytest.raises(ValueError, match="inside"):
            arena.dump(offset, length)


def test_slots() -> None:
    arena = make()
    assert arena.slot_info(1) == (0, 0, 0)
    assert arena.claim_slot(1, 100) == 1
    pid, incarnation, beat = arena.slot_info(1)
    assert (pid, incarnation) == (100, 1)
    assert beat > 0
    arena.beat(1, 12345)
    assert arena.slot_info(1) == (100, 1, 12345)
    assert not arena.release_slot(1, 99)
    assert not arena.release_slot(2, 0)
    assert arena.release_slot(1, 100)
    assert not arena.release_slot(1, 100)
    assert arena.slot_info(1)[:2] == (0, 1)
    assert arena.claim_slot(1, 101) == 2
    assert arena.claim_slot(1, 102) == 3
    assert arena.slot_info(1)[:2] == (102, 3)
    assert arena.slot_info(2) == (0, 0, 0)


def test_incarnation_wraps_past_zero() -> None:
    arena = make()
    seen = [arena.claim_slot(1, 5) for _ in range(65_537)]
    assert seen[65_534] == 65_535
    assert seen[65_535] == 1
    assert 0 not in seen


@pytest.mark.parametrize("slot", [-1, 4, 1000])
def test_slot_outside_is_an_error(slot: int) -> None:
    arena = make()
    for call in (
        lambda: arena.claim_slot(slot, 1),
        lambda: arena.release_slot(slot, 1),
        lambda: arena.beat(slot, 1),
        lambda: arena.slot_info(slot),
    ):
        with pytest.raises(IndexError):
            call()
    with pytest.raises(ValueError, match="pid"):
        arena.claim_slot(1, 0)
