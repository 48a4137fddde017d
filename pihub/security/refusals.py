"""What a lock-out refuses stands in the audit log, however often somebody goes on."""

from __future__ import annotations

from pihub.errors import TooManyAttempts
from pihub.security.actor import Actor
from pihub.security.audit import AuditLog
from pihub.security.lockout import Lockout


def write_refusal(
    audit: AuditLog, lockout: Lockout, action: str, object_: str, account: str, source: str
) -> None:
    """Who, from where, and which lock; the rows of one lock grow by the logarithm of its
    refusals, and each lock has cost five failures."""
    told = lockout.refused(account, source)
    if told is not None:
        actor = Actor("nobody", account, frozenset(), source=source)
        audit.write(actor, action, object_, TooManyAttempts.code, None, told._asdict())
