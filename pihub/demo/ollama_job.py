"""One generation of the simulated Ollama, in its NDJSON."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from pihub.demo import answers
from pihub.demo.dialect import Headers, Job, dump
from pihub.demo.machine import Need

JSON_BODY: Headers = [("content-type", "application/json; charset=utf-8")]


def now() -> str:
    """RFC 3339 with nanoseconds, as Go prints it."""
    ns = time.time_ns()
    stamp = datetime.fromtimestamp(ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{stamp}.{ns % 10**9:09d}Z"


class OllamaJob(Job):
    """/api/chat, or /api/generate when `chat` is false."""

    def __init__(
        self, plan: answers.Plan, model: str, need: Need, *, chat: bool, stream: bool
    ) -> None:
        self.plan = plan
        self.need = need
        self.headers = []
        self.stream = stream
        self.content_type = "application/x-ndjson" if stream else JSON_BODY[0][1]
        self._model = model
        self._chat = chat

    def opening(self, usage: str) -> bytes:
        return self._line({}, "", self._counts()) if usage == "early" else b""

    def frames(self) -> Iterator[bytes]:
        for word in self.plan.thoughts:
            yield self._line({"thinking": word}, "")
        for token in self.plan.tokens:
            yield self._line({}, token, self._logprobs([token]))
        if self.plan.tools:
            yield self._line({"tool_calls": self._tools()}, "")

    def closing(self, usage: str) -> bytes:
        return self._line({}, "", self._final("" if usage != "early" else "missing", usage))

    def terminal(self) -> bytes:
        return self._line({}, "", self._final("", ""))

    def done_only(self) -> bytes:
        return b""

    def malformed(self) -> bytes:
        return b'{"model":"' + self._model.encode() + b'","message":{"role":"assistant","cont\n'

    def error_event(self) -> bytes:
        return b'{"error":"an error was encountered while running the model: simulated"}\n'

    def whole(self, usage: str, *, terminal: bool = True) -> bytes:
        extra: dict[str, Any] = {}
        if self.plan.thought:
            extra["thinking"] = self.plan.thought
        if self.plan.tools:
            extra["tool_calls"] = self._tools()
        final = self._final("", usage) if terminal else {"done": False}
        final |= self._logprobs(self.plan.tokens)
        return self._line(extra, self.plan.text, final).rstrip(b"\n")

    def _tools(self) -> list[dict[str, Any]]:
        return [
            {"function": {"index": n, "name": name, "arguments": arguments}}
            for n, (name, arguments) in enumerate(self.plan.tools)
        ]

    def _line(self, extra: dict[str, Any], text: str, final: dict[str, Any] | None = None) -> bytes:
        value: dict[str, Any] = {"model": self._model, "created_at": now()}
        if self._chat:
            value["message"] = {"role": "assistant", "content": text, **extra}
        else:
            value["response"] = text
            value.update(extra)
        value["done"] = False
        if final:
            value.update(final)
        return dump(value) + b"\n"

    def _logprobs(self, tokens: list[str]) -> dict[str, Any]:
        entries = self.plan.weighed(tokens)
        return {"logprobs": entries} if entries else {}

    def _counts(self) -> dict[str, Any]:
        return {
            "prompt_eval_count": self.plan.input_tokens,
            "eval_count": self.plan.output_tokens,
        }

    def _final(self, drop: str, usage: str) -> dict[str, Any]:
        took, end = self.took, time.monotonic_ns()
        reason = "length" if self.plan.stop == "length" else "stop"
        value: dict[str, Any] = {"done": True, "done_reason": reason}
        if not self._chat:
            value["context"] = [1, 2, 3]
        value["total_duration"] = end - took.arrived
        value["load_duration"] = took.load
        if usage != "missing" and drop != "missing":
            value["prompt_eval_count"] = self.plan.input_tokens
            value["prompt_eval_duration"] = took.prefill
            value["eval_count"] = self.plan.output_tokens
            value["eval_duration"] = max(1, end - took.decoding)
        return value
