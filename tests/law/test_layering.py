"""The law of imports: a file imports only from lower ranks or its own package."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pihub"

RANKS = {
    "_core": 0,
    "domain": 1,
    "settings": 1,
    "errors": 1,
    "shared": 2,
    "protocols": 3,
    "upstream": 4,
    "store": 4,
    "gateway": 5,
    "security": 5,
    "webhooks": 5,
    "jobs": 5,
    "ops": 5,
    "insight": 5,
    "http": 6,
    "dashboard": 6,
    "app": 7,
    "dataplane": 7,
    "controlplane": 7,
    "compose": 7,
    "wsgi": 7,
    "cli": 7,
    "server": 7,
    "__main__": 8,
}
SIBLINGS_ALLOWED = {
    # rank 1 leaves: the error tree and the types are everybody's vocabulary
    ("domain", "errors"),
    ("settings", "errors"),
    ("settings", "domain"),
    # composition roots see each other
    ("cli", "app"),
    ("cli", "server"),
    ("app", "server"),
    ("app", "dataplane"),
    ("app", "controlplane"),
    ("dataplane", "app"),
    ("controlplane", "app"),
    ("dataplane", "compose"),
    ("controlplane", "compose"),
    ("app", "compose"),
    ("compose", "app"),
    ("compose", "server"),
    ("wsgi", "app"),
}
THIRD_PARTIES = {
    "gunicorn": {"server"},
    "meinheld": {"server"},
    "waitress": {"controlplane"},
    "falcon": {"http", "dashboard", "app"},
    "jinja2": {"dashboard"},
    "apsw": {"store"},
    "httptools": set(),
    "certifi": {"upstream"},
    "ujson": {"protocols", "http", "dashboard", "insight", "gateway", "cli"},
    "sqlite3": set(),
    "requests": set(),
    "httpx": set(),
}
IMPORT = re.compile(
    r"^\s*(?:from\s+([\w.]+)\s+c?import\b|c?import\s+([\w.]+))", re.MULTILINE
)


def package_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else path.stem


def imports_of(text: str) -> list[str]:
    return [a or b for a, b in IMPORT.findall(text)]


def violations(name: str, text: str) -> list[str]:
    """What a file of package `name` imports against the law."""
    found = []
    for module in imports_of(text):
        top = module.split(".")[0]
        if module == "pihub":
            continue
        if top != "pihub":
            allowed = THIRD_PARTIES.get(top)
            if allowed is not None and name not in allowed and name != "demo":
                found.append(f"third party {top}")
            continue
        target = module.split(".")[1]
        if target == name:
            continue
        if name == "demo" or (target == "demo" and name != "cli"):
            found.append(module)
            continue
        if target not in RANKS:
            found.append(f"{module} has no rank")
        elif (name, target) in SIBLINGS_ALLOWED:
            continue
        elif RANKS[target] >= RANKS[name]:
            found.append(module)
        elif target == "_core" and name != "shared":
            found.append(f"{module}: only shared/ imports _core")
    return found


SOURCES = sorted(
    p for ext in ("py", "pyx", "pxd", "pyi") for p in PACKAGE.rglob(f"*.{ext}")
)


def test_imports_go_downward() -> None:
    found = {}
    for path in SOURCES:
        name = package_of(path)
        if name == "__init__":
            continue
        assert name in RANKS or name == "demo", f"{name} has no rank"
        if wrong := violations(name, path.read_text()):
            found[str(path.relative_to(ROOT))] = wrong
    assert found == {}


def test_no_relative_imports() -> None:
    relative = re.compile(r"^\s*from\s+\.", re.MULTILINE)
    assert [str(p.relative_to(ROOT)) for p in SOURCES if relative.search(p.read_text())] == []


def test_the_law_has_teeth() -> None:
    assert violations("store", "from pihub.upstream.connector import x")
    assert violations("http", "from pihub._core.ring import Ring")
    assert violations("_core", "from pihub.errors cimport x")
    assert violations("gateway", "import falcon")
    assert violations("domain", "from pihub.shared.state import SharedState")
    assert violations("http", "import pihub.dashboard.pages")
    assert not violations("gateway", "from pihub.shared.state import SharedState")
    assert not violations("app", "from pihub.server.ports import Hub")
