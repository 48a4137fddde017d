"""Screens, and how the browser's tests wait and ask."""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Page

from tests.system.hub import HubProcess

PASSWORD = "a banana is bent by the sun"
"""Of the people in the tests' hubs."""
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}
NARROW = {"width": 320, "height": 700}
PATIENCE = 15_000
"""Milliseconds."""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
BROKEN = """[...document.querySelectorAll("main .list th, main .list td, main .requests td")]
.flatMap((cell) => {
  const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), found = [];
  while (texts.nextNode()) {
    for (const word of texts.currentNode.data.matchAll(/[^\\s\\/-]{2,24}/g)) {
      const range = document.createRange();
      range.setStart(texts.currentNode, word.index);
      range.setEnd(texts.currentNode, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map((one) => Math.round(one.top)));
      if (lines.size > 1) found.push(word[0]);
    }
  }
  return found;
})"""
"""Words in tables that stand on two lines."""
LIVE = "document.querySelector('[data-live]').dataset.live"

Open = Callable[..., Page]


def ask(hub: HubProcess, text: str, model: str = "assistant") -> None:
    body = {"model": model, "temperature": 0, "messages": [{"role": "user", "content": text}]}
    hub.post("/v1/chat/completions", body)


def until(page: Page, expression: str) -> None:
    """Poll. Playwright's own wait_for_function evaluates strings, which the policy forbids."""
    end = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"it never came true: {expression}"
        page.wait_for_timeout(50)
