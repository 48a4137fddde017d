"""The first file system: what a module needs comes before it, and the archive is as cpio's."""

from __future__ import annotations

from pathlib import Path

from arm.initrd import cpio, in_order

DEPENDENCIES = """\
kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz kernel/fs/mbcache.ko.xz
kernel/fs/jbd2/jbd2.ko.xz:
kernel/fs/mbcache.ko.xz:
kernel/drivers/virtio/virtio-pci.ko.xz: kernel/drivers/virtio/virtio.ko.xz
kernel/drivers/virtio/virtio.ko.xz:
kernel/drivers/block/virtio_blk.ko.xz: kernel/drivers/virtio/virtio.ko.xz
kernel/net/other.ko.xz:
"""


def test_needed_modules_come_first_and_once(tmp_path: Path) -> None:
    (tmp_path / "modules.dep").write_text(DEPENDENCIES)
    names = [path.name.partition(".")[0] for path in in_order(tmp_path)]
    assert names == ["virtio", "virtio-pci", "virtio_blk", "mbcache", "jbd2", "ext4"]


def test_the_archive_has_the_format_of_the_kernel() -> None:
    packed = cpio(("dev",), {"init": b"#!/x\n"})
    assert len(packed) % 4 == 0
    read, at = {}, 0
    while at < len(packed):
        assert packed[at : at + 6] == b"070701"
        fields = [int(packed[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        mode, size, length = fields[1], fields[6], fields[11]
        name = packed[at + 110 : at + 110 + length]
        at += (110 + length + 3) // 4 * 4
        read[name] = (mode, packed[at : at + size])
        at += (size + 3) // 4 * 4
    assert read == {
        b"dev\0": (0o040755, b""), b"init\0": (0o100755, b"#!/x\n"), b"TRAILER!!!\0": (0, b""),
    }  # fmt: skip
