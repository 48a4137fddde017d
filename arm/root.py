"""A Debian system in a folder, and programs run in it: those for arm64 under emulation.

Two ways: `emulate` needs no privileges at all (qemu's -L), but the program must not start
other ARM programs. `inside` is a real chroot, in which they can; it needs root and, for
another machine's programs, the kernel's binfmt_misc, so ask `can_enter` first.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from arm.debian import SUITES, Apt, unpack

QEMU = "qemu-aarch64-static"
CPUS = ("cortex-a53", "cortex-a72", "cortex-a76")
"""Of the Pi 3, 4 and 5. A named core is also four times as fast as the default here: that
one emulates pointer authentication in software."""
BINFMT = Path("/proc/sys/fs/binfmt_misc")
PACKAGES = ("python3", "libstdc++6", "libgcc-s1", "ca-certificates", "coreutils", "bash", "dash",
            "sed", "grep", "mawk", "findutils", "libc-bin", "passwd", "tar")  # fmt: skip


def python_root(version: str, machine: str, work: Path, name: str = "root") -> Path:
    """A system with only Python (and a shell), unpacked and not installed: 10 seconds.

    `name`: of one that stands beside others, for what writes in it.
    """
    suite = SUITES[version]
    home = (work / f"root-{suite}-{machine}").resolve()
    debs = Apt(home / "apt", suite, machine).debs(PACKAGES, closure=True)
    root = unpack(debs, home / name)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    shell = root / "usr/bin/sh"
    if not shell.exists():
        shell.symlink_to("dash")
    awk = root / "usr/bin/awk"
    if not awk.exists():
        awk.symlink_to("mawk")
    return root


def emulate(
    root: Path,
    cpu: str,
    version: str,
    words: Sequence[str],
    *,
    env: Mapping[str, str],
    page: int = 4096,
) -> list[str]:
    """The command that runs the root's Python with `words`, without any privilege."""
    pairs = [f"{name}={value}" for name, value in env.items()]
    return ["env", "-i", "PATH=/usr/bin:/bin", *pairs, QEMU, "-cpu", cpu, "-p", str(page),
            "-L", str(root), "-E", f"PYTHONHOME={root}/usr",
            str(root / f"usr/bin/python{version}"), *words]  # fmt: skip


def can_enter(root: Path, machine: str) -> str:
    """"" if a chroot can run its programs here, else why not. Registers qemu if it may."""
    if os.geteuid() != 0:
        return "not root"
    if machine != platform.machine() and (why := registered()):
        return why
    if shutil.which("unshare") is None:
        return "unshare is missing"
    try:
        done = subprocess.run(
            inside(root, CPUS[1], ["/bin/true"]), capture_output=True, text=True, check=False,
            timeout=60,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "a program in the chroot does not end"
    return "" if done.returncode == 0 else f"chroot fails: {done.stderr.strip()[-200:]}"


def registered() -> str:
    """Registers qemu as the interpreter of ARM programs; why it cannot, else ""."""
    if not (BINFMT / "qemu-aarch64").exists():
        if not (BINFMT / "register").exists():
            subprocess.run(
                ["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT)],
                capture_output=True, check=False,
            )  # fmt: skip
        line = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")
        if not (BINFMT / "register").exists() or not line.exists():
            return "the kernel has no binfmt_misc here"
        try:
            if not (BINFMT / "qemu-aarch64").exists():
                (BINFMT / "register").write_bytes(line.read_bytes())
        except OSError as error:
            return f"qemu cannot be registered ({error.strerror})"
    return ""


def inside(root: Path, cpu: str, words: Sequence[str], binds: Mapping[str, Path] = {}) -> list[str]:
    """The command that runs `words` in the root: own mounts, own network with loopback.

    `cpu` is the one that qemu is, if the programs are not of this machine.
    `binds`: folder in the root (relative) -> folder of this machine.
    """
    script = ["set -e", f"cd {root}", "mkdir -p proc dev tmp root"]
    script += ["mount -t proc proc proc", "mount -t tmpfs tmpfs tmp", "mount -t tmpfs tmpfs dev"]
    for number, name in ((3, "null"), (5, "zero"), (8, "random"), (9, "urandom")):
        script.append(f"mknod -m 666 dev/{name} c 1 {number}")
    script += ["ln -s /proc/self/fd dev/fd", "mkdir -m 1777 dev/shm"]
    for name, folder in binds.items():
        script += [f"mkdir -p {name}", f"mount --bind {folder.resolve()} {name}"]
    script += ["(ip link set lo up || true) 2>/dev/null"]
    script += [f'exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin '
               f'HOME=/root QEMU_CPU={cpu} chroot . "$@"']  # fmt: skip
    return ["unshare", "-m", "sh", "-c", "\n".join(script), "sh", *words]
