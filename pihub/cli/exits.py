"""Exit codes, the same for every command."""

from __future__ import annotations

OK = 0
REFUSED = 1
"""The configuration is wrong, or the hub refuses to start."""
USAGE = 2
"""The command line is wrong (argparse's own code)."""
UNREACHABLE = 3
"""The running hub was needed and is not there, or does not answer."""
FAILED = 4
"""The hub or the store said no: no such key, a wrong name, a full table."""
INTERRUPTED = 130

HELP = """Exit codes: 0 done; 1 the configuration is wrong or the start is refused;
2 wrong command line; 3 the hub is not running or does not answer; 4 the hub
refused the change; 130 interrupted."""


class Failure(Exception):
    """Ends the command: the message goes to stderr, the code to the shell."""

    def __init__(self, message: str, code: int = REFUSED) -> None:
        super().__init__(message)
        self.code = code
