"""A simulated Ollama: its native API.

Format: https://github.com/ollama/ollama/blob/main/docs/api.md - NDJSON streams,
durations in nanoseconds, `stream` true unless said otherwise, errors as
`{"error": "..."}`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from pihub.demo import answers
from pihub.demo.dialect import Dialect, Headers, Job, Whole, dump
from pihub.demo.wire import Request

VERSION = "0.12.6"
MODELS = {
    "llama3.2:3b": ("llama", "3.2B", 2019393189),
    "qwen3:0.6b": ("qwen3", "751.63M", 522653767),
    "nomic-embed-text:latest": ("nomic-bert", "137M", 274302450),
}
DIMENSIONS = 16
MANAGED = frozenset({"/api/pull", "/api/push", "/api/create", "/api/copy", "/api/delete"})
_JSON_BODY: Headers = [("content-type", "application/json; charset=utf-8")]


def _now() -> str:
    """RFC 3339 with nanoseconds, as Go prints it."""
    ns = time.time_ns()
    stamp = datetime.fromtimestamp(ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{stamp}.{ns % 10**9:09d}Z"


def _details(name: str) -> dict[str, Any]:
    family, size, _ = MODELS.get(name, ("simulated", "3.2B", 0))
    return {
        "parent_model": "",
        "format": "gguf",
        "family": family,
        "families": [family],
        "parameter_size": size,
        "quantization_level": "Q4_K_M",
    }


def _entry(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "model": name,
        "modified_at": "2025-09-01T08:00:00.123456789Z",
        "size": MODELS[name][2],
        "digest": hashlib.sha256(name.encode()).hexdigest(),
        "details": _details(name),
    }


class OllamaJob(Job):
    """/api/chat, or /api/generate when `chat` is false."""

    def __init__(self, plan: answers.Plan, model: str, *, chat: bool, stream: bool) -> None:
        self.plan = plan
        self.headers = []
        self.stream = stream
        self.content_type = "application/x-ndjson" if stream else _JSON_BODY[0][1]
        self._model = model
        self._chat = chat
        self._start = time.monotonic_ns()

    def opening(self, usage: str) -> bytes:
        return self._line({}, "", self._counts()) if usage == "early" else b""

    def frames(self) -> Iterator[bytes]:
        for word in self.plan.thoughts:
            yield self._line({"thinking": word}, "")
        for token in self.plan.tokens:
            yield self._line({}, token)
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
        return self._line(extra, self.plan.text, final).rstrip(b"\n")

    def _tools(self) -> list[dict[str, Any]]:
        return [
            {"function": {"index": n, "name": name, "arguments": arguments}}
            for n, (name, arguments) in enumerate(self.plan.tools)
        ]

    def _line(self, extra: dict[str, Any], text: str, final: dict[str, Any] | None = None) -> bytes:
        value: dict[str, Any] = {"model": self._model, "created_at": _now()}
        if self._chat:
            value["message"] = {"role": "assistant", "content": text, **extra}
        else:
            value["response"] = text
            value.update(extra)
        value["done"] = False
        if final:
            value.update(final)
        return dump(value) + b"\n"

    def _counts(self) -> dict[str, Any]:
        return {
            "prompt_eval_count": self.plan.input_tokens,
            "eval_count": self.plan.output_tokens,
        }

    def _final(self, drop: str, usage: str) -> dict[str, Any]:
        loading = self.loaded_ns or 21_000_000
        spent = time.monotonic_ns() - self._start
        reason = "length" if self.plan.stop == "length" else "stop"
        value: dict[str, Any] = {"done": True, "done_reason": reason}
        if not self._chat:
            value["context"] = [1, 2, 3]
        value["total_duration"] = spent + loading
        value["load_duration"] = loading
        if usage != "missing" and drop != "missing":
            value["prompt_eval_count"] = self.plan.input_tokens
            value["prompt_eval_duration"] = 3_000_000 * self.plan.input_tokens
            value["eval_count"] = self.plan.output_tokens
            value["eval_duration"] = max(1, spent - self.loaded_ns)
        return value


class Ollama(Dialect):
    """The native endpoints; models whose name contains "missing" do not exist."""

    name = "ollama"
    generates = frozenset({"/api/chat", "/api/generate", "/api/embed", "/api/embeddings"})

    def error(self, status: int, message: str, number: int) -> Whole:
        return Whole(status, dump({"error": message}), list(_JSON_BODY))

    def answer(self, request: Request, number: int, at_least: int) -> Whole | Job:
        fixed = self._fixed(request)
        if fixed is not None:
            return fixed
        if request.path in MANAGED:
            return Whole(200, _managed(request.path), [("content-type", "application/x-ndjson")])
        if request.path not in self.generates and request.path != "/api/show":
            return Whole(404, b"404 page not found", [("content-type", "text/plain")])
        if request.method != "POST":
            return Whole(405, b"405 method not allowed", [("content-type", "text/plain")])
        try:
            body = request.json()
        except ValueError as exc:
            return self.error(400, f"invalid JSON: {exc}", number)
        if not isinstance(body, dict) or not isinstance(body.get("model"), str):
            return self.error(400, "model is required", number)
        model = body["model"]
        if "missing" in model:
            return self.error(404, f"model '{model}' not found", number)
        if request.path == "/api/show":
            return Whole(200, dump(_show(model)), list(_JSON_BODY))
        if request.path.startswith("/api/embed"):
            return _embed(request.path, model, body)
        return _generate(request.path, model, body, at_least)

    def _fixed(self, request: Request) -> Whole | None:
        if request.method not in ("GET", "HEAD"):
            return None
        if request.path == "/":
            return Whole(200, b"Ollama is running", [("content-type", "text/plain; charset=utf-8")])
        if request.path == "/api/version":
            return Whole(200, dump({"version": VERSION}), list(_JSON_BODY))
        if request.path == "/api/tags":
            return Whole(200, dump({"models": [_entry(m) for m in MODELS]}), list(_JSON_BODY))
        if request.path == "/api/ps":
            running = _entry("llama3.2:3b")
            del running["modified_at"]
            running.update(expires_at="2099-01-01T00:00:00Z", size_vram=0, context_length=4096)
            return Whole(200, dump({"models": [running]}), list(_JSON_BODY))
        return None


def _managed(path: str) -> bytes:
    """What a pull or the like says, line by line; nothing is fetched."""
    lines = [{"status": f"simulated {path.removeprefix('/api/')}"}, {"status": "success"}]
    return b"".join(dump(line) + b"\n" for line in lines)


def _show(model: str) -> dict[str, Any]:
    family = _details(model)["family"]
    return {
        "license": "Simulated: no model weights are involved.",
        "modelfile": f"FROM {model}\n",
        "parameters": "temperature 0.7",
        "template": "{{ .Prompt }}",
        "details": _details(model),
        "model_info": {
            "general.architecture": family,
            "general.parameter_count": 3212749888,
            f"{family}.context_length": 131072,
            f"{family}.block_count": 28,
            f"{family}.embedding_length": 3072,
            f"{family}.attention.head_count": 24,
            f"{family}.attention.head_count_kv": 8,
        },
        "capabilities": ["completion", "tools"],
        "modified_at": "2025-09-01T08:00:00.123456789Z",
    }


def _embed(path: str, model: str, body: dict[str, Any]) -> Whole:
    if path == "/api/embeddings":
        one = answers.vector(str(body.get("prompt", "")), DIMENSIONS)
        return Whole(200, dump({"embedding": one}), list(_JSON_BODY))
    given = body.get("input", "")
    texts = [given] if isinstance(given, str) else [str(item) for item in given]
    size = body.get("dimensions") or DIMENSIONS
    value = {
        "model": model,
        "embeddings": [answers.vector(text, size) for text in texts],
        "total_duration": 14_143_917,
        "load_duration": 1_019_500,
        "prompt_eval_count": sum(answers.count_tokens(text) for text in texts),
    }
    return Whole(200, dump(value), list(_JSON_BODY))


def _generate(path: str, model: str, body: dict[str, Any], at_least: int) -> Whole | Job:
    chat = path == "/api/chat"
    if chat:
        messages = [m for m in body.get("messages") or [] if isinstance(m, dict)]
        prompt = answers.text_of(messages[-1].get("content")) if messages else ""
        everything = "\n".join(answers.text_of(m.get("content")) for m in messages)
        after_tool = bool(messages) and messages[-1].get("role") == "tool"
        empty = not messages
    else:
        prompt = str(body.get("prompt") or "")
        everything = f"{body.get('system') or ''}\n{prompt}"
        after_tool, empty = False, not prompt
    if empty:  # an empty request loads the model
        value: dict[str, Any] = {"model": model, "created_at": _now()}
        if chat:
            value["message"] = {"role": "assistant", "content": ""}
        else:
            value["response"] = ""
        value.update(done=True, done_reason="load")
        return Whole(200, dump(value), list(_JSON_BODY))
    options = body.get("options") if isinstance(body.get("options"), dict) else {}
    assert isinstance(options, dict)
    stop = options.get("stop") or []
    limit = options.get("num_predict")
    plan = answers.plan(
        "Ollama",
        model,
        prompt,
        all_text=everything,
        after_tool=after_tool,
        as_json=bool(body.get("format")),
        max_tokens=limit if isinstance(limit, int) and limit >= 0 else None,
        stop=[stop] if isinstance(stop, str) else [str(item) for item in stop],
        at_least=at_least,
    )
    return OllamaJob(plan, model, chat=chat, stream=body.get("stream", True) is not False)
