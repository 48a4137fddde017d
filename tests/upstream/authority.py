"""A certificate authority of our own, made with the openssl command."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path


class Authority:
    """Signs server certificates for tests; `ca_file` is what clients trust."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self.ca_file = str(folder / f"{name}.crt")
        self._key = str(folder / f"{name}.key")
        _openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", self._key, "-out", self.ca_file, "-days", "2", "-subj", f"/CN={name}",
        )  # fmt: skip

    def server(
        self, host: str, *, expired: bool = False, newest: ssl.TLSVersion | None = None
    ) -> ssl.SSLContext:
        """A server's context with a certificate for `host` (a name or an address)."""
        stem = self._folder / f"{self._name}-{host}-{expired}"
        request, crt, key = (str(stem) + end for end in (".csr", ".crt", ".key"))
        kind = "IP" if host[0].isdigit() else "DNS"
        extensions = self._folder / f"{stem.name}.ext"
        extensions.write_text(f"subjectAltName={kind}:{host}\n")
        _openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", key, "-out", request, "-subj", f"/CN={host}",
        )  # fmt: skip
        _openssl(
            "x509", "-req", "-in", request, "-CA", self.ca_file, "-CAkey", self._key,
            "-CAcreateserial", "-out", crt, "-days", "-1" if expired else "2",
            "-extfile", str(extensions),
        )  # fmt: skip
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(crt, key)
        if newest is not None:
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = newest
            context.set_ciphers("ALL:@SECLEVEL=0")
        return context


def _openssl(*args: str) -> None:
    done = subprocess.run(["openssl", *args], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
