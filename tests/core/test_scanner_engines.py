"""Sums between the delimiters of template engines, directives, and objects and schemas that a
program tells of itself; honest doubles."""

from __future__ import annotations

import pytest

from pihub._core.scanner import Scanner

ATTACKS = [
    "{{ 8-2 }}",
    "{{ 8+2 }}",
    "[=8/2]",
    '[["8"*2]]',
    "[%8-2%]",
    "{'8'*2}",
    "{=8*2}",
    "{!8*2!}",
    "{@8+2}",
    "{8**2}",
    "{8*2|b}",
    "@('b'+'c')",
    "@((8*2))",
    "{'ls'|system}",
    "@extends('b')",
    "@functions{ }",
    "@Url.Action()",
    "@php echo 2; @endphp",
    "T(System).getenv()",
    "System.exit(0)",
    "Eval.me('b')",
    "['ls'].execute()",
    "jndi:ldap://b.test/c",
    "${b${}c:ldap://d.test}",
    "sys.modules['b']",
    "[].__class__.__base__",
    "(lambda:0).__globals__",
    "die(md5(8))",
    "echo sha1(8)",
    "{__schema{types{name}}}",
    '{__type(name:"b"){name}}',
    "BAh7B0kiD3Nlc3Npb25faWQGOgZFVA==",
    "gAJjcG9zaXgKc3lzdGVtCnEB",
    "(dp0\nS'b'\np1\n.",
    "\x04\x08[\x07c",
    'E:3:"B:C";',
    "b\nLink: <c>",
    "<xs:include schemaLocation='http://b.test/'/>",
]
HONEST = [
    "{8}",
    "{b-c}",
    "{'b', 'c'}",
    "{'b': 2}",
    '{"b": [2, {"c": 3}]}',
    "[[wiki link]]",
    "[[2-3]] see",
    "[=] equals",
    "@home(2)",
    "@include everybody",
    "@Anna.B (8)",
    "the system.exit of the house",
    "sys.modules in prose",
    "the md5 (8) of it",
    "print b (2)",
    "schema: types",
    "__type",
    "__class__",
    "BAhnhof 12 Strasse",
    "bahjanagar",
    "gan92",
    "Link: a page",
    "a\nLink: a page",
    "T (System) b",
    "jndi: a naming service",
    "{__typename}",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_engines_and_objects_are_found(scanner: Scanner, text: str) -> None:
    found = scanner.value(text.encode("latin-1"), "query")
    assert found is not None
    assert found[0] >= 60, found


@pytest.mark.parametrize("text", HONEST)
def test_honest_doubles_pass(scanner: Scanner, text: str) -> None:
    for place in ("query", "form"):
        found = scanner.value(text.encode(), place)
        assert found is None or found[0] < 60, found
