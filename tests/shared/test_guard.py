"""What the guard refuses, and what honest URLs may hold."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub.errors import InputRefused
from pihub.shared.guard import Guard

GUARD = Guard()


@pytest.mark.parametrize(
    ("path", "query", "where"),
    [
        ("/a%00b", "", "path"),
        ("/a%0D%0Ax", "", "path"),
        ("/%2E%2e/etc", "", "path"),
        ("/.%2e/etc", "", "path"),
        ("/%c0%AE%c0%ae/", "", "path"),
        ("/..%5cwindows", "", "path"),
        ("/a\x01", "", "path"),
        ("/a", "q=%00", "query"),
        ("/a", "q=\x7f", "query"),
    ],
)
def test_refused(path: str, query: str, where: str) -> None:
    with pytest.raises(InputRefused) as caught:
        GUARD.check(path, query)
    assert caught.value.param == where


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/crm/v3/objects/contacts", "limit=10&after=NTI1Cg%3D%3D"),
        ("/a%2Fb/c", "text=two%0Alines"),
        ("/v1.2/file.tar.gz", "q=a..b"),
        ("/caf%C3%A9", "name=%F0%9F%8D%8C"),
    ],
)
def test_honest(path: str, query: str) -> None:
    GUARD.check(path, query)


PLAIN = st.characters(min_codepoint=32, codec="utf-8", exclude_characters="\x7f")


@given(st.text(PLAIN, max_size=60))
def test_quoted_text_without_controls_passes_in_a_query(text: str) -> None:
    GUARD.check("/", "q=" + quote(text))
