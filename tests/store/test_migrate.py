"""Schema versions on real files: applied once, whole or not at all, never guessed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pihub import store
from pihub.errors import StartupError
from pihub.store.findings import FindingRows
from pihub.store.health import HealthRows
from pihub.store.metrics import MetricsStore
from pihub.store.migrate import Migration, migrate, migrations
from pihub.store.reports import StoredReports
from pihub.store.sqlite import Database, StoreFault

ONE = Migration(1, "0001_a.sql", "CREATE TABLE a (x INTEGER) STRICT;")
TWO = Migration(2, "0002_b.sql", "CREATE TABLE b (y INTEGER) STRICT; INSERT INTO b VALUES (7);")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(tmp_path / "x.db", "NORMAL")
    yield found
    found.close()


def test_each_step_is_applied_once(database: Database) -> None:
    assert migrate(database, [ONE]) == 1
    assert migrate(database, [ONE, TWO]) == 1
    assert migrate(database, [ONE, TWO]) == 0
    assert database.read("SELECT y FROM b") == [(7,)]
    assert database.read("PRAGMA user_version") == [(2,)]


def test_a_failing_step_leaves_nothing_behind(database: Database) -> None:
    broken = Migration(
        2, "0002_b.sql", "CREATE TABLE b (y INTEGER); INSERT INTO nowhere VALUES (1)"
    )
    with pytest.raises(StartupError, match="0002_b"):
        migrate(database, [ONE, broken])
    assert database.read("PRAGMA user_version") == [(1,)]
    assert database.read("SELECT name FROM sqlite_schema WHERE name = 'b'") == []
    assert migrate(database, [ONE, TWO]) == 1


def test_a_changed_step_is_refused(database: Database) -> None:
    migrate(database, [ONE])
    changed = ONE._replace(sql=ONE.sql + " ")
    with pytest.raises(StartupError, match="not the one"):
        migrate(database, [changed, TWO])
    assert database.read("PRAGMA user_version") == [(1,)]


def test_a_newer_database_is_refused(database: Database) -> None:
    migrate(database, [ONE, TWO])
    with pytest.raises(StartupError, match="newer"):
        migrate(database, [ONE])


def test_a_meddled_version_is_refused(database: Database) -> None:
    migrate(database, [ONE])
    with database.write() as connection:
        connection.pragma("user_version", 5)
    with pytest.raises(StartupError, match="does not fit"):
        migrate(database, [ONE, TWO])


def test_two_processes_may_start_at_once(tmp_path: Path) -> None:
    both = [Database(tmp_path / "x.db", "NORMAL") for _ in range(2)]
    applied: list[int] = []
    threads = [
        threading.Thread(target=lambda one=one: applied.append(migrate(one, [ONE, TWO])))
        for one in both
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(applied) == 2
    for one in both:
        one.close()


FOLDERS = sorted(one.name for one in Path(store.__path__[0], "migrations").iterdir())


def shape(database: Database) -> list[tuple[Any, ...]]:
    return database.read("SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2")


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_shipped_steps_apply_from_every_version(tmp_path: Path, folder: str) -> None:
    steps = migrations(folder)
    shapes = []
    for done in range(len(steps)):
        database = Database(tmp_path / f"{done}.db", "NORMAL")
        migrate(database, steps[:done])
        assert migrate(database, steps) == len(steps) - done
        assert database.read("PRAGMA integrity_check") == [("ok",)]
        shapes.append(shape(database))
        database.close()
    assert all(one == shapes[0] for one in shapes)


def test_requests_and_findings_of_an_older_hub_are_read(tmp_path: Path) -> None:
    database = Database(tmp_path / "pihub.db", "NORMAL")
    migrate(database, migrations("metrics")[:3])
    with database.write() as connection:
        connection.execute("INSERT INTO names VALUES (1, 'llama')")
        connection.execute(
            f"INSERT INTO requests VALUES (1, 5, 7, 2{', 1' * 8}, 1, 1, 1, 0{', 1' * 15})"
        )
        connection.execute(
            "INSERT INTO findings VALUES (9, 5, 1, 100, 1, 'sqli', 'body', 'q', 'R1', '/v1', 0)"
        )
    database.close()
    newer = MetricsStore(tmp_path / "pihub.db")
    [row] = newer.recent(10)
    assert (row.rid, row.tenant, row.model) == (7, 2, "llama")
    assert StoredReports(newer.database, 2).recent(10) == [row]
    [finding] = FindingRows(newer.database, 1).recent(10)
    assert (finding.rule, finding.blocked, finding.key) == ("R1", True, 0)
    assert HealthRows(newer.database).baselines() == []
    newer.close()


def test_the_file_is_private_and_its_pragmas_hold(tmp_path: Path) -> None:
    database = Database(tmp_path / "deep" / "x.db", "FULL")
    migrate(database, [ONE])
    for path in (tmp_path / "deep").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path
    with database.write() as connection:
        assert connection.pragma("synchronous") == 2
        assert connection.pragma("journal_mode") == "wal"
        assert connection.pragma("foreign_keys") == 1
    database.close()


def test_a_failed_block_is_rolled_back(database: Database) -> None:
    migrate(database, [ONE])
    with pytest.raises(RuntimeError), database.write() as connection:
        connection.execute("INSERT INTO a VALUES (1)")
        raise RuntimeError
    assert database.read("SELECT * FROM a") == []


def test_a_closed_database_stays_closed(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db", "NORMAL")
    migrate(database, [ONE])
    database.close()
    database.close()
    with pytest.raises(StoreFault):
        database.read("SELECT 1")
    with pytest.raises(StoreFault), database.write():
        pytest.fail("it opened again")
    assert [path.name for path in tmp_path.iterdir()] == ["x.db"]


def test_an_impossible_place_is_a_startup_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartupError, match="cannot open"):
        Database(tmp_path / "file" / "x.db", "NORMAL")
