"""What is sent to a whole hub by hand: malformed requests, and clients that take their time."""

from __future__ import annotations

import re
import socket
import subprocess
import tomllib
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parents[1] / "corpus" / "http" / "requests.toml"
REFUSED = (400, 408, 411, 413, 414, 417, 431, 501, 505)


def smuggle(port: int) -> list[str]:
    """Each request of the corpus that the server must refuse, at a hub; what went wrong.

    A refused request ends its connection, so that what follows it cannot be taken for
    another request (RFC 9112, 11.2).
    """
    wrong = []
    for case in tomllib.loads(CORPUS.read_text())["case"]:
        if not any(status in REFUSED for status in case["status"]):
            continue
        told = _ask(port, case)
        statuses = [int(found) for found in re.findall(rb"HTTP/1\.[01] (\d{3}) ", told)]
        # Closed without a word is a refusal, too; served is none.
        refused = case["status"].index(next(one for one in case["status"] if one in REFUSED))
        if any(one < 400 for one in statuses[refused:]) or (told and not statuses):
            wrong.append(f"{case['name']}: {statuses or told[:60]!r}")
    return wrong


def _ask(port: int, case: dict[str, Any]) -> bytes:
    text: str = case["request"]
    data = text.replace("{fill}", "a" * case.get("fill", 0)).encode("latin-1")
    found = b""
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while piece := sock.recv(65536):
                found += piece
        except OSError:  # closed by the hub, at whichever of the three
            pass
    return found


SLOW = {
    "slow heads": ["-H", "-i", "1"],
    "slow bodies": ["-B", "-i", "1", "-s", "8192"],
    "slow readers": ["-X", "-w", "10", "-y", "20", "-n", "1", "-z", "5", "-k", "3"],
}


SEEN = 3
"""Looks, five seconds apart, until a server that stands still is seen to: its first answer that
fails to come takes three seconds, and is told at the next look but one."""


def slowly(url: str, kind: str, seconds: int) -> str:
    """slowhttptest with 200 connections for 15 seconds or more; empty, or how the hub was hurt."""
    command = [
        "slowhttptest", *SLOW[kind], "-c", "200", "-r", "100", "-l", str(seconds), "-p", "3",
        "-u", url,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", done.stdout)
    states = re.findall(r"service available:\s*(\w+)", text)
    if not states:
        return f"slowhttptest said nothing of the service: {text[-300:]}{done.stderr[-300:]}"
    if len(states) < SEEN:
        return f"only {len(states)} looks in {seconds} seconds: too short to see anything"
    hurt = sum(one != "YES" for one in states)
    return f"not available in {hurt} of {len(states)} looks" if hurt else ""
