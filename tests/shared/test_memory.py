from __future__ import annotations

import os
from pathlib import Path

import pytest

from pihub._core.arena import Arena
from pihub._core.cache import Cache
from pihub.shared.memory import CALM, LADDER, MemoryManager, Reading, read, refuses


def machine(root: Path, *, used: int, available: int = 500_000, full: str = "0.00") -> Path:
    """A tree as the kernel shows it: a limit of 1000 pages' worth, half a GB of 1 GB free."""
    group = root / "sys/fs/cgroup/system.slice/pihub.service"
    group.mkdir(parents=True, exist_ok=True)
    (root / "proc/pressure").mkdir(parents=True, exist_ok=True)
    (root / "proc/self").mkdir(exist_ok=True)
    (root / "proc/self/cgroup").write_text("0::/system.slice/pihub.service\n")
    (group / "memory.high").write_text("1000\n")
    (group / "memory.max").write_text("max\n")
    (group / "memory.current").write_text(f"{used}\n")
    (root / "proc/meminfo").write_text(
        f"MemTotal:  1000000 kB\nMemAvailable:  {available} kB\n"
    )
    (root / "proc/pressure/memory").write_text(
        f"some avg10=50.00 avg60=0.00\nfull avg10={full} avg60=0.00 avg300=0.00 total=0\n"
    )
    return root


def test_reads_what_the_kernel_says(tmp_path: Path) -> None:
    assert read(machine(tmp_path, used=900)) == Reading(0.9, 0.5, 0.0)
    assert read(tmp_path / "none") == Reading()
    assert read(tmp_path / "none").why() == ""
    assert read().available_share is not None  # this very machine has /proc/meminfo


@pytest.mark.parametrize(
    ("odd", "word"),
    [
        ({"used": 960}, "limit"),
        ({"used": 100, "available": 30_000}, "available"),
        ({"used": 100, "full": "22.50"}, "stood still"),
        ({"used": 100, "full": "nonsense"}, ""),
    ],
)
def test_says_why(tmp_path: Path, odd: dict[str, int | str], word: str) -> None:
    why = read(machine(tmp_path, **odd)).why()  # type: ignore[arg-type]
    assert (word in why) if word else why == ""


@pytest.mark.native
def test_sheds_the_cache_first_then_admissions_and_comes_back(tmp_path: Path) -> None:
    arena = Arena.create([("cache", Cache.size_for(8 << 20))], 1)
    cache = Cache(arena, "cache")
    for n in range(1, 9000):
        cache.put(n * 0x9E3779B97F4A7C15 % 2**64, n, 1, b"v" * 960, 600)
    before = os.fstat(arena.fd).st_blocks * 512
    manager = MemoryManager(cache, machine(tmp_path, used=999))
    rooms = []
    for _ in range(len(LADDER) + 1):
        manager.step()
        rooms.append(cache.room())
        assert refuses(cache) is (cache.room() == LADDER[-1])
    assert rooms == [700, 400, 100, 50, 50, 50]
    assert os.fstat(arena.fd).st_blocks * 512 < before - (6 << 20), "no page was given back"
    assert manager.shed_bytes > 6 << 20
    assert manager.steps == 4
    assert cache.put(1, 2, 3, b"x" * 100, 60)
    assert cache.get(1, 2, 3) == b"x" * 100
    machine(tmp_path, used=500)
    for _ in range(CALM * 4):
        manager.step()
    assert cache.room() == 1000
    for n in range(1, 9000):
        key = (n * 0x9E3779B97F4A7C15 % 2**64, n, 1)
        cache.put(*key, b"v" * 960, 600)
        assert cache.get(*key) == b"v" * 960
    assert cache.stats()["bytes"] > 7 << 20
