"""Heads read and written by the core, against the same by regular expressions."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pihub._core import httphead
from pihub._core.httphead import damage, fields_only, parse, request
from tests.effort import examples
from tests.model import httphead as model

OK = b"HTTP/1.1 200 OK\r\n"
WHOLE = OK + b"Content-Type: a\r\nX-One:\t b \r\ncontent-length: 3\r\n\r\n"
NAMES = st.sampled_from([*httphead.COMMON, "x", "X-Odd", "!#$%&'*+-.^_`|~09", "y" * 300])
VALUES = st.text(st.sampled_from("aZ09 \t,;\"=~\x80\xff"), max_size=12)
LENGTHS = (
    *("0", "7", "007", " 7\t", "7,7", "7 , 7", "7, 8", "7,", ",7", "", "+7", "7 7"),
    *("9" * 18, "1" * 19),
)
FRAMING = st.sampled_from(
    [("Content-Length", v) for v in LENGTHS]
    + [("transfer-encoding", v) for v in ("chunked", "CHUNKED\t", "gzip", "gzip, chunked", "")]
    + [("Connection", v) for v in ("close", "Keep-Alive", "keep-alive, CLOSE", "x", "clos", "")]
)
LINES = st.sampled_from(["HTTP/1.1 200 OK", "HTTP/1.0 200 OK"] * 4 + [
    "HTTP/1.1 204", "HTTP/1.1 304 ", "HTTP/1.1 100 Continue", "HTTP/1.1 999 \t\xff", "HTTP/1.1 099",
    "HTTP/1.1 20", "HTTP/1.1 2000", "HTTP/1.2 200 OK", "HTTP/1.1  200 OK", "HTTP/1.1 200OK", "x",
])  # fmt: skip
CASE = st.sampled_from(["lower", "upper", "title"])


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    lines = [draw(LINES)]
    for name, value in draw(st.lists(st.one_of(FRAMING, st.tuples(NAMES, VALUES)), max_size=7)):
        space = draw(st.sampled_from(["", " ", "\t", " \t "]))
        lines.append(f"{getattr(name, draw(CASE))()}:{space}{value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


# Pieces that heads are made of, so that random bytes get further than the first one.
PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *(b"HTTP/1.1 ", b"200", b" OK", b"\r\n", b"\n", b"\r", b": ", b" ", b"\t", b"\0"),
                *(b"content-length", b"transfer-encoding", b"chunked", b"1", b",", b"\x7f", b"a"),
            ]
        ),
        st.binary(max_size=2),
    ),
    max_size=20,
).map(b"".join)


def judged(data: bytes, head: bool) -> object:
    """What the model makes of the whole head in `data`; None if there is none."""
    end = data.find(b"\r\n\r\n") + 4
    if end < 4:
        return None
    try:
        found = model.parse_head(data[:end], no_body=head)
    except model.Refused:
        return "refused"
    return (
        found.status, found.reason, found.version, found.headers, found.framing, found.length,
        found.keep_alive, end,
    )  # fmt: skip


def agrees(data: bytes, head: bool) -> None:
    found, wanted = parse(data, 0, head), judged(data, head)
    if isinstance(found, int):
        # It may be refused before its end has come; then nothing may make it good.
        assert wanted in ("refused", None)
        if wanted is None:
            for tail in (b"\r\n\r\n", b"\n\r\n", b": x\r\n\r\n", b"0\r\n\r\n", b" 200\r\n\r\n"):
                assert judged(data + tail, head) in ("refused", None)
    else:
        assert found == wanted


@examples(400)
@given(data=heads(), rest=st.binary(max_size=5), head=st.booleans())
def test_heads_are_judged_as_by_the_model(data: bytes, rest: bytes, head: bool) -> None:
    agrees(data + rest, head)
    wanted = parse(data, 0, head)
    for cut in range(len(data)):
        early = parse(data[:cut], 0, head)
        assert early is None or (isinstance(early, int) and isinstance(wanted, int))
        wrong = damage(data[:cut], 0)
        assert not wrong or isinstance(wanted, int)
    if not isinstance(wanted, int):
        shifted = parse(b"xx" + data, 2, head)
        assert isinstance(shifted, tuple) and isinstance(wanted, tuple)
        assert shifted == (*wanted[:7], wanted[7] + 2)


@examples(400)
@given(data=PIECES, head=st.booleans(), begun=st.booleans())
@example(data=b"a : b\r\n\r\n", head=False, begun=True)
@example(data=b"a: b\r\n c\r\n\r\n", head=False, begun=True)
@example(data=b"a: b\n\r\n\r\n", head=False, begun=True)
def test_bytes_are_judged_as_by_the_model(data: bytes, head: bool, begun: bool) -> None:
    agrees(OK + data if begun else data, head)


def test_one_changed_byte_is_judged_as_by_the_model() -> None:
    for place in range(len(WHOLE)):
        for byte in range(256):
            agrees(WHOLE[:place] + bytes([byte]) + WHOLE[place + 1 :], False)


@examples(300)
@given(data=PIECES)
def test_trailers_are_judged_as_by_the_model(data: bytes) -> None:
    assert fields_only(data) == (not data or model.fields_only(data))


def test_what_is_wrong_is_told() -> None:
    for data, code in (
        (b"HTTP/2", httphead.STATUS_LINE),
        (OK + b"a b\r\n\r\n", httphead.FIELD),
        (OK + b"transfer-encoding: br\r\n", httphead.CODING),
        (OK + b"content-length: x\r\n", httphead.CONTENT_LENGTH),
        (OK + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", httphead.TWO_FRAMINGS),
    ):
        assert parse(data, 0, False) == code
    assert damage(b"HTTP/2", 0) == httphead.STATUS_LINE
    assert damage(OK + b"a\n", 0) == httphead.FIELD
    assert damage(WHOLE, 0) == damage(WHOLE[:-3], 0) == damage(b"", 0) == 0


def test_close_wins_whatever_the_order() -> None:
    close, keep = b"connection: close\r\n", b"connection: keep-alive\r\n"
    for version in (b"HTTP/1.0", b"HTTP/1.1"):
        for fields in (close + keep, keep + close):
            head = version + b" 200 OK\r\ncontent-length: 0\r\n" + fields + b"\r\n"
            found = parse(head, 0, False)
            assert isinstance(found, tuple)
            assert found[6] is False


def test_common_names_are_shared() -> None:
    for name in httphead.COMMON:
        found = parse(OK + name.upper().encode() + b": x\r\n\r\n", 0, False)
        if isinstance(found, tuple):
            assert found[3] == [(name, "x")]
    one, two = (parse(WHOLE, 0, False) for _ in range(2))
    assert isinstance(one, tuple) and isinstance(two, tuple)
    assert one[3][0][0] is two[3][0][0]


@pytest.mark.parametrize("start", [-1, 3])
def test_a_start_outside_of_the_data(start: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        parse(b"ab", start, False)
    with pytest.raises(ValueError, match="outside"):
        damage(b"ab", start)


FIELDS = st.lists(
    st.tuples(
        st.one_of(
            NAMES,
            st.sampled_from(["Host", "TE", "Expect", "Trailer", "upgrade", "Keep-Alive", "a b"]),
            st.sampled_from(["", "proxy-connection", "teX", "content-lengthy", "n\xe9", "\u20ac"]),
        ),
        st.one_of(VALUES, st.sampled_from(["a\rb", "a\nb", "\0", "\x7f", "\u20ac", "\x1f"])),
    ),
    max_size=5,
)
METHODS = st.sampled_from(
    ["GET", "POST", "PUT", "PATCH", "CONNECT", "connect", "x" * 32, "x" * 33, "", "A B", "\u20ac"]
)
TARGETS = st.sampled_from(["/", "/a?b=%20", "*", "", "a", "/ ", "/\xe9", "/\u20ac", "/\x7f", "/\n"])


@examples(400)
@given(
    method=METHODS,
    target=st.one_of(st.just("/x"), TARGETS),
    fields=FIELDS,
    size=st.sampled_from([model.CHUNKED_BODY, model.NO_BODY, 0, 4, 2**40]),
    body=st.binary(max_size=9),
)
def test_requests_are_written_as_by_the_model(
    method: str, target: str, fields: list[tuple[str, str]], size: int, body: bytes
) -> None:
    host = "host: h:1\r\n"
    if size == model.CHUNKED_BODY:
        length = -2
    elif size > 0 or method in ("POST", "PUT", "PATCH"):
        length = max(size, 0)
    else:
        length = -1
    try:
        wanted = model.request_head(method, target, host, fields, size) + body
    except model.Refused:
        with pytest.raises(ValueError):
            request(method, target, host, fields, length, body)
        return
    assert request(method, target, host, fields, length, body) == wanted
    assert request(method, target, host, tuple(fields), length, body) == wanted


@pytest.mark.parametrize("name", sorted(model._OURS))
def test_fields_of_framing_and_hop_are_left_out(name: str) -> None:
    for written in (name, name.upper(), name + "x", name[:-1]):
        fields = [("a", "b"), (written, "c"), ("d", "e")]
        wanted = model.request_head("GET", "/", "host: h\r\n", fields, -1)
        assert request("GET", "/", "host: h\r\n", fields, -1, b"") == wanted
        assert (b": c" in wanted) == (written.lower() != name)


def test_lengths_are_judged_as_by_the_model() -> None:
    for value in LENGTHS:
        for rest in ("", "content-length: 7\r\n"):
            agrees(OK + f"content-length: {value}\r\n{rest}\r\n".encode(), False)


def test_a_large_head_and_body_stay_whole() -> None:
    rng = random.Random(7)
    fields = [(f"X-{i}", "v" * rng.randrange(3000)) for i in range(300)]
    body = rng.randbytes(300_000)
    wanted = model.request_head("POST", "/", "host: h\r\n", fields, len(body))
    assert request("POST", "/", "host: h\r\n", fields, len(body), body) == wanted + body


@pytest.mark.parametrize("fields", [[("a", None)], [(None, "a")], [("a", 1)], [(b"a", "b")]])
def test_fields_are_text(fields: list[tuple[str, str]]) -> None:
    with pytest.raises(TypeError):
        request("GET", "/", "host: h\r\n", fields, -1, b"")
