"""Archives depend on what is in them alone, and the lists of hashes are right."""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import tarfile
from pathlib import Path

import pytest

from arm import archive
from arm.bundle import requirements
from arm.packaged import renumbered
from arm.wheels import platforms


def fill(folder: Path, names: list[str], mtime: int) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        os.utime(path, (mtime, mtime))
    (folder / names[0]).chmod(0o755)


def test_the_same_bytes_whatever_the_order_and_the_times(tmp_path: Path) -> None:
    names = ["install.sh", "wheels/b.whl", "wheels/a.whl"]
    fill(tmp_path / "one", names, 1)
    fill(tmp_path / "two", [names[0], *names[:0:-1]], 2)
    one, two = (archive.tar_gz(tmp_path / n, "pihub-1", 1_700_000_000) for n in ("one", "two"))
    assert one == two
    with tarfile.open(fileobj=io.BytesIO(one)) as packed:
        assert packed.getnames() == [
            "pihub-1", "pihub-1/install.sh", "pihub-1/wheels", "pihub-1/wheels/a.whl",
            "pihub-1/wheels/b.whl",
        ]  # fmt: skip
        script = packed.getmember("pihub-1/install.sh")
        assert (script.mode, script.mtime, script.uname) == (0o755, 1_700_000_000, "root")


def test_members_are_what_was_put_together() -> None:
    parts = {"debian-binary": b"2.0\n", "odd": b"abc", "data.tar.xz": bytes(10)}
    packed = archive.ar(parts, 1_700_000_000)
    assert packed.startswith(b"!<arch>\ndebian-binary   1700000000")
    assert archive.members(packed) == parts
    with pytest.raises(ValueError, match="not an ar"):
        archive.members(b"PK")


def test_a_package_of_a_later_version_has_the_same_files(tmp_path: Path) -> None:
    (tmp_path / "control").write_text("Package: pihub\nVersion: 0.1.0\nDescription: Version: x\n")
    control = lzma.compress(archive.tar(tmp_path, "", 1))
    deb = archive.ar({"debian-binary": b"2.0\n", "control.tar.xz": control, "data.tar.xz": b"d"}, 1)
    parts = archive.members(renumbered(deb, "9.9.9"))
    assert (*parts,) == ("debian-binary", "control.tar.xz", "data.tar.xz")
    assert parts["data.tar.xz"] == b"d"
    with tarfile.open(fileobj=io.BytesIO(parts["control.tar.xz"])) as packed:
        [name] = [name for name in packed.getnames() if name.endswith("control")]
        file = packed.extractfile(name)
        assert file is not None
        assert file.read() == b"Package: pihub\nVersion: 9.9.9\nDescription: Version: x\n"


def test_sums_are_those_of_sha256sum(tmp_path: Path) -> None:
    fill(tmp_path, ["a/x", "b"], 1)
    expected = [hashlib.sha256(name.encode()).hexdigest() for name in ("a/x", "b")]
    assert archive.sums(tmp_path) == f"{expected[0]}  a/x\n{expected[1]}  b\n"


def test_requirements_name_every_file_of_a_distribution(tmp_path: Path) -> None:
    fill(tmp_path, ["Some_Thing-1.0-cp311-cp311-a.whl", "Some_Thing-1.0-cp313-cp313-a.whl"], 1)
    text = requirements(sorted(tmp_path.glob("*.whl")))
    assert text.startswith("some-thing==1.0 \\\n")
    assert text.count("--hash=sha256:") == 2


def test_every_manylinux_level_down_from_debian_12_is_named() -> None:
    names = platforms("aarch64")
    assert names[0] == "manylinux_2_36_aarch64"
    assert {"manylinux_2_17_aarch64", "manylinux2014_aarch64", "manylinux_2_28_aarch64"} < {*names}
