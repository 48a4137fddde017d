"""A simulated OpenAI-compatible server: chat and other completions, embeddings, models.

Format: https://platform.openai.com/docs/api-reference/chat - SSE `data:` lines, usage
in a last chunk with empty `choices` if `stream_options.include_usage`, then `[DONE]`.
"""

from __future__ import annotations

import base64
import json
import struct
import time
from collections.abc import Iterator
from typing import Any

from pihub.demo import answers
from pihub.demo.answers import vector
from pihub.demo.dialect import Dialect, Headers, Job, Whole, dump
from pihub.demo.wire import Request

CHAT, COMPLETIONS, EMBEDDINGS = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
MODELS = ("gpt-4o-mini", "gpt-4.1-mini", "gpt-4o")
_FINISH = {"stop": "stop", "stop_sequence": "stop", "length": "length", "tools": "tool_calls"}
_TYPES = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    403: "invalid_request_error",
    404: "invalid_request_error",
    429: "requests",
}
_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}


def _headers(number: int) -> Headers:
    return [
        ("x-request-id", f"req_sim{number:024x}"),
        ("openai-version", "2020-10-01"),
        ("openai-processing-ms", "12"),
        ("x-ratelimit-limit-requests", "10000"),
        ("x-ratelimit-remaining-requests", "9999"),
        ("x-ratelimit-reset-requests", "6ms"),
    ]


class OpenAIJob(Job):
    """One chat completion."""

    def __init__(
        self, plan: answers.Plan, model: str, number: int, *, stream: bool, with_usage: bool
    ) -> None:
        self.plan = plan
        self.stream = stream
        self.content_type = "text/event-stream; charset=utf-8" if stream else "application/json"
        self.headers = _headers(number)
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
            yield self._chunk({"content": token})
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
        return b"data: " + dump({"error": _error(500, message)}) + b"\n\n"

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
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
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

    def _chunk(self, delta: dict[str, Any], finish: str | None = None, early: str = "") -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
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
        choice = {"text": self.plan.text, "index": 0, "logprobs": None, "finish_reason": finish}
        value: dict[str, Any] = {**self._base, "choices": [choice]}
        if usage != "missing":
            value["usage"] = self._usage()
        return dump(value)

    def _chunk(self, delta: dict[str, Any], finish: str | None = None, early: str = "") -> bytes:
        text = delta.get("content") or ""
        choice = {"text": text, "index": 0, "logprobs": None, "finish_reason": finish}
        value: dict[str, Any] = {**self._base, "choices": [choice]}
        if early == "early":
            value["usage"] = self._usage()
        elif self._with_usage:
            value["usage"] = None
        return b"data: " + dump(value) + b"\n\n"


def _error(status: int, message: str) -> dict[str, Any]:
    return {
        "message": message,
        "type": _TYPES.get(status, "server_error"),
        "param": None,
        "code": _CODES.get(status),
    }


class OpenAI(Dialect):
    """Chat completions and models; names containing "missing" do not exist."""

    name = "openai"
    generates = frozenset({CHAT, COMPLETIONS, EMBEDDINGS})

    def error(self, status: int, message: str, number: int) -> Whole:
        headers = [("content-type", "application/json"), *_headers(number)]
        return Whole(status, dump({"error": _error(status, message)}), headers)

    def answer(self, request: Request, number: int, at_least: int) -> Whole | Job:
        if request.method in ("GET", "HEAD") and request.path.startswith("/v1/models"):
            return self._models(request.path, number)
        if request.path not in self.generates or request.method != "POST":
            message = f"Invalid URL ({request.method} {request.path})"
            return self.error(404, message, number)
        try:
            body = request.json()
        except ValueError:
            return self.error(400, "We could not parse the JSON body of your request.", number)
        if not isinstance(body, dict) or not isinstance(body.get("model"), str):
            return self.error(400, "you must provide a model parameter", number)
        if "missing" in body["model"]:
            return self.error(404, f"The model `{body['model']}` does not exist", number)
        if request.path == EMBEDDINGS:
            return self._embed(body, number)
        if request.path == COMPLETIONS:
            return self._complete(body, number, at_least)
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            return self.error(400, "Missing required parameter: 'messages'.", number)
        model = body["model"]
        stop = body.get("stop") or []
        options = body.get("stream_options") or {}
        wanted = body.get("response_format") or {}
        plan = answers.plan(
            "OpenAI-compatible",
            model,
            answers.text_of(messages[-1].get("content")),
            all_text="\n".join(answers.text_of(m.get("content")) for m in messages),
            after_tool=messages[-1].get("role") == "tool",
            as_json=wanted.get("type") in ("json_object", "json_schema"),
            max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
            stop=[stop] if isinstance(stop, str) else stop,
            at_least=at_least,
        )
        return OpenAIJob(
            plan,
            model,
            number,
            stream=body.get("stream") is True,
            with_usage=options.get("include_usage") is True,
        )

    def _complete(self, body: dict[str, Any], number: int, at_least: int) -> Whole | Job:
        if not isinstance(body.get("prompt"), str):
            return self.error(400, "simulated: one prompt of text, please", number)
        stop = body.get("stop") or []
        plan = answers.plan(
            "OpenAI-compatible",
            body["model"],
            body["prompt"],
            all_text=body["prompt"] + str(body.get("suffix") or ""),
            after_tool=False,
            as_json=False,
            max_tokens=body.get("max_tokens"),
            stop=[stop] if isinstance(stop, str) else stop,
            at_least=at_least,
        )
        return CompletionJob(
            plan,
            body["model"],
            number,
            stream=body.get("stream") is True,
            with_usage=(body.get("stream_options") or {}).get("include_usage") is True,
        )

    def _embed(self, body: dict[str, Any], number: int) -> Whole:
        given = body.get("input")
        texts = given if isinstance(given, list) and isinstance(given[0], (str, list)) else [given]
        vectors = [vector(str(text), body.get("dimensions") or 16) for text in texts]
        packed = body.get("encoding_format") == "base64"
        data = [
            {
                "object": "embedding",
                "index": n,
                "embedding": base64.b64encode(struct.pack(f"<{len(v)}f", *v)).decode()
                if packed
                else v,
            }
            for n, v in enumerate(vectors)
        ]
        tokens = sum(answers.count_tokens(str(text)) for text in texts)
        value = {
            "object": "list",
            "data": data,
            "model": body["model"],
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
        return Whole(200, dump(value), [("content-type", "application/json"), *_headers(number)])

    def _models(self, path: str, number: int) -> Whole:
        listed = [
            {"id": name, "object": "model", "created": 1721172741, "owned_by": "simulated"}
            for name in MODELS
        ]
        headers = [("content-type", "application/json"), *_headers(number)]
        if path == "/v1/models":
            return Whole(200, dump({"object": "list", "data": listed}), headers)
        name = path.removeprefix("/v1/models/")
        for entry in listed:
            if entry["id"] == name:
                return Whole(200, dump(entry), headers)
        return self.error(404, f"The model '{name}' does not exist", number)
