"""What a load of the configuration gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from pihub.settings.epoch import epoch
from pihub.settings.schema import Settings


@dataclass(frozen=True)
class Loaded:
    """Settings and what is known about them.

    `provenance`: dotted key -> `default`, `FILE:LINE`, `env NAME` or another word for
    every leaf. `secrets`: name of the upstream or API -> its key (no two share a name).
    `demo`: nothing is configured; the simulators' URLs are to be filled in.
    """

    settings: Settings
    provenance: dict[str, str]
    warnings: tuple[str, ...]
    secrets: dict[str, bytes] = field(repr=False)
    source: Path | None = None
    demo: bool = False
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What it was read with: a changed text has to be judged by the same."""

    @property
    def epoch(self) -> int:
        """Of the cache: see `pihub.settings.epoch`."""
        return epoch(self.settings)

    def with_simulators(self, urls: Mapping[str, str]) -> Loaded:
        """The same with the URLs (by upstream) of simulated upstreams."""
        upstreams = {
            name: msgspec.structs.replace(upstream, url=urls[name]) if name in urls else upstream
            for name, upstream in self.settings.upstreams.items()
        }
        return replace(self, settings=msgspec.structs.replace(self.settings, upstreams=upstreams))
