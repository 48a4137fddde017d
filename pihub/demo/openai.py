"""A simulated OpenAI-compatible server: chat and other completions, embeddings, models.

Format: https://platform.openai.com/docs/api-reference/chat - SSE `data:` lines, usage
in a last chunk with empty `choices` if `stream_options.include_usage`, then `[DONE]`.
"""

from __future__ import annotations

import base64
import struct
from typing import Any

from pihub.demo import answers
from pihub.demo.answers import vector
from pihub.demo.dialect import Dialect, Job, Whole, dump
from pihub.demo.openai_jobs import CompletionJob, OpenAIJob, headers
from pihub.demo.openai_jobs import error as openai_error
from pihub.demo.wire import Request

CHAT, COMPLETIONS, EMBEDDINGS = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
MODELS = ("gpt-4o-mini", "gpt-4.1-mini", "gpt-4o")


class OpenAI(Dialect):
    """Chat completions and models; names containing "missing" do not exist."""

    name = "openai"
    generates = frozenset({CHAT, COMPLETIONS, EMBEDDINGS})

    def error(self, status: int, message: str, number: int) -> Whole:
        fields = [("content-type", "application/json"), *headers(number)]
        return Whole(status, dump({"error": openai_error(status, message)}), fields)

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
        plan.top = answers.wanted(body)
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
        plan.top = body.get("logprobs")
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
        return Whole(200, dump(value), [("content-type", "application/json"), *headers(number)])

    def _models(self, path: str, number: int) -> Whole:
        listed = [
            {"id": name, "object": "model", "created": 1721172741, "owned_by": "simulated"}
            for name in MODELS
        ]
        fields = [("content-type", "application/json"), *headers(number)]
        if path == "/v1/models":
            return Whole(200, dump({"object": "list", "data": listed}), fields)
        name = path.removeprefix("/v1/models/")
        for entry in listed:
            if entry["id"] == name:
                return Whole(200, dump(entry), fields)
        return self.error(404, f"The model '{name}' does not exist", number)
