"""Why a request was not answered from the cache, or its answer not kept.

One small number a record (shared/events.py), one word on the page, in the admin API and as a
label on /metrics. The numbers are counted in the arena: add, never give one a new meaning.
"""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class WhyNot(IntEnum):
    """0: nothing to say. 1 to 10: the cache was not asked. From 11 on: nothing was kept."""

    NONE = 0
    ASKED_OFF = 1
    """The client said `x-pihub-cache: off`."""
    TEMPERATURE_UNSET = 2
    """The request names no temperature: two answers to it may differ."""
    TEMPERATURE = 3
    """Its temperature is above `gateway.cache_temperature`."""
    BETA = 4
    """An `anthropic-beta` field, which may change the answer and is in no key."""
    FIELDS_UNKNOWN = 5
    """The body has fields that no key would hold."""
    METHOD = 6
    """An API was asked with a method that is never answered from the cache."""
    CONDITION = 7
    """A range, or a precondition that the origin must judge."""
    CLIENT_NO_STORE = 8
    """The client said `cache-control: no-store`."""
    SWITCHED_OFF = 9
    """The API's cache is off in the configuration."""
    PROMPT_FOUND = 10
    """The prompt holds what the key's or the model's policy looks for."""
    UNFINISHED = 11
    """The answer broke off, or the client left before its end."""
    FAILED = 12
    """There was no answer, but an error."""
    EMPTY = 13
    """The answer says nothing."""
    REFUSAL = 14
    """The model refused, or paused its turn."""
    TOO_LARGE = 15
    """Larger than the largest value that the cache takes."""
    BUSY = 16
    """Another process wrote to the same part of the cache just then."""
    SHORT_OF_MEMORY = 17
    """The cache has been made smaller while the machine's memory is short."""
    UPSTREAM_NO_STORE = 18
    """The upstream said no-store or private."""
    UPSTREAM_STATUS = 19
    """A status that a cache does not keep."""
    UPSTREAM_HEADERS = 20
    """A cookie, a `vary: *`, or an answer to credentials that is not said to be public."""
    NO_FRESHNESS = 21
    """The upstream did not say how long its answer is good, nor does the configuration."""

    @property
    def word(self) -> str:
        """`temperature-unset`, `upstream-no-store`, ..."""
        return self.name.lower().replace("_", "-")

    @property
    def asked(self) -> bool:
        """Whether the cache was asked, and had nothing."""
        return self >= WhyNot.UNFINISHED


BY_WORD = {
    "asked": WhyNot.ASKED_OFF,
    "temperature-unset": WhyNot.TEMPERATURE_UNSET,
    "temperature": WhyNot.TEMPERATURE,
    "beta": WhyNot.BETA,
    "fields-unknown": WhyNot.FIELDS_UNKNOWN,
    "prompt-found": WhyNot.PROMPT_FOUND,
    "empty": WhyNot.EMPTY,
    "refusal": WhyNot.REFUSAL,
    "pause_turn": WhyNot.REFUSAL,
    # of the generic APIs, as x-pihub-cache says them
    "off": WhyNot.SWITCHED_OFF,
    "method": WhyNot.METHOD,
    "range": WhyNot.CONDITION,
    "if-match": WhyNot.CONDITION,
    "if-unmodified-since": WhyNot.CONDITION,
    "if-range": WhyNot.CONDITION,
    "too large": WhyNot.TOO_LARGE,
    "private": WhyNot.UPSTREAM_NO_STORE,
    "authorization": WhyNot.UPSTREAM_HEADERS,
    "set-cookie": WhyNot.UPSTREAM_HEADERS,
    "vary *": WhyNot.UPSTREAM_HEADERS,
    "no freshness": WhyNot.NO_FRESHNESS,
}
"""The words behind `x-pihub-cache:` and what they count as."""


def api_reason(state: str, reason: str) -> WhyNot:
    """Of a generic API's answer: `state` and `reason` as its x-pihub-cache field has them."""
    if state == "BYPASS" and reason == "no-store":
        return WhyNot.CLIENT_NO_STORE
    if state != "BYPASS" and reason == "no-store":
        return WhyNot.UPSTREAM_NO_STORE
    if reason.startswith("status ") and state == "MISS":
        return WhyNot.UPSTREAM_STATUS
    return BY_WORD.get(reason, WhyNot.NONE) if state in ("MISS", "BYPASS") else WhyNot.NONE
