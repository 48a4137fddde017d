"""The rules, by table: caching (RFC 9111, 5861), headers and paths (RFC 9110)."""

from __future__ import annotations

import pytest

from pihub.errors import BadRequest, UpstreamIncomplete, UpstreamTimeout, UpstreamUnreachable
from pihub.gateway.api import conditional, retry
from pihub.gateway.api.cache_rules import (
    Plan,
    Use,
    may_be_looked_up,
    plan,
    usable,
    usable_on_error,
    vary_names,
)
from pihub.gateway.api.directives import Directives
from pihub.gateway.api.headers import lowered, relocated, to_client, to_upstream
from pihub.gateway.api.http_date import format_date, parse_date
from pihub.gateway.api.uri import safe_path, safe_query
from tests.gateway.api_parts import DATE, NOW


def fields(text: str) -> list[tuple[str, str]]:
    return [(n.strip(), v.strip()) for n, _, v in (x.partition(":") for x in text.split("|") if x)]


def test_refusals_have_a_time_of_their_own() -> None:
    for status in (404, 410):
        found = planned("", status=status, negative_ttl=20.0, default_ttl=60.0,
                        stale_if_error=50.0, stale_while_revalidate=50.0)  # fmt: skip
        assert isinstance(found, Plan)
        assert (found.lifetime, found.stale_if_error, found.stale_while_revalidate) == (20, 0, 0)
        said = planned("cache-control: max-age=5", status=status, negative_ttl=20.0)
        assert isinstance(said, Plan) and said.lifetime == 5, "the upstream's word counts more"
        assert planned("cache-control: no-store", status=status, negative_ttl=20.0) == "no-store"
        assert planned("", status=status, negative_ttl=20.0, authorized=True) == "authorization"
    for status in (200, 301, 405):
        assert planned("", status=status, negative_ttl=20.0) == "no freshness"
    for status in (400, 401, 403, 429, 500, 503):
        assert isinstance(planned("", status=status, negative_ttl=20.0), str)


def planned(text: str, **more: object) -> Plan | str:
    given: dict[str, object] = {
        "now": NOW,
        "delay": 0.0,
        "default_ttl": 0.0,
        "stale_if_error": 0.0,
        "authorized": False,
        **more,
    }
    status = given.pop("status", 200)
    return plan(status, fields(text), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "more", "lifetime", "age"),
    [
        ("cache-control: max-age=60", {}, 60, 0),
        ("cache-control: MAX-AGE=60", {}, 60, 0),
        ('cache-control: max-age="60"', {}, 60, 0),
        ("cache-control: max-age=60|age: 20", {}, 60, 20),
        ("cache-control: max-age=60|age: 20", {"delay": 3.0}, 60, 23),
        ("cache-control: max-age=60|age: 20, 30", {}, 60, 20),
        ("cache-control: max-age=60|age: -5", {}, 60, 0),
        ("cache-control: max-age=60, s-maxage=10", {}, 10, 0),
        ("cache-control: s-maxage=10, max-age=60", {}, 10, 0),
        ("cache-control: max-age=60|cache-control: max-age=99", {}, 60, 0),
        ("cache-control: max-age=60|expires: Sun, 06 Nov 1994 09:49:37 GMT", {}, 60, 0),
        (f"date: {DATE}|expires: Sun, 06 Nov 1994 09:49:37 GMT", {}, 3600, 0),
        (f"date: {DATE}|expires: Sunday, 06-Nov-94 09:49:37 GMT", {}, 3600, 0),
        (f"date: {DATE}|expires: Sun Nov  6 09:49:37 1994", {}, 3600, 0),
        ("expires: Sun, 06 Nov 1994 09:49:37 GMT", {}, 3600, 0),
        ("cache-control: max-age=60|date: Sun, 06 Nov 1994 08:49:27 GMT", {}, 60, 10),
        # A date ahead of the hub's clock says nothing about age.
        ("cache-control: max-age=60|date: Sun, 06 Nov 1994 10:00:00 GMT", {}, 60, 0),
        ("", {"default_ttl": 30.0}, 30, 0),
        ("cache-control: max-age=10", {"default_ttl": 30.0}, 10, 0),
        ("cache-control: max-age=99999999999999", {}, 2**31, 0),
        ("cache-control: max-age=60", {"status": 404}, 60, 0),
        ("cache-control: max-age=60", {"status": 302}, 60, 0),
        ("cache-control: public, max-age=60", {"authorized": True}, 60, 0),
        ("cache-control: must-revalidate, max-age=60", {"authorized": True}, 60, 0),
        ("cache-control: s-maxage=60", {"authorized": True}, 60, 0),
        ("cache-control: no-store, must-understand, max-age=60", {}, 60, 0),
        ("cache-control: max-age=60, community=\"a, no-store\"", {}, 60, 0),
    ],
)
def test_what_is_stored_and_for_how_long(
    text: str, more: dict[str, object], lifetime: float, age: float
) -> None:
    got = planned(text, **more)
    assert isinstance(got, Plan), got
    assert (got.lifetime, got.age) == (lifetime, age)


