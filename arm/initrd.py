"""A kernel's first file system: what it takes to mount the disk, and no more.

Made on this machine, since the distribution's own tool would run for minutes under
emulation. Format: Documentation/driver-api/early-userspace/buffer-format.rst of Linux.
"""

from __future__ import annotations

import lzma
import subprocess
from pathlib import Path

WANTED = ("virtio_pci", "virtio_blk", "crc32c_generic", "libcrc32c", "ext4")
"""Modules of the disk and its file system; a kernel may have some of them built in."""
INIT = """#!/busybox sh
b=/busybox
$b mount -t devtmpfs dev /dev
for module in $($b cat /order); do $b insmod /$module || $b echo "initrd: no $module"; done
left=100
until [ -b /dev/vda ] || [ $left = 0 ]; do left=$((left - 1)); $b sleep 0.1; done
$b mount -t ext4 /dev/vda /root
exec $b switch_root /root /sbin/init
"""
FOLDER, FILE = 0o040755, 0o100755


def initrd(root: Path) -> bytes:
    """For the one kernel of `root`, with its modules and busybox; also writes `modules.dep`.

    Raises CalledProcessError if depmod does not understand the modules.
    """
    [modules] = (root / "usr/lib/modules").iterdir()
    subprocess.run(["depmod", "-b", str(root), modules.name], check=True)
    files = {"init": INIT.encode(), "busybox": (root / "usr/bin/busybox").read_bytes()}
    order = []
    for path in in_order(modules):
        data = path.read_bytes()
        name = path.name.removesuffix(".xz")
        files[name] = lzma.decompress(data) if path.suffix == ".xz" else data
        order.append(name)
    files["order"] = "\n".join(order).encode()
    return cpio(("dev", "root"), files)


def in_order(modules: Path) -> list[Path]:
    """The files of what is WANTED, each after all that it needs."""
    needs = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        path, _, others = line.partition(":")
        needs[path] = others.split()
    named = {Path(path).name.partition(".ko")[0].replace("-", "_"): path for path in needs}
    found: list[str] = []
    for path in (named[name] for name in WANTED if name in named):
        # modules.dep lists all that a module needs, what must be loaded first last
        found += [one for one in (*reversed(needs[path]), path) if one not in found]
    return [modules / path for path in found]


def cpio(folders: tuple[str, ...], files: dict[str, bytes]) -> bytes:
    """An archive in the "newc" format."""
    out = bytearray()
    entries = [*((name, FOLDER, b"") for name in folders),
               *((name, FILE, data) for name, data in files.items()),
               ("TRAILER!!!", 0, b"")]  # fmt: skip
    for number, (name, mode, data) in enumerate(entries, 1):
        # inode, mode, uid, gid, links, mtime, size, four device numbers, length of name, sum
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        out += b"070701" + "".join(f"{field:08x}" for field in fields).encode()
        out += name.encode() + b"\0"
        out += bytes(-len(out) % 4)
        out += data
        out += bytes(-len(out) % 4)
    return bytes(out)
