"""HTTP dates (RFC 9110 section 5.6.7) without the email package's weight."""

from __future__ import annotations

import calendar
import re
import time
from typing import Final

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun",
                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # fmt: skip
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_FORMS: Final = (
    # Sun, 06 Nov 1994 08:49:37 GMT
    re.compile(r"\w{3}, (?P<d>\d\d) (?P<m>\w{3}) (?P<y>\d{4}) (?P<t>\d\d:\d\d:\d\d) GMT"),
    # Sunday, 06-Nov-94 08:49:37 GMT
    re.compile(r"\w+, (?P<d>\d\d)-(?P<m>\w{3})-(?P<y>\d\d) (?P<t>\d\d:\d\d:\d\d) GMT"),
    # Sun Nov  6 08:49:37 1994
    re.compile(r"\w{3} (?P<m>\w{3}) (?P<d>[ \d]\d) (?P<t>\d\d:\d\d:\d\d) (?P<y>\d{4})"),
)


def parse_date(text: str) -> int | None:
    """Unix seconds, None if it is none of the three forms."""
    for form in _FORMS:
        match = form.fullmatch(text.strip())
        if match is None or match["m"] not in _MONTHS:
            continue
        year = int(match["y"])
        if len(match["y"]) == 2:
            # A date more than 50 years ahead means the century before.
            century = time.gmtime().tm_year // 100 * 100
            year += century if year + century - time.gmtime().tm_year <= 50 else century - 100
        hour, minute, second = (int(part) for part in match["t"].split(":"))
        if hour > 23 or minute > 59 or second > 60 or not 1 <= int(match["d"]) <= 31:
            return None
        month = _MONTHS.index(match["m"]) + 1
        return calendar.timegm((year, month, int(match["d"]), hour, minute, second))
    return None


def format_date(seconds: float) -> str:
    """The preferred form of Unix seconds."""
    t = time.gmtime(seconds)
    return (
        f"{_DAYS[t.tm_wday]}, {t.tm_mday:02} {_MONTHS[t.tm_mon - 1]} {t.tm_year:04} "
        f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} GMT"
    )
