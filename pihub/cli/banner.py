"""What `pihub serve` says when it is ready: where, with which key, and how."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pihub import __version__

if TYPE_CHECKING:
    from pihub.cli.first_key import First
    from pihub.settings.loaded import Loaded
    from pihub.shared.state import Plan


PROCESS = 20
"""MB that a process of the hub holds for itself, measured after load; streams come on top."""


def banner(
    loaded: Loaded,
    urls: Sequence[str],
    first: First,
    *,
    narrowed: bool = False,
    memory: Sequence[str] = (),
) -> str:
    """`urls`: what the hub listens on; `narrowed`: less than was configured, for now.
    `memory`: the lines of `budget`.
    """
    token = first.token
    base = (loaded.settings.server.public_url or _friendly(urls)).rstrip("/")
    shown, words = _key(loaded, token)
    model = next(iter(loaded.settings.models), "")
    upstreams = ", ".join(
        f"{name} (simulated)" if upstream.simulated else name
        for name, upstream in loaded.settings.upstreams.items()
    )
    lines = [
        "",
        f"  pihub {__version__} is ready",
        "",
        f"  Base URL    {base}/v1    (Anthropic and Ollama clients: {base})",
        f"  API key     {words}",
        f"  Dashboard   {base}/dashboard",
        f"  Upstreams   {upstreams or 'none'}",
        *memory,
        *_admin(first, _friendly(urls).rstrip("/"), narrowed),
    ]
    if loaded.demo:
        lines += [
            "",
            "  Answers are simulated: no account and no model is needed. For real ones set",
            "  OLLAMA_HOST or ANTHROPIC_API_KEY, or write a pihub.toml, and start again.",
        ]
    if model:
        lines += ["", *_examples(base, shown, model)]
    return "\n".join(lines) + "\n"


def budget(plan: Plan, cgroup: bool) -> list[str]:
    """What the hub may hold, and who sees to it. `cgroup`: the kernel counts memory too."""
    sizes = dict(plan.regions())
    shared, cache = (size >> 20 for size in (sum(sizes.values()), sizes["cache"]))
    processes = plan.workers + 2
    lines = [
        f"  Memory      {shared + processes * PROCESS} MB: {shared} shared (cache {cache}), "
        f"about {PROCESS} for each of {processes} processes"
    ]
    if not cgroup:
        lines.append(
            "              (the memory cgroup is off: no limit of systemd's counts, the hub keeps"
        )
        lines.append("              to this by itself; `pihub doctor` says how to switch it on)")
    return lines


def _admin(first: First, here: str, narrowed: bool) -> list[str]:
    """How the first admin is made, until there is one."""
    if first.admin:
        return []
    lines = []
    if first.link is not None and not os.environ.get("JOURNAL_STREAM"):
        lines.append(f"  Set up      {here}/dashboard/setup/{first.link}")
        lines.append("              (makes the first admin; good once, for a day, on this machine)")
    else:
        lines.append("  Set up      make the first admin with: pihub admin create NAME")
    if narrowed:
        lines.append(
            "  NOTE        there is no admin yet, so the hub listens on this machine only;"
        )
        lines.append("              make one, then start it again")
    return lines


def _key(loaded: Loaded, token: str | None) -> tuple[str, str]:
    """(what stands in the examples, what the line says)"""
    make = "pihub keys create --name NAME"
    if token is None:
        return "$PIHUB_KEY", f"make one with: {make}"
    if loaded.demo:
        return token, token
    if os.environ.get("JOURNAL_STREAM"):  # set by systemd when output goes to the journal
        return "$PIHUB_KEY", f"not shown in a log; make one with: {make}"
    return token, f"{token}    (shown once; more with: {make})"


def _friendly(urls: Sequence[str]) -> str:
    """The first address, as a browser on this machine can open it."""
    url = next((url for url in urls if url.startswith("http")), "http://127.0.0.1:8080")
    return url.replace("://0.0.0.0:", "://127.0.0.1:").replace("://[::]:", "://[::1]:")


def _examples(base: str, key: str, model: str) -> list[str]:
    """Not indented: what is copied must run as it stands."""
    quoted, start = f'"{key}"', []
    if key.startswith("$"):
        quoted, start = 'os.environ["PIHUB_KEY"]', ["import os"]
    said = '[{"role": "user", "content": "Say hello"}]'
    return [
        "# ---- curl",
        f"curl {base}/v1/chat/completions \\",
        f'  -H "authorization: Bearer {key}" -H "content-type: application/json" \\',
        f'  -d \'{{"model": "{model}", "messages": {said}}}\'',
        "",
        "# ---- Python, openai",
        *start,
        "from openai import OpenAI",
        f'client = OpenAI(base_url="{base}/v1", api_key={quoted})',
        f"messages = {said}",
        f'answer = client.chat.completions.create(model="{model}", messages=messages)',
        "print(answer.choices[0].message.content)",
        "",
        "# ---- Python, anthropic",
        *start,
        "from anthropic import Anthropic",
        f'client = Anthropic(base_url="{base}", api_key={quoted})',
        f"messages = {said}",
        f'answer = client.messages.create(model="{model}", max_tokens=100, messages=messages)',
        "print(answer.content[0].text)",
    ]