@pytest.mark.parametrize(
    ("text", "more", "reason"),
    [
        ("", {}, "no freshness"),
        ("cache-control: no-store, max-age=60", {}, "no-store"),
        ("cache-control: private, max-age=60", {}, "private"),
        ('cache-control: private="x-a", max-age=60', {}, "private"),
        ("cache-control: max-age=60", {"authorized": True}, "authorization"),
        ("cache-control: max-age=60|set-cookie: a=b", {}, "set-cookie"),
        ("cache-control: max-age=60|vary: *", {}, "vary *"),
        ("cache-control: max-age=60|vary: accept, *", {}, "vary *"),
        ("cache-control: max-age=60", {"status": 206}, "status 206"),
        ("cache-control: max-age=60", {"status": 500}, "status 500"),
        ("cache-control: max-age=60", {"status": 304}, "status 304"),
        ("cache-control: max-age=60", {"status": 299}, "status 299"),
        ("", {"status": 302, "default_ttl": 30.0}, "no freshness"),
        ("expires: 0", {"default_ttl": 30.0}, "no freshness"),
        ("expires: Sun, 06 Nov 1994 08:49:37 GMT", {}, "no freshness"),
        ("cache-control: max-age=0", {"default_ttl": 30.0}, "no freshness"),
        ("cache-control: max-age=-1", {"default_ttl": 30.0}, "no freshness"),
        ("cache-control: max-age=1.5", {}, "no freshness"),
        ("cache-control: max-age", {}, "no freshness"),
        ("cache-control: max-age=60|age: 60", {}, "no freshness"),
        ("cache-control: no-cache", {"default_ttl": 30.0}, "no freshness"),
    ],
)
def test_what_is_not_stored(text: str, more: dict[str, object], reason: str) -> None:
    assert planned(text, **more) == reason


@pytest.mark.parametrize(
    ("text", "more", "keep", "strict"),
    [
        ("cache-control: max-age=60", {}, 0, False),
        ('cache-control: max-age=60|etag: "a"', {}, 86400, False),
        ("cache-control: max-age=0|last-modified: x", {}, 86400, False),
        ('cache-control: no-cache|etag: "a"', {}, 86400, True),
        ("cache-control: max-age=60, stale-if-error=100", {}, 100, False),
        ("cache-control: max-age=60", {"stale_if_error": 50.0}, 50, False),
        ("cache-control: max-age=60, stale-if-error=0", {"stale_if_error": 50.0}, 0, False),
        ("cache-control: max-age=60, stale-while-revalidate=30", {}, 30, False),
        ("cache-control: max-age=60", {"stale_while_revalidate": 40.0}, 40, False),
        ("cache-control: max-age=60, stale-while-revalidate=5", {"stale_while_revalidate": 40.0},
         5, False),
        ("cache-control: max-age=60, s-maxage=60", {"stale_while_revalidate": 40.0}, 0, True),
        ("cache-control: max-age=60, must-revalidate", {"stale_if_error": 50.0}, 0, True),
        ("cache-control: max-age=60, proxy-revalidate", {"stale_if_error": 50.0}, 0, True),
        ("cache-control: s-maxage=60, stale-while-revalidate=9", {}, 0, True),
    ],
)
def test_what_is_kept_beyond_its_freshness(
    text: str, more: dict[str, object], keep: float, strict: bool
) -> None:
    got = planned(text, **more)
    assert isinstance(got, Plan), got
    assert (got.keep, got.strict) == (keep, strict)


STORED = Plan(60.0, 0.0, 100.0, False, False, 0.0, 20.0)


