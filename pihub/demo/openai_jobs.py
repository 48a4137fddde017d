"""What a simulated OpenAI-compatible server generates: chat and other completions."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from pihub.demo import answers
from pihub.demo.dialect import Headers, Job, dump

_FINISH = {"stop": "stop", "stop_sequence": "stop", "length": "length", "tools": "tool_calls"}
_TYPES = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    403: "invalid_request_error",
    404: "invalid_request_error",
    429: "requests",
}
_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}


def headers(number: int) -> Headers:
    return [
        ("x-request-id", f"req_sim{number:024x}"),
        ("openai-version", "2020-10-01"),
        ("openai-processing-ms", "12"),
        ("x-ratelimit-limit-requests", "10000"),
        ("x-ratelimit-remaining-requests", "9999"),
        ("x-ratelimit-reset-requests", "6ms"),
    ]


def error(status: int, message: str) -> dict[str, Any]:
    return {
        "message": message,
        "type": _TYPES.get(status, "server_error"),
        "param": None,
        "code": _CODES.get(status),
    }


class OpenAIJob(Job):
    """One chat completion."""

    def __init__(
        self, plan: answers.Plan, model: str, number: int, *, stream: bool, with_usage: bool
    ) -> None:
        self.plan = plan
        self.stream = stream
        self.content_type = "text/event-stream; charset=utf-8" if stream else "application/json"
        self.headers = headers(number)
        self._with_usage = with_usage
        self._base = {
            "id": f"chatcmpl-sim{number:08d}",
            "object": "chat.completion.chunk" if stream else "chat.completion",
            "created": int(time.time()),
            "model": model,
            "service_tier": "default",
            "system_fingerprint": "fp_simulated",
        }

    def opening(self, usage: str) -> bytes:
        return self._chunk({"role": "assistant", "content": "", "refusal": None}, early=usage)

    def frames(self) -> Iterator[bytes]:
        for word in self.plan.thoughts:
            yield self._chunk({"reasoning_content": word})
        for token in self.plan.tokens:
            yield self._chunk({"content": token}, logprobs=self._logprobs([token]))
        for n, (name, arguments) in enumerate(self.plan.tools):
            first = {
                "index": n,
                "id": f"call_sim{n:04d}",
                "type": "function",
                "function": {"name": name, "arguments": ""},
            }
            rest = {"index": n, "function": {"arguments": json.dumps(arguments)}}
            yield self._chunk({"tool_calls": [first]}) + self._chunk({"tool_calls": [rest]})

    def closing(self, usage: str) -> bytes:
        return self._finish() + self._usage_chunk(usage) + b"data: [DONE]\n\n"

    def terminal(self) -> bytes:
        return self._finish() + b"data: [DONE]\n\n"

    def done_only(self) -> bytes:
        return b"data: [DONE]\n\n"

    def malformed(self) -> bytes:
        return b'data: {"id":"chatcmpl-sim","choices":[{"index":0,"delta":{"cont\n\n'

    def error_event(self) -> bytes:
        message = "The server had an error while processing your request. (simulated)"
        return b"data: " + dump({"error": error(500, message)}) + b"\n\n"

    def whole(self, usage: str, *, terminal: bool = True) -> bytes:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": None if self.plan.tools else self.plan.text,
            "refusal": None,
            "annotations": [],
        }
        if self.plan.thought:
            message["reasoning_content"] = self.plan.thought
        if self.plan.tools:
            message["tool_calls"] = [
                {
                    "id": f"call_sim{n:04d}",
                    "type": "function",
                    "function": {"name": name, "arguments": json.dumps(arguments)},
                }
                for n, (name, arguments) in enumerate(self.plan.tools)
            ]
        finish = _FINISH[self.plan.stop] if terminal else None
        choice = {
            "index": 0,
            "message": message,
            "logprobs": self._logprobs(self.plan.tokens),
            "finish_reason": finish,
        }
        value: dict[str, Any] = {**self._base, "choices": [choice]}
        if usage != "missing":
            value["usage"] = self._usage()
        return dump(value)

    def _finish(self) -> bytes:
        return self._chunk({}, _FINISH[self.plan.stop])

    def _usage_chunk(self, mode: str) -> bytes:
        if mode in ("missing", "early") or not (self._with_usage or mode):
            return b""
        # "late": some compatible servers put it beside an empty delta
        choices: list[Any] = []
        if mode == "late":
            choices = [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": None}]
        value = {**self._base, "choices": choices, "usage": self._usage()}
        return b"data: " + dump(value) + b"\n\n"

    def _logprobs(self, tokens: list[str]) -> Any:
        """`logprobs` of a choice; None if nobody asked."""
        entries = self.plan.weighed(tokens)
        return {"content": entries, "refusal": None} if entries else None

    def _choice(self, delta: dict[str, Any], logprobs: Any, finish: str | None) -> dict[str, Any]:
        return {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}

    def _chunk(
        self,
        delta: dict[str, Any],
        finish: str | None = None,
        early: str = "",
        logprobs: Any = None,
    ) -> bytes:
        choice = self._choice(delta, logprobs, finish)
        value: dict[str, Any] = {**self._base, "choices": [choice]}
        if early == "early":
            value["usage"] = self._usage()
        elif self._with_usage:
            value["usage"] = None
        return b"data: " + dump(value) + b"\n\n"

    def _usage(self) -> dict[str, Any]:
        return {
            "prompt_tokens": self.plan.input_tokens,
            "completion_tokens": self.plan.output_tokens,
            "total_tokens": self.plan.input_tokens + self.plan.output_tokens,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": len(self.plan.thought.split()),
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }


class CompletionJob(OpenAIJob):
    """One completion that is no chat."""

    def __init__(
        self, plan: answers.Plan, model: str, number: int, *, stream: bool, with_usage: bool
    ) -> None:
        super().__init__(plan, model, number, stream=stream, with_usage=with_usage)
        self._base["id"] = f"cmpl-sim{number:08d}"
        self._base["object"] = "text_completion"

    def opening(self, usage: str) -> bytes:
        return self._chunk({"content": ""}, early=usage) if usage == "early" else b""

    def whole(self, usage: str, *, terminal: bool = True) -> bytes:
        finish = _FINISH[self.plan.stop] if terminal else None
        told = self._logprobs(self.plan.tokens)
        choice = {"text": self.plan.text, "index": 0, "logprobs": told, "finish_reason": finish}
        value: dict[str, Any] = {**self._base, "choices": [choice]}
        if usage != "missing":
            value["usage"] = self._usage()
        return dump(value)

    def _logprobs(self, tokens: list[str]) -> Any:
        """Parallel lists here."""
        entries = self.plan.weighed(tokens)
        if not entries:
            return None
        return {
            "tokens": tokens,
            "token_logprobs": [entry["logprob"] for entry in entries],
            "top_logprobs": [
                {other["token"]: other["logprob"] for other in entry["top_logprobs"]}
                for entry in entries
            ],
            "text_offset": [len("".join(tokens[:n])) for n in range(len(tokens))],
        }

    def _choice(self, delta: dict[str, Any], logprobs: Any, finish: str | None) -> dict[str, Any]:
        text = delta.get("content") or ""
        return {"text": text, "index": 0, "logprobs": logprobs, "finish_reason": finish}
