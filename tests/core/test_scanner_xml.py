"""Bodies of XML: elements' texts and attributes' values are judged, not the document as markup."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub._core.scanner import Scanner
from pihub.security.scanner.judge import body_kind
from pihub.security.scanner.keywords import load
from tests.effort import examples

SCANNER = Scanner(load(), bytes(8))
ATOM = "<link rel='self' href='https://example.org/feed'/>"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


def judged(body: str) -> tuple[int, str, str]:
    """Points, class, field."""
    found = SCANNER.body(body.encode(), "xml", "json")[0]
    return (0, "", "") if found is None else (found[0], found[1], found[4])


@pytest.mark.parametrize(
    ("body", "kind", "field"),
    [
        ("<a><name>x' or 1=1--</name></a>", "sql", "name"),
        ("<a><name id=\"x' or 1=1--\"/></a>", "sql", "id"),
        ("<a><name>x&#39; or 1=1--</name></a>", "sql", "name"),
        ("<a><b>&lt;script>f()&lt;/script></b></a>", "xss", "b"),
        ("<a><b><![CDATA[<script>f()</script>]]></b></a>", "xss", "b"),
        ("<a><b>x' un<!-- x -->ion se<![CDATA[lect]]> 1,2--</b></a>", "sql", "b"),
        ('<?xml version="1.0"?>\n<a><b>../../../../etc/passwd</b></a>', "path", "b"),
        ('<a><b>{"c": "../../../../etc/passwd"}</b></a>', "path", "c"),
    ],
)
def test_what_an_element_holds_is_judged_by_its_name(body: str, kind: str, field: str) -> None:
    points, found, name = judged(body)
    assert points >= 60
    assert (found, name) == (kind, field)


@pytest.mark.parametrize(
    "body",
    [
        f"<feed xmlns='http://www.w3.org/2005/Atom'><title>a</title>{ATOM}<object/></feed>",
        "<config><set name='x'>5</set><import file='a.xml'/><style>plain</style></config>",
        f'<s:Envelope xmlns:s="{SOAP}"><s:Body><meta/><base>4</base><xml/></s:Body></s:Envelope>',
        "<a><b>it</b><b>or</b><c>1=1</c></a>",
        "<a>'</a>",
        "<a b='fish &amp; chips'>a &lt; b</a>",
        '<?xml version="1.0" encoding="utf-8"?>\n<!-- an order -->\n<order id="5"/>\n',
    ],
)
def test_elements_of_data_are_no_tags(body: str) -> None:
    assert judged(body)[0] < 45


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///x">]><a>&b;</a>', "xxe"),
        ('<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="x"/></a>', "xxe"),
        ("<a><?php system('id') ?></a>", "code"),
        ('<a><!--#exec cmd="id"--></a>', "shell"),
    ],
)
def test_the_structure_itself_counts(body: str, kind: str) -> None:
    points, found, _ = judged(body)
    assert points >= 60
    assert found == kind


@pytest.mark.parametrize(
    "body",
    [
        "<svg xmlns='http://www.w3.org/2000/svg' onload='f()'/>",
        "<a xmlns:h='http://www.w3.org/1999/xhtml'><h:script>f()</h:script></a>",
        "<a><b></a><script>f()</script>",
        "<script>f()",
        "<a b='<script>'/>",
        "x <script>f()</script>",
    ],
)
def test_what_a_browser_runs_or_is_broken_stays_a_text(body: str) -> None:
    assert SCANNER.body(body.encode(), "xml", "json")[0] == SCANNER.body(
        body.encode(), "text", "json"
    )[0]
    assert judged(body)[:2] >= (60, "xss")


def test_a_document_type_is_judged_as_a_text() -> None:
    assert judged('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>')[0] >= 80


def test_depth_is_told() -> None:
    for depth, told in ((1, 1), (64, 64), (65, 65), (5000, 65)):
        body = b"<a>" * depth + b"</a>" * depth
        assert SCANNER.body(body, "xml", "json")[1] == told
    assert SCANNER.body(b"<a>" * 30, "xml", "json")[1] == 0


PIECES = ["<a>", "</a>", "<a b='", "<a b='c'/>", "<!--", "-->", "<![CDATA[", "]]>", "<?", "?>",
          "<!D", "[", "]", "&#0;", "&lt;", "&", "<", ">", "'", "\0", "xmlns:b='", " "]  # fmt: skip


@examples(300)
@given(parts=st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), max_size=30))
def test_any_body_has_a_verdict(parts: list[str]) -> None:
    found, depth, _ = SCANNER.body("".join(parts).encode("utf-8", "replace"), "xml", "json")
    assert depth <= 65
    assert found is None or 1 <= found[0] <= 100


@pytest.mark.parametrize("piece", [p for p in PIECES if p.isascii()] + ["<a></a>", "<a b='c'>"])
def test_time_is_linear(piece: str) -> None:
    def seconds(n: int) -> float:
        data = b"<r>" + piece.encode() * (n // len(piece)) + b"</r>"
        best = 9.0
        for _ in range(2):
            begin = time.thread_time()
            SCANNER.body(data, "xml", "json")
            best = min(best, time.thread_time() - begin)
        return best

    # Quadratic work would be eight times as slow a byte; noise is not.
    assert seconds(128 * 1024) < 8 * 4 * seconds(16 * 1024) + 0.02


def test_which_bodies_are_xml() -> None:
    for kind in ("application/xml", "text/xml; charset=utf-8", "application/soap+xml"):
        assert body_kind(kind) == "xml"
    for kind in ("image/svg+xml", "application/xhtml+xml", "application/xslt+xml", "text/html"):
        assert body_kind(kind) == "text"
