"""Audit: who changed what, from where; a chain of hashes."""

from __future__ import annotations

import time
from collections.abc import Mapping

from pihub.dashboard.parts import Cell, Line, Screen, Table, Tone
from pihub.dashboard.sources import Sources

LATEST = 100


def build(sources: Sources, asked: Mapping[str, str]) -> Screen:
    control = sources.services.control
    rows = [] if control is None else control.audit.page(sources.tenant, None, False, LATEST)
    return Screen(
        "Audit log",
        (
            Table(
                "Latest changes",
                ("When", "Who", "What", "Result", "Change"),
                tuple(
                    Line(
                        (
                            Cell(time.strftime("%d %b %H:%M:%S", time.localtime(one.at / 1e9))),
                            Cell(one.actor, one.source),
                            Cell(one.action, one.object),
                            Cell(one.result, tone=_tone(one.result)),
                            Cell(_change(one.before, one.after)),
                        )
                    )
                    for one in rows
                ),
                "Nobody has changed anything yet.",
                note="Rows are never changed; `pihub audit verify` proves it.",
            ),
        ),
        refresh=10,
    )


def _tone(result: str) -> Tone:
    """`ok`, a status, or the code of a refusal."""
    return "" if result == "ok" or result[:1] in ("2", "3") else "look"


def _change(before: str, after: str) -> str:
    text = f"{before} → {after}" if before and after else before or after
    return text if len(text) <= 200 else text[:199] + "…"
