"""Heads of HTTP and of mail, and commands of mail's protocols, behind a line break in a value."""

from __future__ import annotations

import pytest

from pihub._core.scanner import Scanner

ATTACKS = [
    "b\r\nSet-Cookie: c=d",
    "b\r\nContent-Length: 0",
    "b\r\nReferrer-Policy: unsafe-url",
    "b\r\nCache-Control: public",
    "b\r\nStrict-Transport-Security: max-age=0",
    "b\nETag: c",
    "b\nUser-Agent: c",
    "b\nAccess-Control-Allow-Origin: *",
    "b\nHTTP/1.1 200 OK",
    "b\r\nCc: c@d.test",
    "b\r\nTo: c@d.test",
    "b@c.test\r\nSubject: d",
    "b.c@d.test\nFrom: e",
    "b\r\nReply-To: c@d.test",
    "b\r\nMIME-Version: 1.0",
    "b\nBcc: c",
    "\r\nRCPT TO:<b@c.test>",
    "b\r\nMAIL FROM:<b@c.test>",
    "\r\nDATA\r\nb",
    "\r\nQUIT",
    "\nEHLO b",
    "\nVRFY root",
    "\nA002 SELECT INBOX",
    "\nb3 login c d",
    "\nRETR 2",
    "b\nVia: 1.0 c",
    "b\nCookie: c=d",
    "b\nRemote-Addr: c",
    "b\nForwarded-For: c",
    "\u560a\u560dSet-Cookie:b=c",
]

HONEST = [
    "eggs\nbread\nquit",
    "Dear Anna,\nplease call\nTo whom it may concern",
    "From: Anna <a@example.org>\nTo: Ben <b@example.org>\nSubject: lunch",
    "name: x\nuser-id: 5\npublic-key: abc",
    "Subject: lunch\nwhere: at home",
    "a list\nof data\nwith no end",
    "\nhello",
    "\nList 5 things",
    "\nA4 paper please",
    "\nb2 select the best",
    "Date: Monday\nkeep alive",
    "Oslo\nvia: Bergen",
    "tea\ncookie: sweet",
    "Accept: */*\nUser-Agent: curl/8.5.0",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_heads_and_commands_are_found(scanner: Scanner, text: str) -> None:
    found = scanner.value(text.encode(), "form")
    assert found is not None
    assert found[0] >= 60, found


@pytest.mark.parametrize("text", HONEST)
def test_lines_of_a_text_pass(scanner: Scanner, text: str) -> None:
    found = scanner.value(text.encode(), "form")
    assert found is None or found[0] < 45, found


def test_a_name_of_a_field_has_one_line(scanner: Scanner) -> None:
    """Of a query or a form; a column's title in JSON may have two."""
    found = scanner.value(b"b%0d%0ac", "key", encoded=True)
    assert found is not None
    assert found[:2] == (60, "header")
    assert scanner.value(b"Price\n(EUR)", "key") is None
