"""The last look at every log line: secrets do not pass.

By form (the hub's own keys, bearer tokens, vendors' keys, passwords in URLs and forms) and
by value (every secret of the configuration), tracebacks included.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

HIDDEN = "[hidden]"
SHORTEST = 6
"""A shorter configured secret would hide ordinary words."""
_FORMS = (
    re.compile(r"\bph_[A-Za-z0-9_-]{16,}"),
    re.compile(r"\b(?:sk|rk|pk|pat|ghp|gho|xox[abp])[-_][A-Za-z0-9_-]{12,}"),
    re.compile(r"(?i)(?<=\bbearer )[^\s\"',;]+"),
    re.compile(r"(?i)(?<=\bbasic )[A-Za-z0-9+/=]{8,}"),
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),
    re.compile(
        r"(?i)(?<![a-z0-9])(?:api[-_]?key|key|token|secret|password|passwd|csrf|code|cookie"
        r"|pihub_session|authorization)(?:\"|')?\s{0,3}[=:]\s{0,3}(?:\"|')?(?!bearer|basic)"
        r"[^\s\"'&,;}]{6,}"
    ),
    re.compile(r"(?<=/dashboard/setup/)[A-Za-z0-9_-]{16,}"),
)


class RedactingFormatter(logging.Formatter):
    """A Formatter whose every result was cleaned."""

    def __init__(self, form: str, secrets: Iterable[bytes | str] = ()) -> None:
        super().__init__(form)
        texts = {s.decode("latin-1") if isinstance(s, bytes) else s for s in secrets}
        self._secrets = sorted((s for s in texts if len(s) >= SHORTEST), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record), self._secrets)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without what looks like a secret, and without those that are known."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    for form in _FORMS:
        text = form.sub(HIDDEN, text)
    return text
