"""Without a file: real upstreams if the environment names some, else simulated ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pihub.settings.faults import Path

OLLAMA_MODEL = "llama3.2:3b"
CLAUDE_MODEL = "claude-haiku-4-5"
OLLAMA_PORT = 11434
VARIABLES = ("OLLAMA_HOST", "ANTHROPIC_API_KEY")
_NOBODY = "http://127.0.0.1:9"
"""Stands where the simulators' URLs go; the discard port, so nobody is called."""


def ollama_url(host: str) -> str:
    """A URL from OLLAMA_HOST, which is read as Ollama's own client reads it: scheme
    and port may be missing, and the address to listen on means this machine."""
    scheme, slashes, rest = host.strip().strip("\"'").rpartition("://")
    scheme = scheme.lower() if slashes else "http"
    rest, _, path = rest.partition("/")
    default = {"https": 443, "http": 80}.get(scheme, OLLAMA_PORT) if slashes else OLLAMA_PORT
    name, colon, port = rest.rpartition(":")
    if not colon or "]" in port or (":" in name.strip("[]") and not rest.startswith("[")):
        name, port = rest, ""
    name = name.strip("[]")
    if name in ("", "0.0.0.0", "::"):  # noqa: S104 - to listen on, not to call
        name = "127.0.0.1"
    if ":" in name:
        name = f"[{name}]"
    suffix = f"/{path.rstrip('/')}" if path.rstrip("/") else ""
    return f"{scheme}://{name}:{port or default}{suffix}"


def tables(environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[Path, str]]:
    """(raw tables, where each came from); empty if the environment names nothing."""
    raw: dict[str, Any] = {}
    origins: dict[Path, str] = {}
    upstreams: dict[str, Any] = {}
    chain: list[str] = []
    if environ.get("OLLAMA_HOST", "").strip():
        upstreams["ollama"] = {"kind": "ollama", "url": ollama_url(environ["OLLAMA_HOST"])}
        origins["upstreams", "ollama", "url"] = "env OLLAMA_HOST"
        chain.append(f"ollama/{OLLAMA_MODEL}")
    if environ.get("ANTHROPIC_API_KEY", "").strip():
        upstreams["claude"] = {
            "kind": "anthropic",
            "url": "https://api.anthropic.com",
            "api_key_env": "ANTHROPIC_API_KEY",
        }
        origins["upstreams", "claude", "api_key_env"] = "env ANTHROPIC_API_KEY"
        chain.append(f"claude/{CLAUDE_MODEL}")
    if upstreams:
        raw = {"upstreams": upstreams, "models": {"assistant": {"chain": chain}}}
        origins["models", "assistant", "chain"] = "env " + " and ".join(
            variable for variable in VARIABLES if environ.get(variable, "").strip()
        )
    return raw, origins


def demo_tables() -> tuple[dict[str, Any], dict[Path, str]]:
    """The simulated upstreams, before anybody knows their ports."""
    raw = {
        "upstreams": {
            "ollama": {"kind": "ollama", "url": _NOBODY, "simulated": True},
            "claude": {"kind": "anthropic", "url": _NOBODY, "simulated": True},
        },
        "models": {
            "assistant": {"chain": [f"ollama/{OLLAMA_MODEL}", f"claude/{CLAUDE_MODEL}"]},
        },
    }
    origins: dict[Path, str] = {("models", "assistant", "chain"): "demo"}
    for name in ("ollama", "claude"):
        for key in ("kind", "url", "simulated"):
            origins["upstreams", name, key] = "demo"
    return raw, origins
