"""A simulated Claude: /v1/messages, /v1/messages/count_tokens and /v1/models.

Format: https://docs.anthropic.com/en/api/messages and .../messages-streaming - SSE with
`event:` lines, `ping`, cumulative usage in `message_delta`, `message_stop` as the
terminal marker; errors carry `request_id`, answers the `request-id` header.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from pihub.demo import answers
from pihub.demo.claude_batches import PATH as BATCHES
from pihub.demo.claude_batches import Batches, whole
from pihub.demo.claude_prompts import MOST_MARKS, PromptCache, count_marks
from pihub.demo.dialect import Dialect, Headers, Job, Whole, dump
from pihub.demo.wire import Request

MODELS = {
    "claude-haiku-4-5": "Claude Haiku 4.5 (simulated)",
    "claude-sonnet-4-5": "Claude Sonnet 4.5 (simulated)",
    "claude-opus-4-1": "Claude Opus 4.1 (simulated)",
}
_STOP = {"stop": "end_turn", "stop_sequence": "stop_sequence", "length": "max_tokens"}
_STOP["tools"] = "tool_use"
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_RESET = "2099-01-01T00:00:00Z"


def _request_id(number: int) -> str:
    return f"req_sim{number:020d}"


def _headers(number: int) -> Headers:
    headers = [
        ("request-id", _request_id(number)),
        ("anthropic-organization-id", "00000000-0000-4000-8000-000000000000"),
    ]
    for what, limit in (("requests", 4000), ("tokens", 480000), ("input-tokens", 400000)):
        headers += [
            (f"anthropic-ratelimit-{what}-limit", str(limit)),
            (f"anthropic-ratelimit-{what}-remaining", str(limit - 1)),
            (f"anthropic-ratelimit-{what}-reset", _RESET),
        ]
    return headers


def _event(name: str, data: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), dump({"type": name, **data}))


class ClaudeJob(Job):
    """One message."""

    def __init__(self, plan: answers.Plan, model: str, number: int, *, stream: bool) -> None:
        self.plan = plan
        self.stream = stream
        self.content_type = "text/event-stream; charset=utf-8" if stream else "application/json"
        self.headers = _headers(number)
        self._model = model
        self._number = number
        self._index = -1
        self.read = self.written = 0
        """Tokens from and into the prompt cache."""

    def opening(self, usage: str) -> bytes:
        message = self._message([], None, None)
        if usage == "early":
            message["usage"] = self._usage(self.plan.output_tokens)
        elif usage in ("missing", "late"):
            message["usage"] = {"input_tokens": 0, "output_tokens": 0}
        else:
            message["usage"] = self._usage(1)
        return _event("message_start", {"message": message})

    def frames(self) -> Iterator[bytes]:
        for word in self.plan.thoughts:
            opened = b""
            if self._index < 0:
                opened = self._start({"type": "thinking", "thinking": "", "signature": ""})
            yield opened + self._delta({"type": "thinking_delta", "thinking": word})
        prefix = b""
        if self.plan.thought:
            signature = base64.b64encode(b"simulated signature").decode()
            prefix = self._delta({"type": "signature_delta", "signature": signature})
            prefix += self._stop_block()
        if self.plan.tokens:
            prefix += self._start({"type": "text", "text": ""})
        for token in self.plan.tokens:
            yield prefix + self._delta({"type": "text_delta", "text": token})
            prefix = b""
        for n, (name, arguments) in enumerate(self.plan.tools):
            block = {"type": "tool_use", "id": f"toolu_sim{n:04d}", "name": name, "input": {}}
            text = json.dumps(arguments)
            frame = prefix + self._start(block)
            frame += self._delta({"type": "input_json_delta", "partial_json": ""})
            for part in (text[: len(text) // 2], text[len(text) // 2 :]):
                frame += self._delta({"type": "input_json_delta", "partial_json": part})
            yield frame
            prefix = self._stop_block() if n + 1 < len(self.plan.tools) else b""

    def closing(self, usage: str) -> bytes:
        stopped = self._stop_block() if self._index >= 0 else b""
        return stopped + self._delta_event(usage) + _event("message_stop", {})

    def terminal(self) -> bytes:
        return self._delta_event("") + _event("message_stop", {})

    def done_only(self) -> bytes:
        return self._stop_block() + b"data: [DONE]\n\n"

    def malformed(self) -> bytes:
        return b'event: content_block_delta\ndata: {"type":"content_block_delta","ind\n\n'

    def error_event(self) -> bytes:
        return _event("error", {"error": {"type": "overloaded_error", "message": "Overloaded"}})

    def whole(self, usage: str, *, terminal: bool = True) -> bytes:
        content: list[dict[str, Any]] = []
        if self.plan.thought:
            signature = base64.b64encode(b"simulated signature").decode()
            content.append(
                {"type": "thinking", "thinking": self.plan.thought, "signature": signature}
            )
        if self.plan.tokens:
            content.append({"type": "text", "text": self.plan.text})
        for n, (name, arguments) in enumerate(self.plan.tools):
            content.append(
                {"type": "tool_use", "id": f"toolu_sim{n:04d}", "name": name, "input": arguments}
            )
        reason = _STOP[self.plan.stop] if terminal else None
        message = self._message(content, reason, self.plan.stop_text or None)
        if usage != "missing":
            message["usage"] = self._usage(self.plan.output_tokens)
        return dump(message)

    def _message(
        self, content: list[dict[str, Any]], reason: str | None, sequence: str | None
    ) -> dict[str, Any]:
        return {
            "id": f"msg_sim{self._number:020d}",
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": content,
            "stop_reason": reason,
            "stop_sequence": sequence,
        }

    def _usage(self, output: int) -> dict[str, Any]:
        return {
            "input_tokens": self.plan.input_tokens,
            "cache_creation_input_tokens": self.written,
            "cache_read_input_tokens": self.read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.written, "ephemeral_1h_input_tokens": 0,
            },
            "output_tokens": output,
            "service_tier": "standard",
        }

    def _delta_event(self, usage: str) -> bytes:
        delta = {"stop_reason": _STOP[self.plan.stop], "stop_sequence": self.plan.stop_text or None}
        data: dict[str, Any] = {"delta": delta}
        if usage == "late":
            data["usage"] = self._usage(self.plan.output_tokens)
        elif usage not in ("missing", "early"):
            data["usage"] = {"output_tokens": self.plan.output_tokens}
        return _event("message_delta", data)

    def _start(self, block: dict[str, Any]) -> bytes:
        self._index += 1
        data = {"index": self._index, "content_block": block}
        started = _event("content_block_start", data)
        return started + _event("ping", {}) if self._index == 0 else started

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return _event("content_block_delta", {"index": self._index, "delta": delta})

    def _stop_block(self) -> bytes:
        return _event("content_block_stop", {"index": self._index})


class Claude(Dialect):
    """Messages, token counts and models; names containing "missing" do not exist.

    No API key is asked for (the fault F4 refuses); `anthropic-version`, `max_tokens`
    and well-formed messages are, as the vendor does.
    """

    def __init__(self) -> None:
        self._prompts = PromptCache()
        self._batches = Batches(self._of_batch)

    name = "claude"
    generates = frozenset({"/v1/messages"})

    def error(self, status: int, message: str, number: int) -> Whole:
        value = {
            "type": "error",
            "error": {"type": _TYPES.get(status, "api_error"), "message": message},
            "request_id": _request_id(number),
        }
        headers = [("content-type", "application/json"), *_headers(number)]
        if status == 529:
            headers.append(("x-should-retry", "true"))
        return Whole(status, dump(value), headers)

    def answer(self, request: Request, number: int, at_least: int) -> Whole | Job:
        if request.path.startswith(BATCHES) and request.header("anthropic-version"):
            status, value, fault = self._batches.handle(request, "")
            if status != 200:
                return self.error(status, fault, number)
            return whole(status, value, _headers(number))
        known = request.path in ("/v1/messages", "/v1/messages/count_tokens")
        models = request.path.startswith("/v1/models")
        if not (known or models):
            return self.error(404, "Not Found", number)
        if request.method not in (("GET", "HEAD") if models else ("POST",)):
            return self.error(405, "Method Not Allowed", number)
        if not request.header("anthropic-version"):
            return self.error(400, "anthropic-version: header is required", number)
        if models:
            return self._models(request.path, number)
        try:
            body = request.json()
        except ValueError:
            return self.error(400, "The request body is not valid JSON", number)
        fault = _fault(body, counting=request.path.endswith("count_tokens"))
        if fault:
            return self.error(400, fault, number)
        messages = body["messages"]
        model = body["model"]
        if "missing" in model:
            return self.error(404, f"model: {model}", number)
        everything = [answers.text_of(body.get("system"))]
        everything += [answers.text_of(m.get("content")) for m in messages]
        if request.path.endswith("count_tokens"):
            count = max(1, answers.count_tokens("\n".join(everything)))
            headers = [("content-type", "application/json"), *_headers(number)]
            return Whole(200, dump({"input_tokens": count}), headers)
        return self._job(body, number, at_least)

    def _job(self, body: dict[str, Any], number: int, at_least: int) -> ClaudeJob:
        messages, model = body["messages"], body["model"]
        everything = [answers.text_of(body.get("system"))]
        everything += [answers.text_of(m.get("content")) for m in messages]
        last = messages[-1].get("content")
        plan = answers.plan(
            "Claude",
            model,
            answers.text_of(last),
            all_text="\n".join(everything),
            after_tool=isinstance(last, list)
            and any(isinstance(p, dict) and p.get("type") == "tool_result" for p in last),
            as_json=bool((body.get("output_config") or {}).get("format")),
            max_tokens=body["max_tokens"],
            stop=body.get("stop_sequences") or [],
            at_least=at_least,
        )
        job = ClaudeJob(plan, model, number, stream=body.get("stream") is True)
        job.read, job.written = self._prompts.take(model, body)
        plan.input_tokens = max(1, plan.input_tokens - job.read - job.written)
        return job

    def _of_batch(self, params: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
        """One request of a batch: its message, or what is wrong with it."""
        fault = _fault(params, counting=False)
        if fault:
            return None, fault
        job = self._job(params, 0, 0)
        return json.loads(job.whole("")), ""

    def _models(self, path: str, number: int) -> Whole:
        listed = [
            {
                "type": "model",
                "id": name,
                "display_name": shown,
                "created_at": "2025-10-01T00:00:00Z",
                "lifecycle": "active",
                "max_input_tokens": 200_000,
                "max_tokens": 64_000,
            }
            for name, shown in MODELS.items()
        ]
        headers = [("content-type", "application/json"), *_headers(number)]
        if path == "/v1/models":
            names = list(MODELS)
            value = {
                "data": listed,
                "has_more": False,
                "first_id": names[0],
                "last_id": names[-1],
            }
            return Whole(200, dump(value), headers)
        for entry in listed:
            if entry["id"] == path.removeprefix("/v1/models/"):
                return Whole(200, dump(entry), headers)
        return self.error(404, f"model: {path.removeprefix('/v1/models/')}", number)


def _fault(body: Any, *, counting: bool) -> str:
    """What the vendor would complain about; empty if nothing."""
    if not isinstance(body, dict):
        return "Input should be an object"
    if not isinstance(body.get("model"), str):
        return "model: Field required"
    limit = body.get("max_tokens")
    if not counting and (not isinstance(limit, int) or limit < 1):
        return "max_tokens: Field required" if limit is None else "max_tokens: must be at least 1"
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return "messages: at least one message is required"
    for n, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in ("user", "assistant"):
            return f"messages.{n}.role: Input should be 'user' or 'assistant'"
        if not isinstance(message.get("content"), (str, list)):
            return f"messages.{n}.content: Field required"
    if count_marks(body) > MOST_MARKS:
        return "A maximum of 4 blocks with cache_control may be provided."
    if messages[0]["role"] != "user":
        return 'messages: first message must use the "user" role'
    return ""
