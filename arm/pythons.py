"""Headers and build variables of a target's Python, so that a host's Python builds for it.

From Debian's packages: pyconfig.h and `_sysconfigdata` of that very interpreter, so that
setuptools names, flags and tags the extensions as the target itself would.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from arm.debian import SUITES, Apt, unpack

COMPILERS = {"aarch64": "aarch64-linux-gnu-gcc", "x86_64": "gcc"}
BINUTILS = {"aarch64": "aarch64-linux-gnu-", "x86_64": ""}
VERSIONS = tuple(SUITES)
MACHINES = tuple(COMPILERS)


@dataclass(frozen=True)
class Target:
    """One CPython of one machine."""

    version: str
    machine: str
    include: Path
    variables: Path
    """The folder of its `_sysconfigdata` module."""

    @property
    def tag(self) -> str:
        return "cp" + self.version.replace(".", "")

    def environment(self) -> dict[str, str]:
        """For setuptools on the host. CFLAGS restate what sysconfig's would have said."""
        compiler = COMPILERS[self.machine]
        return {
            "_PYTHON_HOST_PLATFORM": f"linux-{self.machine}",
            "_PYTHON_SYSCONFIGDATA_NAME": f"_sysconfigdata__{self.machine}-linux-gnu",
            "PYTHONPATH": str(self.variables),
            "CC": compiler,
            "LDSHARED": f"{compiler} -shared",
            "CPPFLAGS": f"-I{self.include}",
            "CFLAGS": "-DNDEBUG -g0 -fwrapv -Wall",
            "LDFLAGS": "-Wl,-z,relro,-z,now -Wl,-O1",
        }


def target(version: str, machine: str, work: Path) -> Target:
    """Fetched once into `work`. Raises DebianError."""
    home = (work / f"python{version}-{machine}").resolve()
    found = Target(version, machine, home / "include", home / "variables")
    if (home / "complete").exists():
        return found
    names = [f"libpython{version}-{part}" for part in ("dev", "minimal", "stdlib")]
    debs = Apt(home / "apt", SUITES[version], machine).debs(names, closure=False)
    root = unpack(debs, home / "root")
    triple = f"{machine}-linux-gnu"
    include = f"usr/include/python{version}"
    shutil.copytree(root / include, found.include, dirs_exist_ok=True)
    # Debian's pyconfig.h only includes the one of the architecture.
    shutil.copy2(
        root / f"usr/include/{triple}/python{version}/pyconfig.h", found.include / "pyconfig.h"
    )
    found.variables.mkdir(exist_ok=True)
    source = root / f"usr/lib/python{version}/_sysconfigdata__{triple}.py"
    text = source.read_text()
    text = text.replace(f"/{include}", str(found.include)).replace(f"-L/usr/lib/{triple}", "")
    # The host's own version would be taken for what is not among them.
    text += f"\nbuild_time_vars.update(py_version_nodot={version.replace('.', '')!r})\n"
    (found.variables / f"_sysconfigdata__{triple}.py").write_text(text)
    (home / "complete").touch()
    return found
