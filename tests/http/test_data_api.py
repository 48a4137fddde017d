"""The sink of a generic API: bodies in and out, and one record for each request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pihub.errors import ClientGone, PihubError, UpstreamIncomplete, UpstreamUnreachable
from pihub.gateway.api import ApiAnswer
from pihub.http.data.api import PIECE, WHOLE, ApiSink
from pihub.security.scanner.judge import Judge
from pihub.security.scanner.keywords import load
from pihub.settings.scanner import Mode
from pihub.settings.scanner import Scanner as Rules
from pihub.settings.schema import Api
from pihub.shared.scanning import Scanner
from tests.http.data_parts import KEY, Plane, Said, environ, read
from tests.upstream.waiter import PollWaiter


class Body:
    """A streamed body; an exception in it is raised."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = list(pieces)
        self.closes = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self.pieces:
            raise StopIteration
        piece = self.pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self) -> None:
        self.closes += 1


class Proxy:
    """Answers what it was told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answer: ApiAnswer | Exception = ApiAnswer(200, [], b"ok", "MISS", "", length=2)
        self.asked: list[tuple[Any, ...]] = []
        self.bodies: list[Any] = []

    def handle(self, *asked: Any, **more: Any) -> ApiAnswer:
        self.asked.append((*asked, more))
        body = asked[4]
        self.bodies.append(body if body is None or isinstance(body, bytes) else list(body))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def judge(notes: list[Any], rules: Rules) -> Judge:
    return Judge(rules, Scanner(load(), bytes(32)), frozenset(), notes.append)


class Shop:
    """One API behind the data plane."""

    def __init__(self, rules: Rules | None = None, **settings: Any) -> None:
        self.proxy = Proxy()
        self.notes: list[Any] = []
        self.records: list[dict[str, Any]] = []
        self.plane = Plane()
        api = Api(prefix="/apis/shop", url="http://127.0.0.1:1", **settings)
        sink = ApiSink(
            api,
            self.proxy,  # type: ignore[arg-type]
            lambda **record: self.records.append(record),  # type: ignore[arg-type]
            self.plane.access,
            PollWaiter(),
            judge(self.notes, rules or Rules()),
            1 << 20,
        )
        self.plane = Plane(apis={"/apis/shop": sink})
        sink._access = self.plane.access
        self.plane.load_keys()

    def call(self, method: str, path: str, body: bytes = b"", **fields: str) -> Said:
        return self.plane.call(method, path, body, authorization=f"Bearer {KEY}", **fields)

    def only_error(self) -> PihubError | None:
        (record,) = self.records
        found: PihubError | None = record["error"]
        return found


def test_the_path_reaches_the_api_as_it_was_written() -> None:
    shop = Shop()
    said = shop.call("GET", "/apis/shop/a%2Fb?q=%20", x_a="1")
    assert (said.status, said.body) == (200, b"ok")
    method, rest, query, headers, body, *_ = shop.proxy.asked[0]
    assert (method, rest, query, body) == ("GET", "/a%2Fb", "q=%20", None)
    assert ("x-a", "1") in headers
    assert said.header("x-pihub-request-id") == "00000000000000ab"
    assert shop.only_error() is None
    assert shop.records[0]["principal"].key == 3


def test_a_hidden_prefix_is_refused() -> None:
    shop = Shop()
    assert shop.call("GET", "/%61pis/shop/x").status == 400
    assert not shop.proxy.asked and len(shop.records) == 1


def test_a_key_is_wanted_unless_the_api_is_open() -> None:
    shop = Shop()
    assert shop.plane.call("GET", "/apis/shop/x").status == 401
    assert not shop.proxy.asked
    error = shop.only_error()
    assert error is not None and error.code == "invalid_api_key"
    assert Shop(auth=False).plane.call("GET", "/apis/shop/x").status == 200


@pytest.mark.parametrize("size", [0, 1, WHOLE, WHOLE + 1, 1 << 20])
def test_bodies_by_size(size: int) -> None:
    shop = Shop()
    kind = "application/octet-stream"  # which is not judged, so that it need not be read whole
    assert shop.call("POST", "/apis/shop/x", b"x" * size, content_type=kind).status == 200
    (body,) = shop.proxy.bodies
    if size > WHOLE:
        assert isinstance(body, list) and max(map(len, body)) <= PIECE
        body = b"".join(body)
    assert (body or b"") == b"x" * size
    assert shop.records[0]["bytes_in"] == size
    assert shop.proxy.asked[0][-1]["body_length"] == size


def test_a_body_that_is_judged_is_read_whole() -> None:
    shop = Shop()
    assert shop.call("POST", "/apis/shop/x", b"x" * (WHOLE + 1)).status == 200
    assert shop.proxy.bodies == [b"x" * (WHOLE + 1)]


def test_a_body_beyond_the_limit() -> None:
    shop = Shop()
    said = shop.call("POST", "/apis/shop/x", b"x" * ((1 << 20) + 1))
    assert (said.status, json.loads(said.body)["code"]) == (413, "request_too_large")
    assert not shop.proxy.asked and len(shop.records) == 1


def test_half_a_body_is_not_acted_upon() -> None:
    shop = Shop()
    env = environ("POST", "/apis/shop/x", b"half", content_length="9",
                  authorization=f"Bearer {KEY}")  # fmt: skip
    assert read(shop.plane.app, env).status == 499
    assert not shop.proxy.asked
    assert isinstance(shop.only_error(), ClientGone)


def test_half_a_length_is_a_bad_request() -> None:
    shop = Shop()
    assert shop.call("POST", "/apis/shop/x", content_length="abc").status == 400


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (UpstreamUnreachable("no"), 502, "upstream_unreachable"),
        (RuntimeError("secret"), 500, "internal_error"),
    ],
)
def test_failures_are_recorded(failure: Exception, status: int, code: str) -> None:
    shop = Shop()
    shop.proxy.answer = failure
    said = shop.call("GET", "/apis/shop/x")
    assert said.status == status and b"secret" not in said.body
    error = shop.only_error()
    assert error is not None and error.code == code


def streaming(shop: Shop, *pieces: bytes | Exception, length: int = -1) -> Body:
    body = Body(*pieces)
    shop.proxy.answer = ApiAnswer(200, [("etag", "x")], body, "MISS", "", length=length)  # type: ignore[arg-type]
    return body


@pytest.mark.parametrize("length", [-1, 4])
def test_a_streamed_answer_is_recorded_at_its_end(length: int) -> None:
    shop = Shop()
    body = streaming(shop, b"ab", b"cd", length=length)
    said = shop.call("GET", "/apis/shop/x")
    assert said.body == b"abcd" and body.closes
    assert said.header("content-length") == (None if length < 0 else "4")
    assert shop.only_error() is None


def test_a_server_that_knows_the_length_need_not_ask_for_the_end() -> None:
    shop = Shop()
    streaming(shop, b"ab", b"cd", length=4)
    app = shop.plane.app(
        environ("GET", "/apis/shop/x", authorization=f"Bearer {KEY}"), lambda *_: None
    )
    parts = iter(app)
    assert next(parts) == b"ab" and not shop.records
    assert next(parts) == b"cd"
    assert shop.only_error() is None


@pytest.mark.parametrize(
    ("failure", "code"),
    [(UpstreamIncomplete("cut"), "upstream_incomplete"), (RuntimeError("x"), "internal_error")],
)
def test_a_broken_stream_is_cut_and_recorded_once(failure: Exception, code: str) -> None:
    shop = Shop()
    body = streaming(shop, b"ab", failure)
    with pytest.raises(type(failure)):
        shop.call("GET", "/apis/shop/x")
    assert body.closes
    error = shop.only_error()
    assert error is not None and error.code == code


def test_a_client_that_leaves() -> None:
    shop = Shop()
    body = streaming(shop, b"ab", b"cd")
    app = shop.plane.app(
        environ("GET", "/apis/shop/x", authorization=f"Bearer {KEY}"), lambda *_: None
    )
    assert next(iter(app)) == b"ab"
    app.close()  # type: ignore[attr-defined]
    app.close()  # type: ignore[attr-defined]
    assert body.closes and isinstance(shop.only_error(), ClientGone)


def test_an_api_s_own_policy_does_not_free_it_of_the_sandbox() -> None:
    shop = Shop()
    own = [("content-security-policy", "default-src *")]
    shop.proxy.answer = ApiAnswer(200, own, b"<script>", "MISS", "", length=8)
    told = shop.call("GET", "/apis/shop/x").header("content-security-policy") or ""
    first, second = told.split(", ")
    assert first == "default-src *" and second.startswith("sandbox; default-src 'none'")


@pytest.mark.parametrize(("mode", "status", "noted"), [("block", 415, 0), ("monitor", 200, 1)])
def test_what_the_scanner_cannot_unpack_is_refused_or_noted(
    mode: Mode, status: int, noted: int
) -> None:
    shop = Shop(Rules(body=mode))
    said = shop.call(
        "POST", "/apis/shop/x", b"\x0b\x02", content_type="application/json", content_encoding="br"
    )
    assert said.status == status
    assert [note.rule for note in shop.notes] == ["not-judged"] * noted


FORM = "multipart/form-data; boundary=x"


def form(photo: int, text: int = 10, name: str = "a.jpg", first: bytes = b"\xff\xd8") -> bytes:
    """A form with a file of `photo` bytes and a field of `text`."""
    def part(said: str, data: bytes) -> bytes:
        return f"--x\r\ncontent-disposition: form-data; {said}\r\n\r\n".encode() + data + b"\r\n"

    file = part(f'name="f"; filename="{name}"', first + bytes(photo))
    return file + part('name="t"', b"a " * (text // 2)) + b"--x--\r\n"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (form(100_000), 200),  # a photo is larger than what is judged as text
        (form(100_000, name="a.php"), 400),
        (form(100_000, first=b"<?php "), 400),
        (form(100, text=20_000), 413),
        (form(300_000), 413),
        (b"a " * 10_000, 413),  # no form at all, so text
    ],
    ids=["photo", "program", "hidden", "text", "huge", "no-form"],
)
def test_of_a_form_with_files_the_text_is_bounded(body: bytes, status: int) -> None:
    shop = Shop(Rules(max_body="16KB", max_upload="256KB"))
    assert shop.call("POST", "/apis/shop/x", body, content_type=FORM).status == status
    assert shop.proxy.bodies == ([body] if status == 200 else [])


@pytest.mark.parametrize(("size", "notes"), [(50_000, 0), (300_000, 1)])
def test_where_forms_are_noted_large_files_pass_with_a_note(size: int, notes: int) -> None:
    shop = Shop(Rules(form="monitor", max_body="16KB", max_upload="256KB"))
    assert shop.call("POST", "/apis/shop/x", form(size), content_type=FORM).status == 200
    assert [note.rule for note in shop.notes] == ["not-judged"] * notes
