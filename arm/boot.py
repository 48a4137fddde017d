"""The package on a whole emulated machine: its own kernel, systemd, services, restarts.

    python -m arm.boot                          a Debian arm64 of bookworm on a Pi 4's core
    python -m arm.boot --machine x86_64         the package for amd64, emulated as well
    python -m arm.boot --suite trixie --cpu cortex-a76

A chroot (`arm.prove`) has no init. Here a virtual machine boots Debian's kernel from an
image that debootstrap filled, and `in_machine.sh` runs in it as a service: the unit's
hardening, its limits of memory, the watchdog, crashes, an upgrade, a restart of the
machine. Needs root, debootstrap, e2fsprogs and qemu-system; some minutes.
"""

from __future__ import annotations

import argparse
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from arm.debian import DEBIAN_NAMES, SUITES, DebianError, mirror
from arm.packaged import newer
from arm.pythons import MACHINES
from arm.root import registered
from arm.wheels import ROOT, WheelError

PACKAGES = ("systemd", "systemd-sysv", "dbus", "udev", "python3", "adduser", "ca-certificates",
            "libstdc++6", "procps", "kmod", "initramfs-tools")  # fmt: skip
CONSOLES = {"aarch64": "ttyAMA0", "x86_64": "ttyS0"}
EMULATORS = {"aarch64": "qemu-system-aarch64", "x86_64": "qemu-system-x86_64"}
CORES = {"aarch64": ("-M", "virt"), "x86_64": ("-cpu", "max")}
STAGES = 2
MEMORY_MB = 1024
LONGEST = 1500.0
"""Seconds of one stage; emulated, the first takes about five minutes."""
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
    parser.add_argument("--suite", choices=[*SUITES.values()], default="bookworm")
    parser.add_argument("--kernel", help="Debian's package (default: the cloud one)")
    parser.add_argument("--cpu", default="cortex-a72", help="that qemu emulates")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "arm")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist")
    args = parser.parse_args(argv)
    kernel = args.kernel or f"linux-image-cloud-{DEBIAN_NAMES[args.machine]}"
    work = args.work.resolve()
    try:
        root = system(args.suite, args.machine, kernel, work)
        image = disk(root, args.machine, args.dist, work)
        for stage in range(1, STAGES + 1):
            began = time.monotonic()
            boot(root, image, args.machine, args.cpu)
            print(f"== stage {stage} passed in {time.monotonic() - began:.0f} s", flush=True)
    except (DebianError, WheelError, OSError, subprocess.CalledProcessError) as error:
        print(f"boot: {error}", file=sys.stderr)
        return 1
    return 0


def system(suite: str, machine: str, kernel: str, work: Path) -> Path:
    """A folder with an installed Debian and its kernel; made once.

    Raises DebianError, CalledProcessError.
    """
    root = work / f"machine-{suite}-{machine}-{kernel}"
    if (root / "proof-made").exists():
        return root
    if machine != platform.machine() and (why := registered()):
        raise DebianError(why)
    shutil.rmtree(root, ignore_errors=True)
    subprocess.run(
        ["debootstrap", f"--arch={DEBIAN_NAMES[machine]}", "--variant=minbase",
         f"--include={','.join((*PACKAGES, kernel))}", suite, str(root), mirror()],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    (root / "etc/fstab").write_text("/dev/vda / ext4 defaults 0 1\n")
    (root / "etc/hostname").write_text("box\n")
    units = root / "etc/systemd/system"
    (units / "proof.service").write_text(UNIT)
    wants = units / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "proof.service").symlink_to("../proof.service")
    (root / "proof-made").touch()
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
    image = work / f"{root.name}.ext4"
    image.unlink(missing_ok=True)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", str(root), str(image), "4G"], check=True)
    return image


def boot(root: Path, image: Path, machine: str, cpu: str) -> None:
    """Runs the machine until it powers off. Raises DebianError if its stage failed."""
    newest = max((root / "boot").glob("vmlinuz-*"))
    initrd = newest.with_name(newest.name.replace("vmlinuz", "initrd.img"))
    log = image.with_suffix(".log")
    words = [EMULATORS[machine], *CORES[machine], *(["-cpu", cpu] if machine == "aarch64" else []),
             "-accel", "tcg,thread=multi", "-smp", "2", "-m", str(MEMORY_MB),
             "-kernel", str(newest), "-initrd", str(initrd), "-nographic", "-nic", "none",
             "-no-reboot", "-drive", f"file={image},format=raw,if=virtio",
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


if __name__ == "__main__":
    raise SystemExit(main())
