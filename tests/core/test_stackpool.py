"""The pool of data-stack chunks: in a child, since it stays for the life of a process."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest


def child(code: str) -> dict[str, list[int]]:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[int]] = json.loads(done.stdout)
    return found


@pytest.mark.native
def test_greenlets_take_their_chunks_from_the_list() -> None:
    seen = child(
        """
        import json
        from greenlet import greenlet
        from pihub._core import stackpool

        def nothing():
            def inner(x):
                return x
            return [inner(i) for i in range(3)]

        first = stackpool.install(), stackpool.install()
        greenlet(nothing).switch()
        before = stackpool.stats()
        for _ in range(1000):
            greenlet(nothing).switch()
        after = stackpool.stats()
        print(json.dumps({"first": first, "before": before, "after": after}))
        """
    )
    assert seen["first"] == [True, False]
    held, served, passed = seen["after"]
    assert served - seen["before"][1] >= 1000, "each greenlet's chunk came from the list"
    assert passed - seen["before"][2] <= 2, "none came from the system"
    assert 1 <= held <= 512


@pytest.mark.native
def test_the_list_is_bounded() -> None:
    seen = child(
        """
        import json
        from greenlet import getcurrent, greenlet
        from pihub._core import stackpool

        stackpool.install(8)
        main = getcurrent()

        def wait():
            main.switch()

        many = [greenlet(wait) for _ in range(50)]
        for g in many:
            g.switch()
        for g in many:
            g.switch()
        del g, many
        print(json.dumps({"stats": stackpool.stats()}))
        """
    )
    held, _, passed = seen["stats"]
    assert held == 8
    assert passed >= 40


@pytest.mark.native
def test_deep_recursion_and_threads_do_not_mind() -> None:
    seen = child(
        """
        import json, threading
        from pihub._core import stackpool

        stackpool.install()

        def deep(n):
            return n if n == 0 else deep(n - 1)

        results = []
        def run():
            for _ in range(50):
                results.append(deep(800))

        threads = [threading.Thread(target=run) for _ in range(8)]
        for t in threads: t.start()
        for t in threads: t.join()
        print(json.dumps({"results": results, "stats": stackpool.stats()}))
        """
    )
    assert seen["results"] == [0] * 400
    assert seen["stats"][1] > 0
