"""TLS by the hub's own server and by Caddy in front; production refuses what is weak."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from pihub.server.application import modern
from tests.system.hub import HubProcess, Upstreams, free_port


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    return cert, key


class TlsHub(HubProcess):
    """Its own probes speak TLS, too."""

    def wait_ready(self, seconds: float = 40.0) -> None:
        end = time.monotonic() + seconds
        while "is ready" not in self.log:
            assert self.process is not None
            assert self.process.poll() is None, self.log
            assert time.monotonic() < end, self.log
            time.sleep(0.1)


def test_the_server_speaks_tls_itself(
    certificate: tuple[Path, Path], upstreams: Upstreams, tmp_path: Path
) -> None:
    cert, key = certificate
    env = {"PIHUB_SERVER__TLS_CERT": str(cert), "PIHUB_SERVER__TLS_KEY": str(key)}
    with TlsHub(tmp_path, upstreams, engine="gthread", workers=1, env=env) as hub:
        trusted = ssl.create_default_context(cafile=str(cert))
        url = f"https://localhost:{hub.port}/healthz"
        with urllib.request.urlopen(url, timeout=20, context=trusted) as answer:
            assert answer.status == 200
            assert answer.headers["strict-transport-security"].startswith("max-age=")
        with pytest.raises(OSError, match="certificate verify failed"):
            urllib.request.urlopen(url, timeout=20, context=ssl.create_default_context())
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(OSError):
            urllib.request.urlopen(url, timeout=20, context=old)


def test_no_version_before_1_2_is_spoken() -> None:
    """Whatever OpenSSL's own settings on this machine forbid."""
    lax = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    lax.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context = modern(None, lambda: lax)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_meinheld_says_what_to_use(
    certificate: tuple[Path, Path], upstreams: Upstreams, tmp_path: Path
) -> None:
    cert, key = certificate
    env = {"PIHUB_SERVER__TLS_CERT": str(cert), "PIHUB_SERVER__TLS_KEY": str(key)}
    hub = HubProcess(tmp_path, upstreams, env=env)
    hub.write_config()
    done = hub.pihub("check", check=False)
    assert done.returncode != 0
    assert 'set server.engine = "gthread"' in done.stdout + done.stderr
    assert "pihub edge caddy" in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("caddy") is None and "CI" not in os.environ,
    reason="caddy is not installed (apt-get install caddy); in CI it must be",
)
def test_caddy_takes_the_configuration_that_the_hub_writes(
    upstreams: Upstreams, tmp_path: Path
) -> None:
    port, plain = free_port(), free_port()
    env = {
        "PIHUB_SERVER__PUBLIC_URL": f"https://localhost:{port}",
        "PIHUB_ACCESS__TRUSTED_PROXIES": '["127.0.0.1"]',
    }
    with HubProcess(tmp_path, upstreams, workers=1, env=env) as hub:
        written = hub.pihub("edge", "caddy").stdout
        here = tmp_path / "Caddyfile"
        # Only what a test needs: no administration port, no port 80.
        alone = f"{{\n\tadmin off\n\thttp_port {plain}\n\tskip_install_trust\n}}\n"
        here.write_text(alone + written)
        home = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}
        command = ["caddy", "run", "--config", str(here), "--adapter", "caddyfile"]
        with (tmp_path / "caddy.log").open("wb") as log:
            proxy = subprocess.Popen(command, stdout=log, stderr=log, env=home)
        try:
            root = tmp_path / "data" / "caddy" / "pki" / "authorities" / "local" / "root.crt"
            end = time.monotonic() + 40
            while True:
                try:
                    trusted = ssl.create_default_context(cafile=str(root))
                    ask = urllib.request.Request(
                        f"https://localhost:{port}/v1/models",
                        headers={"authorization": f"Bearer {hub.key}"},
                    )
                    with urllib.request.urlopen(ask, timeout=10, context=trusted) as answer:
                        break
                except OSError:
                    told = (tmp_path / "caddy.log").read_text()
                    assert proxy.poll() is None and time.monotonic() < end, told
                    time.sleep(0.2)
            assert answer.status == 200
            assert answer.headers.get_all("strict-transport-security") == ["max-age=31536000"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["server"] is None
        finally:
            proxy.terminate()
            proxy.wait(10)


def test_production_refuses_to_start_below_grade_b(upstreams: Upstreams, tmp_path: Path) -> None:
    weak = {"PIHUB_ACCESS__MODE": "production", "PIHUB_SERVER__LISTEN": f"0.0.0.0:{free_port()}"}
    hub = HubProcess(tmp_path, upstreams, env=weak)
    hub.write_config()
    done = subprocess.run(
        [sys.executable, "-m", "pihub", "serve", "--config", str(hub.config)],
        capture_output=True, text=True, timeout=60, env={**os.environ, **weak},
    )  # fmt: skip
    assert done.returncode != 0
    told = done.stdout + done.stderr
    assert 'access.mode = "production" needs grade B, this is' in told
    assert "plain HTTP beyond this machine" in told and "pihub edge caddy" in told
    assert "Traceback" not in told
    graded = hub.pihub("check", "--security", check=False)
    assert graded.returncode != 0 and "Grade" in graded.stdout
