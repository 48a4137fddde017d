"""The error tree: every way a request or a start-up can fail, by cause.

Each concrete class has a unique `code` (documented in docs/errors.md, checked by a
test), the HTTP status that a client sees, and a `kind` from which each client
protocol derives its own error type. `message` is safe to show to a client: it never
holds a stack, a path, an upstream's key or an upstream's body. What only the log may
see goes into `detail`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

Kind = Literal[
    "invalid_request",
    "authentication",
    "permission",
    "not_found",
    "too_large",
    "rate_limit",
    "billing",
    "overloaded",
    "timeout",
    "upstream",
    "internal",
]


class PihubError(Exception):
    """Root of all errors that pihub raises on purpose."""

    code: ClassVar[str] = ""
    status: ClassVar[int] = 500
    kind: ClassVar[Kind] = "internal"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        detail: str = "",
        retry_after: float | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.retry_after = retry_after
        self.param = param


# ---- the caller's doing ------------------------------------------------------------


class BadRequest(PihubError):
    """The request is malformed; `param` names the field."""
    code, status, kind = "bad_request", 400, "invalid_request"


class Unsupported(BadRequest):
    """The request asks for something that no upstream of its chain can carry."""
    code = "unsupported"


class InputRefused(BadRequest):
    """The input scanner refused a path, query or header value."""
    code = "input_refused"


class UnsupportedCoding(BadRequest):
    """The body has a content coding that the hub does not undo."""
    code, status = "unsupported_coding", 415


class Unauthenticated(PihubError):
    """No key, or a key that the hub does not know."""
    code, status, kind = "invalid_api_key", 401, "authentication"


class InvalidSignature(Unauthenticated):
    """A webhook's signature is wrong."""
    code = "invalid_signature"


class MissingSignature(InvalidSignature):
    """A webhook's signature or timestamp is missing, or of a version that is not accepted."""
    code = "missing_signature"


class StaleSignature(InvalidSignature):
    """A webhook's timestamp is more than five minutes off."""
    code = "stale_signature"


class LoginRequired(Unauthenticated):
    """The control plane needs a login, or an admin key; or the one that was sent is wrong."""
    code = "login_required"


class Forbidden(PihubError):
    """The key is known but may not do this."""
    code, status, kind = "forbidden", 403, "permission"


class NotFound(PihubError):
    """No such route, model or API."""
    code, status, kind = "not_found", 404, "not_found"


class PolicyRefused(Forbidden):
    """The policy leaves no target of the model's chain (a local-only key, a cloud-only model)."""
    code = "policy_refused"


class PromptWithheld(Forbidden):
    """The prompt holds what may not leave the house, and the model has no local target."""
    code = "prompt_withheld"


class ContextExceeded(BadRequest):
    """The prompt is longer than any target of the chain can read; nothing was cut."""
    code = "context_length_exceeded"


class ModelNotFound(NotFound):
    """The model name is neither an alias nor a member of a configured chain."""
    code = "model_not_found"


class MethodNotAllowed(PihubError):
    """The route exists, the method does not."""
    code, status, kind = "method_not_allowed", 405, "invalid_request"


class Conflict(PihubError):
    """The request contradicts what is there, or one that is still at work."""
    code, status, kind = "conflict", 409, "invalid_request"


class IdempotencyMismatch(PihubError):
    """The Idempotency-Key was used with another body: a retry must send the same one."""
    code, status, kind = "idempotency_mismatch", 422, "invalid_request"


class PreconditionFailed(PihubError):
    """The object changed since the caller read it: If-Match names another version."""
    code, status, kind = "precondition_failed", 412, "invalid_request"


class PreconditionRequired(PihubError):
    """This write needs If-Match with the ETag of the object that was read."""
    code, status, kind = "precondition_required", 428, "invalid_request"


class TooLarge(PihubError):
    """The body exceeds `limits.body`."""
    code, status, kind = "request_too_large", 413, "too_large"


class RateLimited(PihubError):
    """The key's rate is used up; `retry_after` says for how long."""
    code, status, kind, retryable = "rate_limited", 429, "rate_limit", True


class BudgetExceeded(PihubError):
    """A budget has no room for what the request may cost.

    `goes_on`: a cheaper target of the chain may be tried instead.
    """

    code, status, kind = "budget_exceeded", 402, "billing"

    def __init__(self, message: str, *, detail: str = "", goes_on: bool = False) -> None:
        super().__init__(message, detail=detail)
        self.goes_on = goes_on


class PriceUnknown(PihubError):
    """The model has no known price, and the configuration blocks such models."""
    code, status, kind = "price_unknown", 402, "billing"


class TooManyAttempts(RateLimited):
    """Too many failed logins of this account or from this address."""
    code = "too_many_attempts"


