"""What every answer of the control plane tells a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.http.control_parts import Control


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    found = Control(tmp_path_factory.mktemp("headers"))
    yield found
    found.finish()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/admin/api/v1/keys"),
        ("GET", "/admin/api/v1/nothing"),
        ("POST", "/admin/api/v1/keys"),
        ("GET", "/admin/api/openapi.json"),
        ("GET", "/dashboard"),
        ("GET", "/dashboard/login"),
        ("GET", "/dashboard/nothing"),
    ],
)
def test_every_answer_has_them(control: Control, method: str, path: str) -> None:
    _, headers, _ = control.call(method, path)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["x-security-level"] == "home"
    assert "camera=()" in headers["permissions-policy"]
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "*" not in policy
    assert headers["content-type"].split(";")[0] in (
        "application/json", "application/problem+json", "text/html",
    )  # fmt: skip


def test_https_is_kept(control: Control) -> None:
    _, headers, _ = control.call(
        "GET", "/dashboard/login", x_pihub_forwarded="127.0.0.1", x_pihub_scheme="https"
    )
    assert headers["strict-transport-security"].startswith("max-age=31536000")
    assert "strict-transport-security" not in control.call("GET", "/dashboard/login")[1]
