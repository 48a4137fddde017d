"""A file that one process opens twice stays locked.

POSIX locks belong to a process and a file, and end with the first descriptor of that file that the
process closes, whoever opened it. A database without its lock seems to be nobody's: older SQLites,
such as the system's own `sqlite3`, remove the WAL when they close it, with all that the hub
commits afterwards.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pihub.store.sqlite import Database

LOCK = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    try:  # the bytes of which each open connection holds some (SQLite: "Database File Format")
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)
    except BlockingIOError:
        print("held")
    else:
        print("free")
"""
LOOK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(connection.execute("SELECT count(*) FROM t").fetchone()[0])
connection.close()
"""


def another(program: str, path: Path) -> str:
    """What another process says that opens the file and closes it."""
    done = subprocess.run(
        [sys.executable, "-c", program, path],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_the_lock_outlives_another_opening(tmp_path: Path) -> None:
    path = tmp_path / "twice.db"
    first = Database(path, "FULL")
    with first.write() as connection:
        connection.execute("CREATE TABLE t (x)")
    assert another(LOCK, path) == "held"
    second = Database(path, "FULL")
    assert another(LOCK, path) == "held"
    first.close()
    assert another(LOCK, path) == "held"
    second.close()
    assert another(LOCK, path) == "free"


def test_nobody_who_looks_takes_the_wal_away(tmp_path: Path) -> None:
    path = tmp_path / "twice.db"
    first = Database(path, "FULL")
    with first.write() as connection:
        connection.execute("CREATE TABLE t (x)")
    second = Database(path, "FULL")
    wal = path.with_name("twice.db-wal")
    before = wal.stat().st_ino
    for rows, database in enumerate((first, second, first), 1):
        with database.write() as connection:
            connection.execute("INSERT INTO t VALUES (1)")
        assert another(LOOK, path) == str(rows)
        assert wal.stat().st_ino == before
    first.close()
    second.close()


def test_the_file_is_its_user_s_alone(tmp_path: Path) -> None:
    """Where it is made, behind a link as well; one that is there keeps its mode."""
    made, there, link = tmp_path / "made.db", tmp_path / "there.db", tmp_path / "link.db"
    there.touch(0o640)
    link.symlink_to(tmp_path / "behind.db")
    for path in (made, there, link):
        Database(path, "NORMAL").close()
    assert made.stat().st_mode & 0o777 == 0o600
    assert there.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "behind.db").stat().st_mode & 0o777 == 0o600