class ClientGone(PihubError):
    """The client closed its connection; nobody is left to answer."""
    code, status, kind = "client_gone", 499, "invalid_request"


# ---- the upstream's doing ----------------------------------------------------------


class UpstreamError(PihubError):
    """An upstream failed. `upstream_status` is its HTTP status, 0 if it gave none."""
    code, status, retryable = "upstream_error", 502, True
    kind: ClassVar[Kind] = "upstream"

    def __init__(
        self,
        message: str,
        *,
        upstream_status: int = 0,
        detail: str = "",
        retry_after: float | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message, detail=detail, retry_after=retry_after, param=param)
        self.upstream_status = upstream_status


class UpstreamUnreachable(UpstreamError):
    """Name resolution, connecting or the TLS handshake failed."""
    code = "upstream_unreachable"


class UpstreamTimeout(UpstreamError):
    """One of the timers fired; `timer` is connect, headers, first_byte, idle or total."""
    code, status, kind = "upstream_timeout", 504, "timeout"

    def __init__(self, message: str, *, timer: str, detail: str = "") -> None:
        super().__init__(message, detail=detail)
        self.timer = timer


class UpstreamProtocol(UpstreamError):
    """The upstream's bytes are not HTTP/1.1, or not the format they claim to be."""
    code = "upstream_protocol"


class UpstreamIncomplete(UpstreamError):
    """The upstream's answer ended before its terminal marker."""
    code = "upstream_incomplete"


class UpstreamRejected(UpstreamError):
    """The upstream said 4xx: the request, or the hub's credentials, are at fault."""
    code, retryable = "upstream_rejected", False


class RequestRejected(UpstreamRejected):
    """The upstream, which speaks the client's own protocol, refused the request itself."""
    code, status, kind = "request_rejected", 400, "invalid_request"


class UpstreamBusy(UpstreamError):
    """The upstream said 429, 503 or 529."""
    code, status, kind = "upstream_busy", 503, "overloaded"


class LocalBusy(UpstreamBusy):
    """The queue before a local upstream is full or too slow; `retry_after` predicts the wait."""
    code, status, kind = "local_busy", 503, "overloaded"


class ModelHeld(UpstreamBusy):
    """Loading the model would evict one that a conversation is using."""
    code = "model_held"


class DraftRejected(UpstreamError):
    """A local draft did not pass its checks; `check` names the first that failed."""
    code, retryable = "draft_rejected", False
    check = ""


class ChainDeadline(UpstreamError):
    """The chain's time is used up (`routing.chain_seconds`)."""
    code, status, kind = "chain_deadline", 504, "timeout"


class BreakerOpen(UpstreamError):
    """The circuit breaker of the upstream is open; it was not called."""
    code, status, kind = "breaker_open", 503, "overloaded"


class HubOffline(PihubError):
    """Nothing outside is reached, and no local model may answer in its place."""
    code, status, kind, retryable = "offline", 503, "overloaded", True


class OfflineQueued(PihubError):
    """Nothing outside is reached, and the request was made a job; `job` is its id. Asking again
    makes no second one while that lasts, and is of no use."""
    code, status, kind = "offline_queued", 503, "overloaded"
    job = ""


class ChainExhausted(UpstreamError):
    """Every target of the model's chain failed; `detail` lists the reasons."""
    code = "chain_exhausted"


# ---- the hub's doing ---------------------------------------------------------------


class Overloaded(PihubError):
    """A bound of the hub is reached (connections, streams, memory)."""
    code, status, kind, retryable = "overloaded", 503, "overloaded", True


class StreamCancelled(PihubError):
    """An operator ended the stream."""
    code, status, kind = "stream_cancelled", 503, "overloaded"


class Starting(Overloaded):
    """The hub has not loaded its keys yet."""
    code = "starting"


class Internal(PihubError):
    """A defect in pihub. The log has the stack under the request id."""
    code = "internal_error"


class ControlUnavailable(PihubError):
    """The control process is down; the data plane goes on without it."""
    code, status, kind, retryable = "control_unavailable", 503, "overloaded", True


# ---- start-up ----------------------------------------------------------------------


class StartupError(PihubError):
    """The hub refuses to start; the message says what to do."""
    code = "startup_error"


class ConfigError(StartupError):
    """The configuration is wrong; `message` lists every fault with file and line."""
    code = "config_error"


class ArenaError(StartupError):
    """The shared arena cannot be created or attached."""
    code = "arena_error"


def all_errors() -> Iterator[type[PihubError]]:
    """Every concrete error class, for the documentation and its test."""
    todo: list[type[PihubError]] = [PihubError]
    while todo:
        cls = todo.pop()
        todo.extend(cls.__subclasses__())
        if cls.code:
            yield cls
