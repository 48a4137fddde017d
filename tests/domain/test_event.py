"""Reasons: numbers that are stored for ever, words that people read."""

from __future__ import annotations

from pihub.domain.event import Reason, fallback_reason, reason_word
from pihub.errors import BreakerOpen, UpstreamBusy, UpstreamError, UpstreamTimeout, all_errors


def test_numbers_fit_a_byte_and_words_are_unique() -> None:
    assert all(0 <= reason < 256 for reason in Reason)
    assert len({reason.word for reason in Reason}) == len(Reason)
    assert Reason.FALLBACK_TIMEOUT.word == "fallback-timeout"
    assert reason_word(10) == "cache-exact"
    assert reason_word(250) == "reason-250"


def test_stored_numbers_keep_their_meaning() -> None:
    assert Reason.FIRST_CHOICE == 1
    assert Reason.FALLBACK_TIMEOUT == 3
    assert Reason.CACHE_CANONICAL == 11
    assert Reason.UNSUPPORTED_BY_FIRST == 20


def test_every_upstream_error_has_a_fallback_reason() -> None:
    for cls in all_errors():
        if issubclass(cls, UpstreamError):
            error = cls("x", timer="idle") if cls is UpstreamTimeout else cls("x")
            assert fallback_reason(error).name.startswith("FALLBACK_")
    assert fallback_reason(BreakerOpen("x")) is Reason.FALLBACK_BREAKER
    assert fallback_reason(UpstreamBusy("x")) is Reason.FALLBACK_BUSY
    assert fallback_reason(UpstreamError("x")) is Reason.FALLBACK_ERROR
