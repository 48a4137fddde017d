"""Which share of honest sentences about technology is refused as text of a query or form.

    python -m benchmarks.scanner.prose [--missed SOURCE]

Read from this machine's own documents: changelogs, manuals, docstrings of Python's library and of
the packages installed beside us, front pages of those packages. Each sentence stands alone, as a
comment or a search would carry it; the choice among many is by hash, the same in every run. A
sentence begins with a capital, ends with a full stop and holds what it may of code; samples of
sessions and listings are none.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import hashlib
import re
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from benchmarks.scanner.engines import DEFAULTS, Hub

MOST = 20_000
"""Sentences of a source."""
FILES = 3_000
END = re.compile(r"(?<=[.!?:])\s+(?=[A-Z`'\"(*-])")
ROFF = re.compile(r"\\f(?:\[\w*\]|\(..|.)|\\[&/,|^]|\\s[-+]?\d")
ROFF_MARKS = (
    ("\\*(C`", "`"),
    ("\\*(C'", "'"),
    ('\\*(L"', '"'),
    ('\\*(R"', '"'),
    ("\\*(Aq", "'"),
    ("\\-", "-"),
    ("\\(aq", "'"),
    ("\\(dq", '"'),
    ("\\e", "\\"),
    ("\\(co", "(c)"),
    ("\\ ", " "),
)
ROFF_FONT = re.compile(r"\.(?:B|I|BR|IR|RB|BI|RI|IB|SM|Nm|Fl|Ar|Pa|Cm) (.*)")


def some(found: Iterable[str], most: int) -> list[str]:
    keyed = ((hashlib.blake2b(s.encode(), digest_size=8).digest(), s) for s in found)
    return [s for _, s in sorted(keyed)[:most]]


def sentences(text: str) -> Iterator[str]:
    """Unwrapped, one at a time; what is shorter than five words is none, nor is a listing."""
    for paragraph in re.split(r"\n\s*\n|\n\s*(?=[*+-] )", text):
        joined = " ".join(paragraph.split()).lstrip("*+- ")
        for sentence in END.split(joined):
            if (
                len(sentence.split()) >= 5 and len(sentence) <= 600 and ">>>" not in sentence
                and sentence[0].isupper() and sentence[-1] in ".!?"
            ):  # fmt: skip
                yield sentence


def read(file: Path) -> str:
    try:
        data = file.read_bytes()
        return (gzip.decompress(data) if file.suffix == ".gz" else data).decode("utf-8", "replace")
    except OSError:
        return ""


def changelogs() -> Iterator[str]:
    for file in some((str(f) for f in Path("/usr/share/doc").glob("*/*hange*")), FILES):
        yield from sentences(read(Path(file)))


def manual(text: str) -> str:
    lines: list[str] = []
    for line in text.splitlines():
        font = ROFF_FONT.match(line)
        if font:
            lines.append(font[1])
        elif not line.startswith((".", "'")):
            lines.append(line)
        else:
            lines.append("")
    plain = ROFF.sub("", "\n".join(lines))
    for mark, is_ in ROFF_MARKS:
        plain = plain.replace(mark, is_)
    return plain


def manuals() -> Iterator[str]:
    for file in some((str(f) for f in Path("/usr/share/man").glob("man[1-8]/*")), FILES):
        yield from sentences(manual(read(Path(file))))


def docstrings(folder: Path, pattern: str) -> Iterator[str]:
    for file in some((str(f) for f in folder.glob(pattern)), FILES):
        try:
            tree = ast.parse(read(Path(file)))
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield from sentences(ast.get_docstring(node) or "")


def front_pages() -> Iterator[str]:
    """Long descriptions of the installed packages: prose and code, mixed."""
    for file in Path(sysconfig.get_path("purelib")).glob("*.dist-info/METADATA"):
        yield from sentences(read(file).partition("\n\n")[2])


def readmes() -> Iterator[str]:
    for file in some((str(f) for f in Path("/usr/share/doc").glob("*/README*")), FILES):
        yield from sentences(read(Path(file)))


SOURCES: dict[str, Callable[[], Iterable[str]]] = {
    "changelogs": changelogs,
    "manuals": manuals,
    "docstrings of Python": lambda: docstrings(Path(sysconfig.get_path("stdlib")), "**/*.py"),
    "docstrings of packages": lambda: docstrings(Path(sysconfig.get_path("purelib")), "**/*.py"),
    "front pages": front_pages,
    "readmes": readmes,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scanner.prose", description=__doc__)
    parser.add_argument("--missed", choices=SOURCES, help="list what is refused of one source")
    args = parser.parse_args()
    hub = Hub()
    for name, source in SOURCES.items():
        if args.missed and args.missed != name:
            continue
        chosen = some(set(source()), MOST)
        refused = noted = 0
        for sentence in chosen:
            found = hub.core.value(sentence.encode(), "form", False)
            at = 0 if found is None else found[0]
            noted += at >= DEFAULTS.block_at * 3 // 4
            if at >= DEFAULTS.block_at:
                refused += 1
                if args.missed:
                    print(found[:3] if found else (), sentence, sep="\t")
        share = 100 / max(len(chosen), 1)
        print(
            f"{name:<24}{len(chosen):>7} sentences, refused {refused * share:6.3f} %, "
            f"noted {noted * share:6.3f} %"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
