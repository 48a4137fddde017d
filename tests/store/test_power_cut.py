"""A power cut: what SQLite had not synced is gone, and money is not among it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from pihub.shared.events import Record
from pihub.store.metrics import MetricsStore


class Names:
    def lookup(self, index: int) -> str:
        return f"name-{index}" if index else ""


class Disk(apsw.VFS):
    """The system's files, and of each the bytes that were there at its last sync."""

    def __init__(self) -> None:
        self.synced: dict[str, bytes] = {}
        super().__init__("disk", base="unix", makedefault=False)

    def xOpen(self, name: object, flags: list[int]) -> apsw.VFSFile:
        return File(self, name, flags)

    def xDelete(self, name: str, syncdir: bool) -> None:
        super().xDelete(name, syncdir)
        self.synced.pop(name, None)


class File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: object, flags: list[int]) -> None:
        self._disk = disk
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        super().__init__("unix", name, flags)  # type: ignore[arg-type]

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self._disk.synced[self._name] = Path(self._name).read_bytes()


@pytest.fixture
def disk() -> Iterator[Disk]:
    before = apsw.vfs_names()[0]
    made = Disk()
    apsw.set_default_vfs("disk")
    yield made
    apsw.set_default_vfs(before)
    made.unregister()


def cut(disk: Disk, path: Path, into: Path) -> MetricsStore:
    """The database as the next start finds it."""
    into.mkdir()
    for name, data in disk.synced.items():
        if not name.endswith("-shm"):
            (into / Path(name).name).write_bytes(data)
    return MetricsStore(into / path.name)


def commit(store: MetricsStore, *costs: int, at: int) -> None:
    records = [Record(rid=at + n, ts_ns=at, cost_nano=cost) for n, cost in enumerate(costs)]
    store.commit(1, {1: at}, 0, [record.pack() for record in records], Names())


def test_committed_money_survives(disk: Disk, tmp_path: Path) -> None:
    path = tmp_path / "pihub.db"
    store = MetricsStore(path)
    store.checkpoint()
    commit(store, 0, 0, at=10)
    lost = cut(disk, path, tmp_path / "first")
    assert not lost.recent(10), "a commit without money is not worth a sync"
    commit(store, 0, 5_000, at=20)
    found = cut(disk, path, tmp_path / "second")
    assert sorted(row.cost_nano or 0 for row in found.recent(10)) == [0, 0, 0, 5_000]
    assert found.cursors(1) == {1: 20}, "and is not read from the ring a second time"
    commit(store, 0, at=30)
    again = cut(disk, path, tmp_path / "third")
    assert len(again.recent(10)) == 4
    for one in (lost, found, again, store):
        one.close()
    assert os.path.getsize(path) > 0
