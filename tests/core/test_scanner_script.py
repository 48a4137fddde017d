"""Script whose functions are handed over, whose names are put together, which goes on in an
attribute, and honest doubles."""

from __future__ import annotations

import pytest

from pihub._core.scanner import Scanner

ATTACKS = [
    "[b].then(alert)",
    "'b'.replace(/b/,alert)",
    "queueMicrotask(prompt)",
    "addEventListener('b',eval)",
    "new Promise(confirm)",
    "({valueOf:alert})+1",
    "{[Symbol.hasInstance]:eval}",
    "toString=alert;b+''",
    "class b extends alert{}",
    "b=alert,b`2`",
    "parent[Object.keys(b)[5]]",
    "self[1+'b']",
    "location[b]=c",
    "frames[b]?.(2)",
    "opener[b](2)",
    "x=opener['b']",
    "sessionStorage['b']",
    "top.postMessage(b,'*')",
    "document.images[0].src=b",
    "document.b.c=2",
    "b.insertAdjacentHTML('beforeend',c)",
    "Object.defineProperty(b,'c',{})",
    "Object.prototype.b=2",
    "navigator.clipboard.readText()",
    "indexedDB.open('b')",
    "new RTCPeerConnection()",
    "$(location.hash)",
    "location=location.search",
    "b=~[];b={__:++b}",
    "({}+[])[+!![]]+(![]+[])[!+[]+!![]]",
    "b'-c(2)-'d",
    "b';c=2//",
    '"/onmouseout=b//',
    "b' autofocus onpointerrawupdate='c",
    '" tabindex=2 onbeforetoggle=b',
    "' onwebkitplaybacktargetavailabilitychanged=b c='",
    '" ng-focus="b',
    '" @click="b"',
    '" v-html="b" c="',
    '" x-init="b',
    "red;}b{background:url(//b.test)}",
    "<fencedframe src=b>",
]
HONEST = [
    "status (alert), next",
    "the alert(s) and the prompt",
    "a map (of prompt replies)",
    "let the class extends alert times",
    "top[10]",
    "window[seat]",
    "the parent[s] of both",
    "Object.keys in prose are words of a language",
    "the worker is new",
    "![b](c.png) ![d](e.png) ![f](g.png) ![h](i.png) ![](j.png)",
    "a+[]",
    "O'Neil; b=2",
    "'tis b/c",
    '"name" onfire=b',
    "once=5",
    "a 'b' on/off switch",
    "\"b\" @home: 'c'",
    "data: \"x-ray\", 'v-neck'",
    "a{b:c} d{e:f}",
]


PAGES = [
    '<div id="7"><span class=b>c</span>',
    "<image filter='b'>",
    "<button name=b>c",
    '"><h1>b',
]
NO_PAGES = [
    "<p>b</p>",
    "<div>b",
    "<b>c</b>",
    "<image b>",
    '<p class="b">c</p>',
    "<img src=b.png>",
    '<table width="9" border="0"',
    'a "b"> <i>c',
]


@pytest.mark.parametrize("text", ATTACKS)
def test_script_is_found(scanner: Scanner, text: str) -> None:
    found = scanner.value(text.encode(), "query")
    assert found is not None
    assert found[0] >= 60


@pytest.mark.parametrize("text", HONEST)
def test_honest_doubles_pass(scanner: Scanner, text: str) -> None:
    for place in ("query", "form"):
        found = scanner.value(text.encode(), place)
        assert found is None or found[0] < 60, found


@pytest.mark.parametrize("text", PAGES)
def test_parts_of_a_page_are_found_in_a_query_alone(scanner: Scanner, text: str) -> None:
    found = scanner.value(text.encode(), "query")
    assert found is not None
    assert found[0] >= 60, found
    formed = scanner.value(text.encode(), "form")
    assert formed is None or formed[0] < 60, formed


@pytest.mark.parametrize("text", NO_PAGES)
def test_formatting_alone_passes(scanner: Scanner, text: str) -> None:
    found = scanner.value(text.encode(), "query")
    assert found is None or found[0] < 60, found
