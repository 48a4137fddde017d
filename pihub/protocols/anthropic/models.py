"""What Claude models take, by family and version as their names tell it.

Source: Anthropic's migration guides and error reference: sampling parameters and thinking
budgets are refused from 4.7 on, prefill from 4.6 on; temperature and top_p exclude each
other from 4.1 on; adaptive thinking since 4.6, effort since Opus 4.5, structured output
since Opus 4.1 and Sonnet 4.5. A name that tells nothing is taken for a current model
without limits: the upstream then decides.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_NAME = re.compile(r"claude-(?:([a-z]+)-)?(\d)(?:[-.](\d{1,2}))?(?:-([a-z]+))?(?=$|[-@:])")


class Capabilities(NamedTuple):
    sampling: bool
    """temperature, top_p and top_k are accepted."""
    both_samplings: bool
    """temperature and top_p may be set together."""
    budget: bool
    """thinking may be `enabled` with a budget."""
    adaptive: bool
    effort: bool
    prefill: bool
    json_schema: bool


_ALL = Capabilities(True, True, True, True, True, True, True)


def capabilities(model: str) -> Capabilities:
    """Cheap enough for every request (one regular expression)."""
    match = _NAME.search(model)
    if match is None:
        return _ALL
    family = match.group(1) or match.group(4) or ""
    version = (int(match.group(2)), int(match.group(3) or 0))
    opus = family == "opus"
    return Capabilities(
        sampling=version < (4, 7),
        both_samplings=version < (4, 1),
        budget=(3, 7) <= version < (4, 7),
        adaptive=version >= (4, 6),
        effort=version >= ((4, 5) if opus else (4, 6)),
        prefill=version < (4, 6),
        json_schema=version >= ((4, 1) if opus else (4, 5)),
    )
