"""What gunicorn and Falcon import and a hub does not use is loaded when somebody uses it."""

from __future__ import annotations

import subprocess
import sys
import textwrap

BEGIN = """
import logging, sys
from pihub.server.deferred import defer
defer()
import gunicorn.util, falcon
heavy = {"html.entities", "zipfile", "xml.etree.ElementPath", "asyncio.events"}
assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()
"""


def run(code: str) -> None:
    """In a process of its own: what is loaded is loaded for good."""
    text = BEGIN + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_each_works_when_it_is_used() -> None:
    run("""
        import html, importlib.metadata, xml.etree.ElementTree as tree
        assert html.escape("<") == "&lt;"
        assert importlib.metadata.version("falcon").startswith("4")
        assert tree.fromstring("<a/>").tag == "a"
        assert gunicorn.util.html.unescape("&auml;") == "\\xe4"
        assert falcon.HTTPNotFound(title="x").to_xml()
        assert sys.modules["html"] is not gunicorn.util.html and heavy & sys.modules.keys()
    """)


def test_a_part_of_a_deferred_package_can_be_imported() -> None:
    run("""
        import html.parser
        from xml.etree import ElementTree
        from importlib.metadata import version
        assert html.parser.HTMLParser and ElementTree.Element and version("falcon")
    """)


def test_falcon_runs_coroutines_once_asyncio_is_there() -> None:
    run("""
        import warnings
        warnings.simplefilter("ignore")
        import falcon.util.sync as sync
        for ask in (sync.get_running_loop, lambda: sync.create_task(None)):
            try:
                ask()
            except RuntimeError as error:
                assert str(error) == "no running event loop"
        assert "asyncio.events" not in sys.modules
        async def loop():
            return sync.get_running_loop()
        import asyncio
        assert asyncio.run(loop()).is_closed()
        async def seven():
            return 7
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        assert falcon.async_to_sync(seven) == 7
        loop.close()
    """)


def test_a_line_of_the_log_does_not_load_asyncio() -> None:
    """Since Python 3.12 each asks it for the current task."""
    run("""
        logging.getLogger().warning("a line")
        assert "asyncio.events" not in sys.modules
    """)
