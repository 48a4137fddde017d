"""Write a pihub.toml that fits this machine: workers, cache and limits by its memory and
cores, the upstreams that are found here (Ollama, ANTHROPIC_API_KEY), simulated ones else.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pihub.cli import configuration, exits

if TYPE_CHECKING:
    from pihub.ops.machine import Machine
    from pihub.ops.presets import Preset

PATIENCE = 1.0
"""Seconds for Ollama to list its models."""
SERVICE_STATE = "/var/lib/pihub"
SERVICE_RUN = "/run/pihub"

EXAMPLE = """Examples:
  pihub init && pihub serve
  pihub init --print
  pihub init --service --output /etc/pihub/pihub.toml"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", metavar="FILE", default="pihub.toml", help="where to write it")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    parser.add_argument("--print", action="store_true", help="to the terminal, write nothing")
    parser.add_argument(
        "--service", action="store_true", help="for the system service: data in /var/lib/pihub"
    )


def run(args: argparse.Namespace) -> int:
    from pihub.ops.machine import device_kind, machine
    from pihub.ops.presets import preset

    board = machine()
    state = Path(SERVICE_STATE) if args.service else Path(configuration.STATE).absolute()
    storage = device_kind(state)
    chosen = preset(board, storage)
    text = render(board, chosen, state, storage, args.service, os.environ)
    if args.print:
        print(text, end="")
        return exits.OK
    target = Path(args.output)
    try:
        with target.open("w" if args.force else "x") as file:
            file.write(text)
    except FileExistsError:
        raise exits.Failure(f"{target} is there already; --force replaces it") from None
    except OSError as error:
        raise exits.Failure(f"{target} cannot be written: {error.strerror}") from None
    following = "systemctl restart pihub" if args.service else "pihub serve"
    print(f"{target}: for {board.model}, preset {chosen.name} of memory; next: {following}")
    return exits.OK


def render(
    board: Machine,
    chosen: Preset,
    state: Path,
    storage: str,
    service: bool,
    environ: Mapping[str, str],
) -> str:
    """The file's text."""
    upstreams = _upstreams(environ)
    url = json.dumps(f"sqlite://{state}/pihub.db")
    lines = [
        f"# pihub.toml for {board.model}: {board.memory >> 20} MB of memory, {board.cores} cores"
        + (f", {storage}" if storage else ""),
        "# Every key with its default and meaning: docs/settings.md. Check: pihub check",
        "# Keys of upstreams never stand here; they come from the environment or from files.",
        "",
        "[server]",
        'listen = "127.0.0.1:8080"        # "0.0.0.0:8080" for the whole network (plain HTTP)',
        'workers = "auto"                 # follows the load between the next two',
        "min_workers = 1",
        f"max_workers = {chosen.max_workers}",
        f"connections = {chosen.connections}",
        *([f"run_dir = {json.dumps(SERVICE_RUN)}"] if service else []),
        *([] if upstreams else ["demo = true                      # simulated upstreams"]),
        "",
        "[cache]",
        f'size = "{chosen.cache}"',
        "",
        "[limits]",
        f'body = "{chosen.body}"',
        f'answer = "{chosen.answer}"',
        f"streams_per_worker = {chosen.streams}",
        "",
        "[store]",
        f"url = {url}",
        *(
            ["flush = 5                        # rare writes spare the card"]
            if storage == "SD card"
            else []
        ),
        "",
        "[machine]",
        f'write_budget = "{chosen.write_budget}"',
        "",
        *(upstreams or _EMPTY),
    ]
    return "\n".join(lines).rstrip() + "\n"


_EMPTY = [
    "# Nothing was found to call. Remove `demo` above and name what is there:",
    "# [upstreams.ollama]",
    '# kind = "ollama"',
    '# url = "http://127.0.0.1:11434"',
    "#",
    "# [upstreams.claude]",
    '# kind = "anthropic"',
    '# url = "https://api.anthropic.com"',
    '# api_key_env = "ANTHROPIC_API_KEY"',
    "#",
    "# [models.assistant]",
    '# chain = ["ollama/llama3.2:3b", "claude/claude-haiku-4-5"]',
]


def _upstreams(environ: Mapping[str, str]) -> list[str]:
    """Sections of the upstreams that answer here or whose key is set."""
    from pihub.settings.zero import CLAUDE_MODEL, OLLAMA_MODEL, ollama_url

    named = environ.get("OLLAMA_HOST", "").strip()
    url = ollama_url(named or "127.0.0.1:11434")
    models = ollama_models(url)
    lines: list[str] = []
    chain: list[str] = []
    if named or models is not None:
        lines += ["[upstreams.ollama]", 'kind = "ollama"', f"url = {json.dumps(url)}", ""]
        chain.append(f"ollama/{(models or [OLLAMA_MODEL])[0]}")
    if environ.get("ANTHROPIC_API_KEY", "").strip():
        lines += [
            "[upstreams.claude]",
            'kind = "anthropic"',
            'url = "https://api.anthropic.com"',
            'api_key_env = "ANTHROPIC_API_KEY"',
            "",
        ]
        chain.append(f"claude/{CLAUDE_MODEL}")
    if not lines:
        return []
    return [
        *lines,
        "[models.assistant]               # the name that clients use",
        f"chain = {json.dumps(chain)}",
    ]


def ollama_models(url: str) -> list[str] | None:
    """Names of the models there; None if nothing that speaks Ollama answers."""
    from pihub.upstream.ask import ask_json

    try:
        found = ask_json(f"{url}/api/tags", timeout=PATIENCE)
        return [str(one["name"]) for one in found["models"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
