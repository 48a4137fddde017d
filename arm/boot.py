"""The package on a whole emulated machine: its own kernel, systemd, services, restarts.

    python -m arm.boot                          a Debian arm64 of bookworm on a Pi 4's core
    python -m arm.boot --machine x86_64         the package for amd64, emulated as well
    python -m arm.boot --page-size 16384        trixie's kernel with the Pi 5's pages, on its core

A chroot (`arm.prove`) has no init. Here a virtual machine boots Debian's kernel from an
image of unpacked packages, and `in_machine.sh` runs in it as a service: the unit's
hardening, its limits of memory, the watchdog, crashes, an upgrade, a restart of the
machine. Its clock counts instructions while it works (qemu's icount), so a busy host makes
the proof late and no timer in it run out. Needs root, kmod, e2fsprogs and qemu-system;
some minutes.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from arm.debian import DEBIAN_NAMES, SUITES, Apt, DebianError
from arm.initrd import initrd
from arm.packaged import NEEDED, believed, newer
from arm.pythons import MACHINES
from arm.root import CPUS
from arm.wheels import ROOT, WheelError

PACKAGES = (*NEEDED, "systemd", "systemd-sysv", "dbus", "udev", "kmod", "base-passwd", "base-files",
            "busybox-static")  # fmt: skip
CONSOLES = {"aarch64": "ttyAMA0", "x86_64": "ttyS0"}
EMULATORS = {"aarch64": "qemu-system-aarch64", "x86_64": "qemu-system-x86_64"}
CORES = {
    "aarch64": ("-M", "virt", "-smp", "2"),
    "x86_64": ("-cpu", "max", "-smp", "1"),  # kernel 6.1 waits for ever for a second one (qemu 7.2)
}
USERS = {
    "passwd": "messagebus:x:900:900::/nonexistent:/usr/sbin/nologin\n",
    "group": "messagebus:x:900:\nsystemd-journal:x:901:\ninput:x:902:\nkvm:x:903:\nrender:x:904:\n"
             "sgx:x:905:\n",
}  # fmt: skip
"""Beside those of base-passwd: of dbus, and the groups that the rules of udev name."""
STAGES = 2
MEMORY_MB = 1024
LONGEST = 2 * 3600.0
"""Seconds of one stage: a machine that hangs must end; alone the first takes some minutes."""
SMALL, LARGE = 4096, 16384
"""Bytes of a page: of most kernels, and of the one that the Pi 5 starts by default."""
UNIT = """[Unit]
Description=proof of the package
[Service]
Type=idle
ExecStart=/bin/sh /root/proof/in_machine.sh
ExecStopPost=/bin/systemctl --no-block poweroff
StandardOutput=journal+console
StandardError=journal+console
[Install]
WantedBy=multi-user.target
"""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="arm.boot", description=__doc__.splitlines()[0])
    parser.add_argument("--machine", choices=MACHINES, default="aarch64")
    parser.add_argument("--suite", choices=[*SUITES.values()])
    parser.add_argument("--page-size", type=int, choices=(SMALL, LARGE), default=SMALL)
    parser.add_argument("--kernel", help="Debian's package (default: by machine and page size)")
    parser.add_argument("--cpu", choices=CPUS, help="that qemu emulates")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "arm")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist")
    args = parser.parse_args(argv)
    large = args.page_size == LARGE
    if large and args.machine != "aarch64":
        parser.error("only arm64 has a kernel with such pages")
    kernel = args.kernel or (
        f"linux-image-{DEBIAN_NAMES[args.machine]}-16k"  # since trixie, and only for arm64
        if large else f"linux-image-cloud-{DEBIAN_NAMES[args.machine]}"
    )  # fmt: skip
    cpu = args.cpu or (CPUS[2] if large else CPUS[1])  # an A53 or A72 has no such pages
    work = args.work.resolve()
    try:
        suite = args.suite or ("trixie" if large else "bookworm")
        root = system(suite, args.machine, kernel, work)
        image = disk(root, args.machine, args.dist, work)
        for stage in range(1, STAGES + 1):
            began = time.monotonic()
            boot(root, image, args.machine, cpu, args.page_size)
            print(f"== stage {stage} passed in {time.monotonic() - began:.0f} s", flush=True)
    except (DebianError, WheelError, OSError, subprocess.CalledProcessError) as error:
        print(f"boot: {error}", file=sys.stderr)
        return 1
    return 0


def system(suite: str, machine: str, kernel: str, work: Path) -> Path:
    """A folder with Debian, its kernel and systemd, as after an installation.

    Raises DebianError.
    """
    home = work / f"machine-{suite}-{machine}-{kernel}"
    debs = Apt(home / "apt", suite, machine).debs((*PACKAGES, kernel), closure=True)
    root = believed(debs, home / "root", machine)
    etc = root / "etc"
    # What the packages' own scripts would have written, as far as systemd and dpkg ask for it.
    for name in ("passwd", "group"):
        base = (root / f"usr/share/base-passwd/{name}.master").read_text()
        (etc / name).write_text(base + USERS[name])
    (etc / "shadow").write_text("root:*:19000::::::\n")
    (etc / "fstab").write_text("/dev/vda / ext4 defaults 0 1\n")
    (etc / "hostname").write_text("box\n")
    (etc / "hosts").write_text("127.0.0.1 localhost box\n")
    (etc / "machine-id").write_text("0" * 31 + "1\n")  # without one, systemd asks on the console
    units = etc / "systemd/system"
    wants = units / "multi-user.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    (units / "proof.service").write_text(UNIT)
    (wants / "proof.service").symlink_to("../proof.service")
    return root


def disk(root: Path, machine: str, dist: Path, work: Path) -> Path:
    """An ext4 image of `root` with the package and the proof in it."""
    deb, upgrade = newer(machine, dist, work)
    proof = root / "root" / "proof"
    shutil.rmtree(proof, ignore_errors=True)
    proof.mkdir()
    shutil.copyfile(deb, proof / "pihub.deb")
    shutil.copyfile(upgrade, proof / "newer.deb")
    for name in ("in_machine.sh", "serve_check.py"):
        shutil.copyfile(ROOT / "arm" / name, proof / name)
    (proof / "stage").write_text("1\n")
    image = root.with_suffix(".ext4")
    image.unlink(missing_ok=True)
    image.with_suffix(".initrd").write_bytes(initrd(root))
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", str(root), str(image), "4G"], check=True)
    return image


def boot(root: Path, image: Path, machine: str, cpu: str, page: int) -> None:
    """Runs the machine until it powers off.

    Raises DebianError if its stage failed, or if its pages are not of `page` bytes.
    """
    [kernel] = (root / "boot").glob("vmlinuz-*")
    log = image.with_suffix(".log")
    core = ("-cpu", cpu) if machine == "aarch64" else ()
    words = [EMULATORS[machine], *CORES[machine], *core, "-m", str(MEMORY_MB),
             "-icount", "shift=0", "-nographic", "-nic", "none", "-no-reboot",
             "-kernel", str(kernel), "-initrd", str(image.with_suffix(".initrd")),
             "-drive", f"file={image},format=raw,if=virtio",
             "-append", f"root=/dev/vda rw console={CONSOLES[machine]} quiet panic=-1 "
                        "systemd.show_status=0"]  # fmt: skip
    with log.open("wb") as out:
        subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=LONGEST, check=False
        )
    whole = log.read_text(errors="replace")
    said = re.findall(r"machine: .*", whole)
    print("\n".join(line.rstrip() for line in said), flush=True)
    if not said or said[-1].rstrip() != "machine: stage passed":
        raise DebianError(f"the machine did not pass:\n{whole[-6000:]}")
    if f", pages of {page}," not in said[0]:
        raise DebianError(f"not the page size that was asked for, {page}: {said[0]}")


if __name__ == "__main__":
    raise SystemExit(main())
