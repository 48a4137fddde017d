"""What types cannot say of [alerts]: bounds that make sense."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pihub.settings.alerts import BUILT_IN, AlertRule
from pihub.settings.faults import Faults, did_you_mean

if TYPE_CHECKING:
    from pihub.settings.schema import Settings

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")
MOST = 64
"""Rules, the built-in ones included."""


def check(settings: Settings, faults: Faults) -> None:
    """Every fault of [alerts]."""
    rules = settings.alerts.rules
    if len({*rules, *BUILT_IN}) > MOST:
        faults.add(("alerts", "rules"), f"at most {MOST} rules")
    for name, rule in rules.items():
        path = ("alerts", "rules", name)
        if not _NAME.fullmatch(name):
            faults.add(path, "a name is up to 41 of a-z 0-9 _ - and begins with a letter or digit")
        base = BUILT_IN.get(name, AlertRule())
        if base.measure is None and rule.measure is None:
            near = did_you_mean(name, list(BUILT_IN))
            faults.add(path, f"is no built-in rule{near}: a rule of your own needs measure")
        if rule.above is not None and rule.below is not None:
            faults.add(path, "give either above or below, not both")
            continue
        bound = rule if rule.above is not None or rule.below is not None else base
        if bound.above is None and bound.below is None:
            faults.add(path, "needs above or below")
        if rule.clear is None:
            continue
        if bound.above is not None and rule.clear > bound.above:
            faults.add((*path, "clear"), "must not be over above: it would never begin")
        if bound.below is not None and rule.clear < bound.below:
            faults.add((*path, "clear"), "must not be under below: it would never begin")
