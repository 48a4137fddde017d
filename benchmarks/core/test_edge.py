"""What does a hit cost in process, beside a bare Falcon resource? 259 B in, 936 B out."""

from __future__ import annotations

import ctypes
import io
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import falcon

from benchmarks.core.question import Answer, Target, least
from pihub._core.edge import pack_wire, wire_key
from pihub._core.scanner import Gate, Scanner
from pihub.security.scanner.keywords import load
from pihub.shared.edge import build_edge
from pihub.shared.state import Plan, SharedState

HERE = Path(__file__).resolve().parent
INCLUDE = HERE.parents[1] / "pihub" / "_core" / "include"
CALLS = 500
TOKEN = "ph_0123456789abcdef0123456789abcdef"
PATH = "/v1/chat/completions"
BODY = b'{"model":"m","messages":[{"role":"user","content":"' + b"q" * 204 + b'"}]}'
OUT = b"a" * 936
FIELDS = {
    "User-Agent": "OpenAI/Python 2.8.0",
    "Authorization": f"Bearer {TOKEN}",
    "Content-Type": "application/json",
    "Accept": "application/json",
}
CODES = ("bad_request", "invalid_api_key", "rate_limited", "request_too_large", "starting")
KEY, TENANT, SLOT = 5, 7, 1


def gate() -> Gate:
    """Scanner and edge as a worker has them, with the one answer in the cache."""
    state = SharedState.create(Plan(1, 1 << 20))
    secret = state.arena.secret
    state.arena.claim_slot(SLOT, os.getpid())
    state.process_began(SLOT)
    state.keys.set_pepper(bytes(range(16)))
    state.keys.put(state.keys.hash(TOKEN.encode()), KEY, TENANT, 0, 0)
    state.keys.publish()
    state.limits.configure(KEY, 1, 1 << 40)
    refusals = {(0, code): ("400 Bad Request", [], b"", None) for code in CODES}
    edge = build_edge(lambda env, start: [], state, SLOT, 1, {PATH: 1}, refusals, 1 << 20)
    packed = pack_wire(
        200, b"application/json", [(b"x-pihub-route", b"a/b"), (b"x-pihub-model", b"m")], OUT,
        model=1, upstream=1, alias=1, stream=False, saved_nano=1, in_tok=1, out_tok=1,
    )  # fmt: skip
    assert state.cache.put(*wire_key(secret, 1, 1, BODY), TENANT, packed, 3600)
    return Gate(edge, Scanner(load(), secret), lambda *_: None)


def bare() -> Any:
    class Resource:
        def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
            resp.data = OUT
            resp.content_type = "application/json"

    app = falcon.App()
    app.add_route(PATH, Resource())
    return app


def environ() -> dict[str, Any]:
    fields = {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in FIELDS.items()}
    del fields["HTTP_CONTENT_TYPE"]
    return {
        "REQUEST_METHOD": "POST", "PATH_INFO": PATH, "QUERY_STRING": "", "SCRIPT_NAME": "",
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8080", "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http", "wsgi.errors": io.StringIO(), "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(BODY)), "HTTP_HOST": "127.0.0.1:8080", **fields,
    }  # fmt: skip


def by_wsgi(app: Any) -> Callable[[], None]:
    base = environ()

    def run() -> None:
        for _ in range(CALLS):
            env = base.copy()
            env["wsgi.input"] = io.BytesIO(BODY)
            app(env, _start)

    return run


def _start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
    """As the server's own, which takes both and does nothing yet."""


def harness() -> None:
    """What a call costs that is no application's."""
    base = environ()
    for _ in range(CALLS):
        env = base.copy()
        env["wsgi.input"] = io.BytesIO(BODY)
        _start("", [])


def directly(app: Gate, folder: Path) -> Callable[[], None]:
    library = folder / "hit.so"
    words = os.environ.get("CC", "cc").split()
    flags = ["-O2", "-shared", "-fPIC", f"-I{INCLUDE}"]
    subprocess.run([*words, *flags, str(HERE / "hit.c"), "-o", str(library)], check=True)
    ask = ctypes.PyDLL(str(library)).ask_many
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    capsule = app.direct
    texts = [part.encode() for field in FIELDS.items() for part in field]
    fields = (ctypes.c_char_p * len(texts))(*texts)
    lengths = (ctypes.c_size_t * len(texts))(*map(len, texts))
    path = PATH.encode()
    args = (
        ctypes.c_void_p(pointer(capsule, b"pihub.direct.1")), path, ctypes.c_size_t(len(path)),
        fields, lengths, ctypes.c_size_t(len(FIELDS)), BODY, ctypes.c_size_t(len(BODY)),
        ctypes.c_long(CALLS),
    )  # fmt: skip

    def run() -> None:
        assert ask(*args) == CALLS, f"{app} has not answered all"  # `args` points into it

    return run


def measure(rounds: int) -> Answer:
    assert (len(BODY), len(OUT)) == (259, 936)
    app = gate()
    with tempfile.TemporaryDirectory() as folder:
        runs = {
            "falcon": by_wsgi(bare()), "pihub, WSGI": by_wsgi(app), "harness": harness,
            "pihub": directly(app, Path(folder)),
        }  # fmt: skip
        row = least(runs, CALLS, rounds * 40, clock=time.process_time_ns)
    empty = row.pop("harness")
    row["falcon"] -= empty
    row["pihub, WSGI"] -= empty
    return Answer(
        str(__doc__),
        rows={"a hit in process": row},
        targets=[
            Target("bare Falcon resource, x a hit", row["falcon"] / row["pihub"], 9, least=True),
            Target("bare Falcon resource, x a hit by WSGI", row["falcon"] / row["pihub, WSGI"], 9,
                   least=True),
        ],
    )  # fmt: skip


def test_direct(benchmark: Any, tmp_path: Path) -> None:
    benchmark.group = f"{CALLS} requests in process"
    benchmark.pedantic(directly(gate(), tmp_path), rounds=10, warmup_rounds=1)


def test_wsgi(benchmark: Any) -> None:
    benchmark.group = f"{CALLS} requests in process"
    benchmark.pedantic(by_wsgi(gate()), rounds=10, warmup_rounds=1)


def test_falcon(benchmark: Any) -> None:
    benchmark.group = f"{CALLS} requests in process"
    benchmark.pedantic(by_wsgi(bare()), rounds=10, warmup_rounds=1)
