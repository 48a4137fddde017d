"""The pepper file: whole, private, the same for all."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from pihub.errors import StartupError
from pihub.security.pepper import FILE_NAME, load_pepper


def test_it_is_made_once_and_private(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    first = load_pepper(folder)
    assert len(first) == 16
    assert load_pepper(folder) == first
    assert (folder / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir()] == [FILE_NAME]


def test_many_at_once_agree(tmp_path: Path) -> None:
    found: list[bytes] = []
    gate = threading.Barrier(8)

    def load() -> None:
        gate.wait()
        found.append(load_pepper(tmp_path))

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_a_damaged_or_open_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(b"short")
    path.chmod(0o600)
    with pytest.raises(StartupError, match="damaged"):
        load_pepper(tmp_path)
    path.write_bytes(os.urandom(16))
    path.chmod(0o640)
    with pytest.raises(StartupError, match="chmod 600"):
        load_pepper(tmp_path)


def test_an_impossible_folder_is_a_startup_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartupError, match="cannot"):
        load_pepper(tmp_path / "file")
