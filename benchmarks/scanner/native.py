"""Engines in C that are compared with where they are installed, through ctypes.

Debian: `libmodsecurity3 modsecurity-crs libhyperscan5`. libinjection has no package there: its C
sources as a shared library, named by PIHUB_BENCH_INJECTION.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import json
import os
from pathlib import Path
from urllib.parse import quote

from benchmarks.scanner.engines import PATTERNS, Engine, plain

CRS = Path("/usr/share/modsecurity-crs")
SETUP = Path("/etc/modsecurity/crs/crs-setup.conf")


class Missing(Exception):
    """The library is not on this machine."""


def library(name: str) -> ctypes.CDLL:
    """Raises Missing. A path in PIHUB_BENCH_<NAME> goes first."""
    found = os.environ.get(f"PIHUB_BENCH_{name.upper()}") or ctypes.util.find_library(name)
    if not found:
        raise Missing(name)
    try:
        return ctypes.CDLL(found)
    except OSError as error:
        raise Missing(str(error)) from error


class Libinjection:
    """libinjection_sqli or libinjection_xss says yes (libinjection.h)."""

    name = "libinjection"

    def __init__(self) -> None:
        self._lib = library("injection")

    def refuses(self, text: bytes, place: str, encoded: bool) -> bool:
        decoded = plain(text, encoded)
        mark = ctypes.create_string_buffer(16)
        size = ctypes.c_size_t(len(decoded))
        return bool(
            self._lib.libinjection_sqli(decoded, size, mark)
            or self._lib.libinjection_xss(decoded, size)
        )


MATCH = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_uint, ctypes.c_ulonglong, ctypes.c_ulonglong, ctypes.c_uint,
    ctypes.c_void_p,
)  # fmt: skip


class Hyperscan:
    """The fifteen patterns in one database, one pass (hs_compile.h, hs_runtime.h)."""

    name = "Hyperscan, 15"
    CASELESS_SINGLE = 1 | 8
    BLOCK = 1

    def __init__(self) -> None:
        self._lib = lib = library("hs")
        n = len(PATTERNS)
        self._db, self._scratch = ctypes.c_void_p(), ctypes.c_void_p()
        wrong = ctypes.c_void_p()
        flags = (ctypes.c_uint * n)(*[self.CASELESS_SINGLE] * n)
        ids = (ctypes.c_uint * n)(*range(n))
        texts = (ctypes.c_char_p * n)(*(p.encode() for p in PATTERNS))
        if lib.hs_compile_multi(
            texts, flags, ids, n, self.BLOCK, None, ctypes.byref(self._db), ctypes.byref(wrong)
        ) or lib.hs_alloc_scratch(self._db, ctypes.byref(self._scratch)):
            raise Missing("Hyperscan does not take the patterns")
        self._stop = MATCH(lambda *_: 1)

    def refuses(self, text: bytes, place: str, encoded: bool) -> bool:
        decoded = plain(text, encoded)
        code: int = self._lib.hs_scan(
            self._db, decoded, len(decoded), 0, self._scratch, self._stop, None
        )
        return code != 0


class Intervention(ctypes.Structure):
    _fields_ = (
        ("status", ctypes.c_int), ("pause", ctypes.c_int), ("url", ctypes.c_void_p),
        ("log", ctypes.c_void_p), ("disruptive", ctypes.c_int),
    )  # fmt: skip


class ModSecurity:
    """libmodsecurity 3 with the Core Rule Set as it is installed, paranoia level 1: the value in
    its place of an otherwise honest request (modsecurity/transaction.h)."""

    name = "ModSecurity+CRS"

    def __init__(self, crs: Path = CRS, setup: Path = SETUP) -> None:
        self._lib = lib = library("modsecurity")
        for maker in ("msc_init", "msc_create_rules_set", "msc_new_transaction"):
            getattr(lib, maker).restype = ctypes.c_void_p
        self._log = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(lambda *_: None)
        self._ms = ctypes.c_void_p(lib.msc_init())
        lib.msc_set_log_cb(self._ms, self._log)
        self._rules = ctypes.c_void_p(lib.msc_create_rules_set())
        # From modsecurity.conf-recommended: without it JSON is not looked into.
        first = (
            b"SecRuleEngine On\nSecRequestBodyAccess On\n"
            b'SecRule REQUEST_HEADERS:Content-Type "^application/json" '
            b'"id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"\n'
        )
        error = ctypes.c_char_p()
        if lib.msc_rules_add(self._rules, first, ctypes.byref(error)) < 0:
            raise Missing(f"ModSecurity: {error.value!r}")
        files = sorted((crs / "rules").glob("*.conf"))
        if not files or not setup.is_file():
            raise Missing(f"no rule set in {crs}")
        for file in (setup, *files):
            path = str(file).encode()
            if lib.msc_rules_add_file(self._rules, path, ctypes.byref(error)) < 0:
                raise Missing(f"{file.name}: {error.value!r}")

    def refuses(self, text: bytes, place: str, encoded: bool) -> bool:
        value = text if encoded else quote(text).encode()
        target = b"/?p=" + value
        headers = {b"Host": b"hub.example", b"User-Agent": b"Mozilla/5.0", b"Accept": b"*/*"}
        body = b""
        if place == "path":
            target = value if value.startswith(b"/") else b"/" + value
        elif place == "header":
            target, headers[b"Referer"] = b"/", text
        elif place in ("json", "prompt"):
            target = b"/v1"
            headers[b"Content-Type"] = b"application/json"
            body = json.dumps({"text": text.decode("utf-8", "replace")}).encode()
        elif place == "form":
            target, body = b"/", b"p=" + value
            headers[b"Content-Type"] = b"application/x-www-form-urlencoded"
        return self._judge(target, headers, body)

    def _judge(self, target: bytes, headers: dict[bytes, bytes], body: bytes) -> bool:
        lib = self._lib
        one = ctypes.c_void_p(lib.msc_new_transaction(self._ms, self._rules, None))
        try:
            lib.msc_process_connection(one, b"127.0.0.1", 1024, b"127.0.0.1", 80)
            lib.msc_process_uri(one, target, b"POST" if body else b"GET", b"1.1")
            for name, value in headers.items():
                lib.msc_add_n_request_header(
                    one, name, ctypes.c_size_t(len(name)), value, ctypes.c_size_t(len(value))
                )
            lib.msc_process_request_headers(one)
            lib.msc_append_request_body(one, body, ctypes.c_size_t(len(body)))
            lib.msc_process_request_body(one)
            said = Intervention(status=200)
            lib.msc_intervention(one, ctypes.byref(said))
            return bool(said.disruptive)
        finally:
            lib.msc_transaction_cleanup(one)


def installed() -> tuple[list[Engine], list[str]]:
    """Those that could be loaded, and why the others could not."""
    engines: list[Engine] = []
    missing: list[str] = []
    for kind in (Libinjection, Hyperscan, ModSecurity):
        try:
            with contextlib.redirect_stdout(None):
                engines.append(kind())
        except Missing as error:
            missing.append(f"{kind.name}: {error}")
    return engines, missing
