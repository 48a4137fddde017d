"""Screens, and how the browser's tests wait and ask."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page

from pihub.security.opening import open_control
from pihub.settings.schema import Settings, Store
from tests.system.hub import HubProcess

PASSWORD = "a banana is bent by the sun"
"""Of the people in the tests' hubs."""
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}
NARROW = {"width": 320, "height": 700}
PATIENCE = 15_000
"""Milliseconds."""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def torn(cells: str, word: str) -> str:
    """An expression: the words, as the pattern says what one is, that stand on two lines."""
    script = """[...document.querySelectorAll("CELLS")].flatMap((cell) => {
  const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), found = [];
  while (texts.nextNode()) {
    for (const word of texts.currentNode.data.matchAll(/WORD/g)) {
      const range = document.createRange();
      range.setStart(texts.currentNode, word.index);
      range.setEnd(texts.currentNode, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map((one) => Math.round(one.top)));
      if (lines.size > 1) found.push(word[0]);
    }
  }
  return found;
})"""
    return script.replace("CELLS", cells).replace("WORD", word)


BROKEN = torn("main .list th, main .list td, main .requests td", r"[^\s\/-]{2,24}")
"""In tables."""
TORN = torn("main .card dd, main .card dt", "[A-Z]?[a-z0-9]{2,18}")
"""In cards, where a long name may go on behind a joint."""
SPILT = """[...document.querySelectorAll("main .card dd, main .card dt")]
.filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.textContent)"""
"""Texts that stand out of their cards."""
LIVE = "document.querySelector('[data-live]').dataset.live"

Open = Callable[..., Page]


def ask(hub: HubProcess, text: str, model: str = "assistant") -> None:
    body = {"model": model, "temperature": 0, "messages": [{"role": "user", "content": text}]}
    hub.post("/v1/chat/completions", body)


def join(folder: Path, name: str, role: str = "owner") -> None:
    """A person of the hub in that folder, with PASSWORD."""
    control = open_control(Settings(store=Store(url=f"sqlite://{folder}/pihub.db")))
    control.accounts.create(name, PASSWORD, role)
    control.close()


@contextmanager
def seated(
    chromium: Browser,
    hub: HubProcess,
    screen: str,
    name: str = "olga",
    *,
    minds: Callable[[str], bool] = lambda text: True,
    patience: int = PATIENCE,
) -> Iterator[Page]:
    """A browser of that person, who wanted a screen and had to log in for it. Fails for what its
    console said and `minds` is true of."""
    context = chromium.new_context(viewport=DESK)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(patience)
    said: list[str] = []
    page.on("console", lambda m: said.append(f"{m.type}: {m.text}"))
    page.on("pageerror", lambda error: said.append(f"pageerror: {error}"))
    page.goto(f"{hub.url}/dashboard/{screen}")
    assert "/dashboard/login" in page.url, "nobody sees it without a login"
    page.fill("[name=user]", name)
    page.fill("[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(f"**/dashboard/{screen}*")
    yield page
    context.close()
    assert [one for one in said if minds(one)] == []


def until(page: Page, expression: str) -> None:
    """Poll. Playwright's own wait_for_function evaluates strings, which the policy forbids."""
    end = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"it never came true: {expression}"
        page.wait_for_timeout(50)
