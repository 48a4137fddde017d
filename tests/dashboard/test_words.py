"""Numbers become the words that people expect."""

from __future__ import annotations

from typing import Any

import pytest

from pihub.dashboard import words


@pytest.mark.parametrize(
    ("say", "value", "text"),
    [
        (words.count, 0, "0"),
        (words.count, 9_999, "9,999"),
        (words.count, 10_000, "10.0k"),
        (words.count, 123_456, "123k"),
        (words.count, 999_499, "999k"),
        (words.count, 999_600, "1.0M"),
        (words.count, 5_000_000_000_000, "5,000B"),
        (words.rate, 0.0, "0"),
        (words.rate, 0.04, "<0.1"),
        (words.rate, 9.94, "9.9"),
        (words.rate, 142.6, "143"),
        (words.milliseconds, None, "–"),
        (words.milliseconds, 0, "–"),
        (words.milliseconds, 0.0004, "1 µs"),
        (words.milliseconds, 0.038, "38 µs"),
        (words.milliseconds, 0.9996, "1.0 ms"),
        (words.milliseconds, 9.96, "10 ms"),
        (words.milliseconds, 999.6, "1.0 s"),
        (words.milliseconds, 12_300, "12 s"),
        (words.milliseconds, 180_000, "3 min"),
        (words.money, None, "–"),
        (words.money, 0, "$0"),
        (words.money, 1e-9, "<$0.000001"),
        (words.money, 0.0000012, "$0.0000012"),
        (words.money, 0.000042, "$0.000042"),
        (words.money, 0.0042, "$0.0042"),
        (words.money, 0.1234, "$0.123"),
        (words.money, 12.345, "$12.35"),
        (words.money, 1234.5, "$1,234"),
        (words.percent, None, "–"),
        (words.percent, 0, "0 %"),
        (words.percent, 0.0001, "<0.1 %"),
        (words.percent, 0.9951, "99.5 %"),
        (words.percent, 0.99999, "99.9 %"),
        (words.percent, 1, "100 %"),
        (words.size, None, "–"),
        (words.size, 999, "999 B"),
        (words.size, 41_208, "41 kB"),
        (words.size, 1_200_000_000, "1.2 GB"),
        (words.age, 59.9, "59 s"),
        (words.age, 3_599, "59 min"),
        (words.age, 7_500, "2 h 05 min"),
        (words.age, 100_000, "1 d 3 h"),
    ],
)
def test_a_number_becomes_a_word(say: Any, value: float | None, text: str) -> None:
    assert say(value) == text


LINUX = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("agent", "told"),
    [
        (f"{LINUX} Chrome/156.0.0.0 Safari/537.36", "Chrome 156 on Linux"),
        (f"{LINUX} Chrome/156.0.0.0 Safari/537.36 Edg/155.1", "Edge 155 on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0",
         "Firefox 140 on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML,"
         " like Gecko) Version/18.5 Mobile/15E148 Safari/604.1", "Safari 18 on iPhone"),
        ("curl/8.14.1", "curl/8.14.1"),
        ("x" * 99, "x" * 40),
        ("", "–"),
    ],
)  # fmt: skip
def test_a_browser_is_told_by_its_name(agent: str, told: str) -> None:
    assert words.browser(agent) == told


def test_one_and_many() -> None:
    assert words.many(1, "request") == "1 request"
    assert words.many(2, "request") == "2 requests"
    assert words.many(0, "entry", "entries") == "0 entries"


@pytest.mark.parametrize(
    "text, html",
    [
        ("upstreams.ollama.timers", "upstreams.<wbr>ollama.<wbr>timers"),
        ("contact.propertyChange", "contact.<wbr>property<wbr>Change"),
        ("of 1.1 GB (machine.write_budget)", "of 1.1 GB (machine.<wbr>write_<wbr>budget)"),
        ("ollama/llama3.2:3b-instruct", "ollama/<wbr>llama3.2:3b-<wbr>instruct"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
    ],
)
def test_long_names_break_behind_a_joint_and_stay_text(text: str, html: str) -> None:
    assert str(words.soft(text)) == html
    assert "<" not in str(words.soft(text)).replace("<wbr>", "")
