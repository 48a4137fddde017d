"""A simulated Ollama: its native API.

Format: https://github.com/ollama/ollama/blob/main/docs/api.md - NDJSON streams,
durations in nanoseconds, `stream` true unless said otherwise, errors as
`{"error": "..."}`.
"""

from __future__ import annotations

import hashlib
from typing import Any

from pihub.demo import answers
from pihub.demo.dialect import Dialect, Job, Whole, dump
from pihub.demo.machine import Machine, Model, Need, seconds
from pihub.demo.ollama_job import JSON_BODY, OllamaJob, now
from pihub.demo.wire import Request

VERSION = "0.12.6"
MODELS = {
    "llama3.2:3b": ("llama", "3.2B", 2019393189),
    "qwen3:0.6b": ("qwen3", "751.63M", 522653767),
    "nomic-embed-text:latest": ("nomic-bert", "137M", 274302450),
}
DIMENSIONS = 64
CONTEXT = 4096
"""Tokens, as /api/ps tells of a model that was loaded without a wish."""
MANAGED = frozenset({"/api/pull", "/api/push", "/api/create", "/api/copy", "/api/delete"})


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
        "size": _bytes(name),
        "digest": hashlib.sha256(name.encode()).hexdigest(),
        "details": _details(name),
    }


class Ollama(Dialect):
    """The native endpoints; models whose name contains "missing" do not exist."""

    name = "ollama"
    machine: Machine
    generates = frozenset({"/api/chat", "/api/generate", "/api/embed", "/api/embeddings"})

    def __init__(self, machine: Machine | None = None) -> None:
        first = next(iter(MODELS))
        self.machine = machine or Machine(ready=Need(first, _bytes(first), context=CONTEXT))

    def error(self, status: int, message: str, number: int) -> Whole:
        return Whole(status, dump({"error": message}), list(JSON_BODY))

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
            return Whole(200, dump(_show(model)), list(JSON_BODY))
        try:
            need = _need(model, body)
        except ValueError as exc:
            return self.error(400, str(exc), number)
        if request.path.startswith("/api/embed"):
            return _embed(request.path, need, body)
        return self._generate(request.path == "/api/chat", need, body, at_least, number)

    def _generate(
        self, chat: bool, need: Need, body: dict[str, Any], at_least: int, number: int
    ) -> Whole | Job:
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
        if empty:
            return self._load(chat, need)
        options = _options(body)
        stop = options.get("stop") or []
        limit = options.get("num_predict")
        plan = answers.plan(
            "Ollama",
            need.model,
            prompt,
            all_text=everything,
            after_tool=after_tool,
            as_json=bool(body.get("format")),
            max_tokens=limit if isinstance(limit, int) and limit >= 0 else None,
            stop=[stop] if isinstance(stop, str) else [str(item) for item in stop],
            at_least=at_least,
        )
        plan.top = answers.wanted(body)
        room = need.context or self.machine.speed.context
        if room and plan.input_tokens > room:
            if body.get("truncate") is False:
                return self.error(400, "the input length exceeds the context length", number)
            plan.input_tokens = room  # cut from the front, and nobody is told
        tools = dump(body.get("tools") or []).decode()
        need.prompt, need.tokens = f"{tools}\n{everything}", plan.input_tokens
        return OllamaJob(
            plan, need.model, need, chat=chat, stream=body.get("stream", True) is not False
        )

    def _load(self, chat: bool, need: Need) -> Whole:
        """An empty request loads the model, or with `keep_alive: 0` unloads it."""
        value: dict[str, Any] = {"model": need.model, "created_at": now()}
        if chat:
            value["message"] = {"role": "assistant", "content": ""}
        else:
            value["response"] = ""
        value.update(done=True, done_reason="unload" if need.keep_alive == 0 else "load")
        whole = Whole(200, b"", list(JSON_BODY))
        if need.keep_alive == 0:
            self.machine.unload(need.model)
        else:
            whole.need = need
        whole.body = dump(value)
        return whole

    def _running(self, one: Model) -> dict[str, Any]:
        entry = _entry(one.name)
        del entry["modified_at"]
        # No graphics memory: all of it is the machine's own.
        entry |= {"size": one.size, "expires_at": self.machine.expires_at(one), "size_vram": 0}
        return {**entry, "context_length": one.context or CONTEXT}

    def _fixed(self, request: Request) -> Whole | None:
        if request.method not in ("GET", "HEAD"):
            return None
        if request.path == "/":
            return Whole(200, b"Ollama is running", [("content-type", "text/plain; charset=utf-8")])
        if request.path == "/api/version":
            return Whole(200, dump({"version": VERSION}), list(JSON_BODY))
        if request.path == "/api/tags":
            return Whole(200, dump({"models": [_entry(m) for m in MODELS]}), list(JSON_BODY))
        if request.path == "/api/ps":
            running = [self._running(one) for one in self.machine.running()]
            return Whole(200, dump({"models": running}), list(JSON_BODY))
        return None


def _bytes(name: str) -> int:
    return MODELS[name][2] if name in MODELS else 2_000_000_000


def _options(body: dict[str, Any]) -> dict[str, Any]:
    found = body.get("options")
    return found if isinstance(found, dict) else {}


def _need(model: str, body: dict[str, Any]) -> Need:
    """Raises ValueError for a keep_alive that is none."""
    context = _options(body).get("num_ctx")
    keep = seconds(body.get("keep_alive"))
    return Need(model, _bytes(model), keep, context if isinstance(context, int) else 0)


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


def _embed(path: str, need: Need, body: dict[str, Any]) -> Whole:
    if path == "/api/embeddings":
        one = answers.vector(str(body.get("prompt", "")), DIMENSIONS)
        return Whole(200, dump({"embedding": one}), list(JSON_BODY), need)
    given = body.get("input", "")
    texts = [given] if isinstance(given, str) else [str(item) for item in given]
    size = body.get("dimensions") or DIMENSIONS
    value = {
        "model": need.model,
        "embeddings": [answers.vector(text, size) for text in texts],
        "total_duration": 14_143_917,
        "load_duration": 1_019_500,
        "prompt_eval_count": sum(answers.count_tokens(text) for text in texts),
    }
    return Whole(200, dump(value), list(JSON_BODY), need)
