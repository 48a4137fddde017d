"""Labelled values and whole requests, and the split that says which of them may be looked at.

A record: `text`; `label` ("benign", or the class of attack); `where` (query, path, header,
json_field, prompt, request); `enc` ("url": as it stood in a URL, "raw", "latin1-http": a whole
request). The keyed hash of the text decides which part a value belongs to, so it is in the same one
in every run, whatever else the folder holds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

SEED = b"pihub.scanner.1"
PARTS = ("dev", "held", "both")
PLACES = {"json_field": "json", "prompt": "prompt"}
WEAK = "crs_neg_weak"
"""Near misses of one rule that others may well refuse: never scored."""


@dataclass(frozen=True, slots=True)
class Record:
    text: bytes
    label: str
    place: str
    encoded: bool
    source: str
    """The file's name."""
    strict: bool = False
    """A test of a rule that its own rule set has off by default (paranoia level 2 to 4)."""

    @property
    def attack(self) -> bool:
        return self.label != "benign"


def held(text: bytes) -> bool:
    """Whether a value belongs to the eighth that almost no rule was made on.

    It was a half at first, then a quarter: a part was opened when the others taught nothing new,
    and so was this one at last (what its misses were: docs/benchmarks.md). A further choice
    between rules needs other data.
    """
    return hashlib.blake2b(text, digest_size=1, key=SEED).digest()[0] & 7 == 7


def records(folder: Path, part: str = "dev") -> Iterator[Record]:
    """Raises OSError, ValueError (a line that is no record)."""
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise FileNotFoundError(f"no *.jsonl in {folder}")
    for file in files:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    row = json.loads(line)
                    whole = row["enc"] == "latin1-http"
                    text = row["text"].encode("latin-1" if whole else "utf-8", "surrogatepass")
                    place = PLACES.get(row["where"], row["where"])
                    strict = row.get("pl", 1) > 1
                    record = Record(
                        text, row["label"], place, row["enc"] == "url", file.stem, strict
                    )
                except (KeyError, AttributeError) as error:
                    raise ValueError(f"{file.name}:{number}: no record: {error!r}") from error
                if record.label != WEAK and part in ("both", "held" if held(text) else "dev"):
                    yield record


def environ(raw: bytes) -> tuple[dict[str, object], str, bytes]:
    """A recorded HTTP/1 request as a WSGI environ, its content type and its body."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    method, _, target = first.partition(" ")
    target = target.rpartition(" ")[0] or target
    path, _, query = target.partition("?")
    env: dict[str, object] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": percent(path),
        "QUERY_STRING": query,
    }
    kind = ""
    for line in rest:
        name, _, value = line.partition(":")
        if name.lower() == "content-type":
            kind = value.strip()
        elif name:
            env["HTTP_" + name.strip().upper().replace("-", "_")] = value.strip()
    return env, kind, body


def percent(path: str) -> str:
    """As the server decodes a path: one round, bytes as latin-1."""
    return unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