@pytest.mark.parametrize(
    ("request_fields", "stored", "resident", "use"),
    [
        ("", STORED, 0, Use.SERVE),
        ("", STORED, 59, Use.SERVE),
        ("", STORED, 60, Use.REFRESH),
        ("", STORED, 80, Use.REFRESH),
        ("", STORED, 81, Use.VALIDATE),
        ("", STORED._replace(age=30.0), 31, Use.REFRESH),
        ("cache-control: no-cache", STORED, 0, Use.VALIDATE),
        ("pragma: no-cache", STORED, 0, Use.VALIDATE),
        ("pragma: no-cache|cache-control: max-age=99", STORED, 0, Use.SERVE),
        ("cache-control: max-age=10", STORED, 10, Use.SERVE),
        ("cache-control: max-age=10", STORED, 11, Use.VALIDATE),
        ("cache-control: max-age=0", STORED, 1, Use.VALIDATE),
        ("cache-control: min-fresh=20", STORED, 39, Use.SERVE),
        ("cache-control: min-fresh=20", STORED, 40, Use.VALIDATE),
        ("cache-control: max-stale", STORED, 500, Use.SERVE_STALE),
        ("cache-control: max-stale=50", STORED, 110, Use.SERVE_STALE),
        ("cache-control: max-stale=50", STORED, 111, Use.VALIDATE),
        ("cache-control: max-stale", STORED._replace(strict=True), 61, Use.VALIDATE),
        ("", STORED._replace(always_validate=True), 0, Use.VALIDATE),
        ("cache-control: max-stale", STORED._replace(always_validate=True), 0, Use.VALIDATE),
    ],
)
def test_what_may_be_done_with_a_stored_answer(
    request_fields: str, stored: Plan, resident: float, use: Use
) -> None:
    assert usable(fields(request_fields), stored, resident) is use


@pytest.mark.parametrize(
    ("request_fields", "stored", "resident", "covered"),
    [
        ("", STORED._replace(stale_if_error=50.0), 110, True),
        ("", STORED._replace(stale_if_error=50.0), 111, False),
        ("cache-control: stale-if-error=70", STORED, 130, True),
        ("cache-control: no-cache", STORED._replace(stale_if_error=50.0), 61, False),
        ("", STORED._replace(stale_if_error=50.0, strict=True), 61, False),
        ("cache-control: stale-if-error=70", STORED._replace(strict=True), 61, False),
        ("", STORED._replace(stale_if_error=50.0, always_validate=True), 1, False),
    ],
)
def test_what_covers_an_upstream_s_error(
    request_fields: str, stored: Plan, resident: float, covered: bool
) -> None:
    assert usable_on_error(fields(request_fields), stored, resident) is covered


@pytest.mark.parametrize(
    ("method", "text", "reason"),
    [
        ("GET", "", ""),
        ("HEAD", "", ""),
        ("GET", "if-none-match: x", ""),
        ("GET", "cache-control: no-cache", ""),
        ("POST", "", "method"),
        ("OPTIONS", "", "method"),
        ("GET", "range: bytes=0-1", "range"),
        ("GET", "if-match: x", "if-match"),
        ("GET", "if-range: x", "if-range"),
        ("GET", "if-unmodified-since: x", "if-unmodified-since"),
        ("GET", "cache-control: no-store", "no-store"),
    ],
)
def test_what_goes_past_the_cache(method: str, text: str, reason: str) -> None:
    assert may_be_looked_up(method, fields(text)) == reason


HAVE = '|etag: "a"|last-modified: Sun, 06 Nov 1994 08:49:37 GMT'


@pytest.mark.parametrize(
    ("request_fields", "stored", "wanted"),
    [
        ('if-none-match: "a"', HAVE, True),
        ('if-none-match: W/"a"', HAVE, True),
        ('if-none-match: "a"', '|etag: W/"a"', True),
        ('if-none-match: "b", "a"', HAVE, True),
        ("if-none-match: *", HAVE, True),
        ('if-none-match: "b"', HAVE, False),
        ('if-none-match: "a,b"', '|etag: "a,b"', True),
        ('if-none-match: "a"', "|x: y", False),
        ('if-none-match: "b"|if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT', HAVE, False),
        ("if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT", HAVE, True),
        ("if-modified-since: Sun, 06 Nov 1994 08:49:36 GMT", HAVE, False),
        ("if-modified-since: yesterday", HAVE, False),
        ("if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT", '|etag: "a"', False),
        ("", HAVE, False),
    ],
)
def test_what_the_client_has_already(request_fields: str, stored: str, wanted: bool) -> None:
    assert conditional.not_modified(fields(request_fields), 200, fields(stored)) is wanted
    assert not conditional.not_modified(fields(request_fields), 404, fields(stored))


def test_conditions_to_the_upstream_replace_the_client_s() -> None:
    asked = fields('accept: x|if-none-match: "mine"|if-modified-since: then')
    assert conditional.for_upstream(asked, fields(HAVE)) == fields(
        f'accept: x|if-none-match: "a"|if-modified-since: {DATE}'
    )
    assert conditional.for_upstream(asked, fields("x: y")) == []


