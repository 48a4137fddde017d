"""PHP in a value: what its grammar allows calls, variables and settings to be; doubles."""

from __future__ import annotations

import pytest

from pihub._core.scanner import Scanner

ATTACKS = [
    "$g ('pwd')",
    "$_y[2]['b'] (3)",
    "$_y/*a*/[2]/*b*/(3)",
    "$b #c\n('pwd')",
    "$b //c\n()",
    "${'b'}",
    "${@b}",
    "$ { NAME }",
    '"system"("pwd")',
    'return"passthru"($c)',
    '("pass"."thru")("pwd")',
    "(pa.(ss).thru)('pwd')",
    '([ system ][0])("pwd")',
    '(abc){0}("pwd")',
    "(system)(@pwd)",
    "@system('pwd')",
    "@unlink('b')",
    "FILE\r\n('b')",
    "eval\r\n($x)",
    "<?xml :echo 2;",
    "sodium_crypto_secretbox ( 1 )",
    "array_uintersect_assoc($b)",
    "symlink('/b','c')",
    "is_uploaded_file($b)",
    "date.timezone=UTC",
    "display_startup_errors=1",
    "upload_tmp_dir=b",
    "opcache.jit_debug=1",
    '|O:8:"UserName":0:{}',
    'b=1;O:+8:"UserName":1:{s:1:"b";i:1;}',
    's:4:"name";',
    "$HTTP_POST_VARS",
    "$argv",
    "_SERVER[REMOTE_ADDR]",
    "${abc}(17);",
    "$this->run('b')",
    '(string)"abc"(pwd);',
    '"abc"(c);',
    "(foo)(c);",
    "[2](c);",
    "fopen ( 'b' )",
    ';unlink("b")',
    "b=exec('c')",
    "BARfile_get_contents('b')",
    "bunserialize($c)",
]

HONEST = [
    "$AAPL (Apple)",
    "$TSLA (250)",
    "costs $5 (each)",
    "${name}",
    "see realpath()",
    "date_trunc('day',x)",
    "array_agg(x)",
    "json_extract_path(a)",
    "str_len(a)",
    "get_user(a)",
    "(x+1)(x-2)",
    "[a-z]{2}(b)",
    'the "best"(ever)',
    "@media(print)",
    "@anna (Oslo)",
    '<?xml version="1.0"?>',
    "precise=1",
    "date.time=5",
    "session.id=7",
    "a:5",
    "o:8:b",
    "mkdir(2)",
    "file (1)",
    "mail (at) example.org",
    "You have ${count}(s)",
    "(a)(b)",
    "f(a)(b)",
    "mission(5)",
    "resystem(5)",
    "my_json_decode(a)",
    "mail, (anna)",
    "x->y",
    "$a->b",
    "server[1]",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_calls_variables_settings_and_objects_are_found(scanner: Scanner, text: str) -> None:
    found = scanner.value(text.encode(), "form")
    assert found is not None
    assert found[0] >= 60, found


@pytest.mark.parametrize("text", HONEST)
def test_what_looks_like_it_passes(scanner: Scanner, text: str) -> None:
    found = scanner.value(text.encode(), "form")
    assert found is None or found[0] < 45, found
