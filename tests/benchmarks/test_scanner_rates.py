"""The scanner's benchmark: its split never moves, its rates are what was asked, by the program."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.scanner.data import Record, environ, held, records
from benchmarks.scanner.engines import Hub, Regexes
from benchmarks.scanner.measure import balanced, fields, rates

ROOT = Path(__file__).parents[2]
ROWS = [
    ("1' or 1=1--", "sqli", "query"),
    ("<script>alert(1)</script>", "xss", "query"),
    ("../../../etc/passwd", "path", "query"),
    ("no attack at all", "sqli", "query"),
    ("blue shoes", "benign", "query"),
    ("' or 1=1--", "benign", "query"),
    ("Tell me about SELECT 1", "benign", "prompt"),
    ("a field", "benign", "json_field"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with (tmp_path / "httpparams.jsonl").open("w") as out:
        for text, label, where in ROWS:
            row = {"text": text, "label": label, "where": where, "enc": "raw"}
            print(json.dumps(row), file=out)
        request = "GET /a%20b?q=%3Cscript%3E HTTP/1.1\r\nHost: x\r\nContent-Type: text/x\r\n\r\n"
        whole = {"text": request, "label": "attack", "where": "request", "enc": "latin1-http"}
        print(json.dumps(whole), file=out)
    return tmp_path


def test_the_split_never_moves() -> None:
    kept = [text for text, _, _ in ROWS if held(text.encode())]
    assert kept == ["1' or 1=1--"]


def test_parts_are_the_whole(folder: Path) -> None:
    both = set(records(folder, "both"))
    dev, kept = set(records(folder, "dev")), set(records(folder, "held"))
    assert len(both) == len(ROWS) + 1
    assert dev | kept == both
    assert not dev & kept


def test_rates_count_errors_both_ways(folder: Path) -> None:
    values = [r for r in records(folder, "both") if r.place != "request"]
    found = rates(Hub(), values)
    assert (found["found sqli"].hits, found["found sqli"].of) == (1, 2)
    assert (found["false query"].hits, found["false query"].of) == (1, 2)
    assert found["false real web"].percent == 50.0
    assert balanced(found) is None
    assert rates(Regexes(), values)["found xss"].hits == 1


def test_notes_on_fields_are_those_of_the_hub_as_it_comes() -> None:
    """From three quarters of the threshold on, of honest JSON alone; nothing is refused."""
    texts = {
        b"a plain field": 0,
        b"accept: a\r\nlocation: /made-up": 30,
        b"<svg:use": 70,
        b"x' union all select name, secret from staff--": 100,
    }
    hub = Hub()
    assert {t: hub.points(t, "json", False) for t in texts} == texts
    values = [Record(text, "benign", "json", False, "made-up") for text in texts]
    values += [
        Record(b"<script>alert(1)</script>", "xss", "json", False, "made-up"),
        Record(b"<script>alert(1)</script>", "benign", "query", False, "made-up"),
    ]
    found = fields(hub, values)
    assert (found["noted json"].hits, found["noted json"].of) == (2, 4)
    assert (found["refused json"].hits, found["refused json"].of) == (0, 4)


def test_a_recorded_request_is_read_as_a_server_reads_it() -> None:
    raw = b"POST /a%2Fb?x=%27 HTTP/1.1\r\nX-Name: v\r\nContent-Type: text/plain\r\n\r\nbody"
    env, kind, body = environ(raw)
    assert env == {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/a/b", "QUERY_STRING": "x=%27", "HTTP_X_NAME": "v",
    }  # fmt: skip
    assert (kind, body) == ("text/plain", b"body")


@pytest.mark.slow
def test_the_program(folder: Path) -> None:
    out = folder / "out.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scanner", "--data", folder, "--part", "both",
         "--only", "--json", out],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    figures = json.loads(out.read_text())
    assert figures["pihub"]["rates"]["found path"]["percent"] == 100.0
    assert figures["requests"]["found by default"]["hits"] == 1
    assert figures["fields"]["noted json"] == {"percent": 0.0, "hits": 0, "of": 1}
    assert "noted json " in done.stdout
    assert "nothing but" in done.stdout
    missing = subprocess.run(
        [sys.executable, "-m", "benchmarks.scanner", "--data", folder / "none"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert missing.returncode == 2
    assert "no *.jsonl" in missing.stderr