def test_a_304_brings_the_stored_fields_up_to_date() -> None:
    stored = fields("content-type: a|content-length: 9|etag: \"a\"|x: old|age: 50|cache-control: 1")
    answer = fields("x: new|cache-control: 2|content-type: b|content-length: 0|set-cookie: c")
    assert conditional.freshened(stored, answer) == fields(
        'content-type: a|content-length: 9|etag: "a"|x: new|cache-control: 2'
    )


def test_vary() -> None:
    assert vary_names(fields("vary: Accept-Language,  accept|vary: Accept")) == (
        "accept",
        "accept-language",
    )
    assert vary_names(fields("x: y")) == ()


def test_directives() -> None:
    said = Directives(fields('cache-control: a=1, B="x\\"y, c", d , , e=|cache-control: f'))
    assert [name in said for name in ("a", "b", "c", "d", "e", "f")] == [
        True, True, False, True, True, True,
    ]  # fmt: skip
    assert (said.seconds("a"), said.seconds("b"), said.seconds("z")) == (1, 0, None)
    assert said.bare("d")
    assert not said.bare("a")
    assert not Directives([])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (DATE, 784111777),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784111777),
        ("Sun Nov  6 08:49:37 1994", 784111777),
        ("0", None),
        ("", None),
        ("Sun, 06 Nov 1994 08:49:37 EST", None),
        ("Sun, 06 Foo 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 25:49:37 GMT", None),
        ("Sun, 32 Nov 1994 08:49:37 GMT", None),
    ],
)
def test_dates(text: str, seconds: int | None) -> None:
    assert parse_date(text) == seconds
    if seconds is not None:
        assert format_date(seconds) == DATE


def test_request_fields_across_the_hop() -> None:
    asked = lowered(
        [
            ("Host", "hub.example"),
            ("Authorization", "Bearer ph_secret"),
            ("X-Api-Key", "ph_secret"),
            ("Cookie", "session=ph"),
            ("Connection", "close, X-Hop"),
            ("X-Hop", "1"),
            ("Keep-Alive", "1"),
            ("TE", "trailers"),
            ("Upgrade", "h2c"),
            ("Transfer-Encoding", "chunked"),
            ("Content-Length", "3"),
            ("Expect", "100-continue"),
            ("Proxy-Authorization", "x"),
            ("X-Forwarded-For", "6.6.6.6"),
            ("Forwarded", "for=6.6.6.6"),
            ("X-Real-Ip", "6.6.6.6"),
            ("X-Pihub-Tenant", "other"),
            ("Via", "1.0 edge"),
            ("Accept", " a "),
            ("Accept", "b"),
        ]
    )
    sent = to_upstream(asked, allowed=(), client_address="192.0.2.1", scheme="https")
    assert sent == [
        ("accept", "a"),
        ("accept", "b"),
        ("via", "1.0 edge, 1.1 pihub"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "hub.example"),
    ]
    freed = to_upstream(asked, allowed=("cookie",), client_address="", scheme="http")
    assert ("cookie", "session=ph") in freed
    assert not any(name in ("authorization", "x-api-key") for name, _ in freed)


def test_answer_fields_across_the_hop() -> None:
    answer = fields(
        "connection: x-hop|x-hop: 1|keep-alive: 1|transfer-encoding: chunked|content-length: 4"
        "|proxy-authenticate: x|alt-svc: h3|x-pihub-cost: 9|set-cookie: a|set-cookie: b|via: 1.1 z"
        "|www-authenticate: Basic|trailer: t|upgrade: u"
    )
    assert to_client(answer) == fields(
        "set-cookie: a|set-cookie: b|www-authenticate: Basic|via: 1.1 z, 1.1 pihub"
    )


@pytest.mark.parametrize(
    ("value", "base", "wanted"),
    [
        ("http://up.example/v1/x?y#z", "/v1", "/apis/x/x?y#z"),
        ("http://up.example:80/v1/x", "/v1", "/apis/x/x"),
        ("HTTP://UP.example/v1/X", "/v1", "/apis/x/X"),
        ("/v1/x", "/v1", "/apis/x/x"),
        ("/v1", "/v1", "/apis/x"),
        ("/x", "", "/apis/x/x"),
        ("http://up.example", "", "/apis/x/"),
        ("/v10/x", "/v1", "/v10/x"),
        ("http://up.example/other", "/v1", "http://up.example/other"),
        ("http://up.example.evil/v1/x", "/v1", "http://up.example.evil/v1/x"),
        ("http://up.example:8080/v1/x", "/v1", "http://up.example:8080/v1/x"),
        ("https://up.example/v1/x", "/v1", "https://up.example/v1/x"),
        ("//evil/v1/x", "/v1", "//evil/v1/x"),
        ("x/y", "/v1", "x/y"),
        ("?a", "/v1", "?a"),
    ],
)
def test_locations_move_below_the_prefix(value: str, base: str, wanted: str) -> None:
    authorities = ("http://up.example:80", "http://up.example")
    assert relocated(value, authorities, base, "/apis/x") == wanted


