"""Commands as a shell's grammar allows to write them, and honest text that looks alike."""

from __future__ import annotations

import pytest

from pihub._core.scanner import Scanner

FOUND = (
    # expansions to nothing inside of a name, lines joined, escapes by number
    "1;wh${x}oami", "a.jpg|un$()ame -a", "x;wh``oami", "1|p$!wd",
    "1||wg\\\net -q host.example", "1)|\\p\\y\\t\\h\\o\\n x.py", "|$'\\x69\\144'", "$'\\154\\163'",
    "1;\\c\\p a b",
    # what was put into a variable before, what every shell knows
    "name&&q=sleep;$q 10", "1\nread v<<<id;$v", "1|$HOME/x.sh", "1`./x.sh`", "a;set -- id;$@",
    "x&set x=hostname&%x%", "1;LANG=C ls ..",
    # a process as a file, braces, both outputs
    "name <(whoami)", ". <(printf 'id')", "a.jpg||{sleep,5s}", "sh x.sh 2>&1",
    # a name that is nothing else, a line of its own, one value before the separator
    "a.jpg;mv a b", "x\ngrep a /srv/b", "name\nid #", "10.0.0.1;dig host.example",
    "1;sleep 5s", "';export A=1", "\\necho a\\nexit\\nid",
    # all that the value says
    "net view", "net localgroup", "sleep 5", "nslookup host.example", "find / -name x",
    "grep -r a /home", "1|cmd,/c,dir", "iex 'dir'", "reg.exe query HKLM\\SAM",
    # behind a sentence: marks that it does not set so
    "this is where the words end and go on to nothing||cat notes.txt",
    "this is where the words end and go on to nothing, see here `ls -la`",
    "this is where the words end and go on to nothing \"`true`\"",
    "this is where the words end and go on to nothing \\ls",
    "this is where the words end and go on to nothing c{a,oun}t",
    "this is where the words end and go on to nothing IF NOT DEFINED x ECHO y",
)  # fmt: skip

HONEST = (
    "netstat -an meaning", "ls -la explained", "chmod -R example", "find / replace text",
    "user's guide to shells", "the `User's Guide <x>`", "Ben & Jerry", "R & D",
    "pen & paper; cat food",
    "grab & go", "f(x) <(y)", "x < y and y >(z)", "free -shipping", "java -version meaning",
    "ping 10.0.0.1", "milk\nbread\ncat food", "first\nlast", "net view of the lake",
    "net user growth",
    "sleep 5 hours", "find . dot", "what does 2>&1 mean", "a > 2 & b < 3", "x=1;y=2",
    "the words go on; cat food and more of it", "choose a date|time for the next of them",
    "the files are in the folder of the user, please use `ls -la`", "c{a,b}x",
    "price: $5; shipping: $3", "\\necho of a song", "\\new\\note", "\\nsort by\\old",
)  # fmt: skip


@pytest.mark.parametrize("value", FOUND)
def test_found(scanner: Scanner, value: str) -> None:
    found = scanner.value(value.encode(), "query")
    assert found is not None
    assert found[0] >= 60, found


@pytest.mark.parametrize("value", HONEST)
def test_honest(scanner: Scanner, value: str) -> None:
    found = scanner.value(value.encode(), "query")
    assert found is None or found[0] < 60, found


def test_a_sum_that_is_encoded_twice(scanner: Scanner) -> None:
    """Its plus is none of a form's spaces: both readings are judged."""
    found = scanner.value(b"%257B%257B4%252B4%257D%257D", "query")
    assert found is not None
    assert found[0] >= 60, found