@pytest.mark.parametrize(
    ("rest", "wanted"),
    [
        ("", ""),
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a//b/", "/a//b/"),
        ("//a", "/a"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/b/..", "/a/"),
        ("/a/%2e%2E/b", "/b"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a%2fb/c%5Cd", "/a%2fb/c%5Cd"),
        ("/a b", "/a%20b"),
        ("/a?b#c", "/a%3Fb%23c"),
        ("/\xc3\xa9", "/%C3%A9"),
        ("/%C3%A9", "/%C3%A9"),
        ("/a..b/...", "/a..b/..."),
        ("/a;v=1/b", "/a;v=1/b"),
        ("/%252e%252e/x", "/%252e%252e/x"),
        ("/crm/v3/objects:batch", "/crm/v3/objects:batch"),
        ("a", "/a"),
    ],
)
def test_paths(rest: str, wanted: str) -> None:
    assert safe_path(rest) == wanted


@pytest.mark.parametrize(
    "rest",
    [
        "/..",
        "/../x",
        "/a/../../x",
        "/%2e%2e/x",
        "/.%2e/x",
        "/..%2fx",
        "/a/..%2F..%2Fx",
        "/a/%2e%2e%2fx",
        "/..%5cx",
        "/..\\x",
        "/a\\..\\..\\x",
        "/..;/x",
        "/a/..;x=1/..;/b",
        "/%2e%2e;/x",
        "/a%00",
        "/a%0d%0ax",
        "/a\r\nx",
        "/a%",
        "/a%2",
        "/a%zz",
        "/" + "x" * 9000,
    ],
)
def test_paths_that_are_refused(rest: str) -> None:
    with pytest.raises(BadRequest):
        safe_path(rest)


def test_queries() -> None:
    assert safe_query("a=b&c=%20d[]") == "a=b&c=%20d[]"
    assert safe_query('a="<b> c"#d') == "a=%22%3Cb%3E%20c%22%23d"
    for bad in ("a\r\nb", "a\0", "x" * 9000):
        with pytest.raises(BadRequest):
            safe_query(bad)


@pytest.mark.parametrize(
    ("error", "method", "wanted"),
    [
        (UpstreamUnreachable("x"), "POST", True),
        (UpstreamTimeout("x", timer="connect"), "POST", True),
        (UpstreamTimeout("x", timer="headers"), "GET", False),
        (UpstreamIncomplete("x"), "GET", True),
        (UpstreamIncomplete("x"), "POST", False),
    ],
)
def test_which_errors_are_tried_again(error: Exception, method: str, wanted: bool) -> None:
    assert retry.retryable_error(error, method) is wanted  # type: ignore[arg-type]


def test_which_statuses_are_tried_again() -> None:
    for status in (429, 502, 503, 504):
        assert retry.retryable_status(status, "GET")
        assert not retry.retryable_status(status, "POST")
    for status in (200, 400, 404, 500):
        assert not retry.retryable_status(status, "GET")


def test_back_off_grows_to_a_bound() -> None:
    assert [retry.backoff(n, lambda: 1.0) for n in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0]
    assert [retry.backoff(n, lambda: 0.0) for n in (0, 5)] == [0.05, 1.0]


def test_retry_after() -> None:
    assert retry.retry_after("3", NOW) == 3.0
    assert retry.retry_after(DATE, NOW - 9) == 9.0
    assert retry.retry_after(DATE, NOW + 9) == 0.0
    assert retry.retry_after("soon", NOW) is None
    assert retry.retry_after(None, NOW) is None


def test_the_budget_bounds_retries_to_a_tenth() -> None:
    budget = retry.RetryBudget()
    assert sum(budget.take() for _ in range(50)) == 10
    for _ in range(1000):
        budget.request()
        budget.take()
    taken = 0
    for _ in range(1000):
        budget.request()
        taken += budget.take()
    assert 95 <= taken <= 105
