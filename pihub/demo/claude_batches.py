"""The simulated Claude's Message Batches: created, worked on for a moment, ended.

Source: https://docs.anthropic.com/en/api/creating-message-batches. `[[batch:errored]]` and
`[[batch:expired]]` in a prompt steer what becomes of a request; a batch ends `SECONDS` after
its creation, or after it was cancelled.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pihub.demo.dialect import Headers, Whole, dump
from pihub.demo.wire import Request

PATH = "/v1/messages/batches"
SECONDS = 0.5
MOST = 1000
"""Batches remembered; the oldest go first."""
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_STEER = re.compile(r"\[\[batch:(errored|expired)\]\]")
Answer = Callable[[dict[str, Any]], tuple[dict[str, Any] | None, str]]
"""A request's parameters to (message, "") or (None, what is wrong)."""


class Batches:
    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._batches: dict[str, dict[str, Any]] = {}

    def handle(self, request: Request, host: str) -> tuple[int, Any, str]:
        """(status, JSON value or bytes of JSONL, error message)"""
        rest = request.path.removeprefix(PATH).strip("/")
        if not rest:
            if request.method == "POST":
                return self._create(request)
            listed = [self._view(one, host) for one in reversed(self._batches.values())][:100]
            ends = {"first_id": listed[0]["id"], "last_id": listed[-1]["id"]} if listed else {
                "first_id": None, "last_id": None}  # fmt: skip
            return 200, {"data": listed, "has_more": False, **ends}, ""
        id_, _, what = rest.partition("/")
        batch = self._batches.get(id_)
        if batch is None:
            return 404, None, f"Message Batch {id_} not found."
        if what == "results":
            if not self._ended(batch):
                return 404, None, f"Message Batch {id_} has no results yet."
            lines = [dump({"custom_id": n, "result": r}) for n, r in self._results(batch).items()]
            return 200, b"".join(line + b"\n" for line in lines), ""
        if what == "cancel" and request.method == "POST":
            if not self._ended(batch):
                batch["cancelled"] = batch["cancelled"] or time.time()
            return 200, self._view(batch, host), ""
        if not what and request.method == "DELETE":
            if not self._ended(batch):
                return 400, None, "A Message Batch that is processing cannot be deleted."
            del self._batches[id_]
            return 200, {"id": id_, "type": "message_batch_deleted"}, ""
        if what or request.method != "GET":
            return 405, None, "Method Not Allowed"
        return 200, self._view(batch, host), ""

    def _create(self, request: Request) -> tuple[int, Any, str]:
        try:
            body = request.json()
        except ValueError:
            return 400, None, "The request body is not valid JSON"
        requests = body.get("requests") if isinstance(body, dict) else None
        if not isinstance(requests, list) or not 0 < len(requests) <= 100_000:
            return 400, None, "requests: between 1 and 100000 items are required"
        names = [one.get("custom_id") if isinstance(one, dict) else None for one in requests]
        for n, name in enumerate(names):
            if not isinstance(name, str) or _ID.fullmatch(name) is None:
                return 400, None, f"requests.{n}.custom_id: should match [a-zA-Z0-9_-]{{1,64}}"
            if not isinstance(requests[n].get("params"), dict):
                return 400, None, f"requests.{n}.params: Field required"
        if len(set(names)) < len(names):
            return 400, None, "requests: custom_id must be unique within a batch"
        id_ = f"msgbatch_sim{len(self._batches):04d}{time.time_ns():x}"
        batch = {
            "id": id_, "created": time.time(), "cancelled": 0.0, "results": None,
            "requests": {one["custom_id"]: one["params"] for one in requests},
        }  # fmt: skip
        self._batches[id_] = batch
        while len(self._batches) > MOST:
            del self._batches[next(iter(self._batches))]
        return 200, self._view(batch, ""), ""

    def _ended(self, batch: dict[str, Any]) -> bool:
        end = batch["cancelled"] or batch["created"] + SECONDS
        return bool(time.time() >= end)

    def _results(self, batch: dict[str, Any]) -> dict[str, Any]:
        if batch["results"] is None:
            early = batch["cancelled"] and batch["cancelled"] < batch["created"] + SECONDS
            batch["results"] = {
                name: {"type": "canceled"} if early else self._one(params)
                for name, params in batch["requests"].items()
            }
        found: dict[str, Any] = batch["results"]
        return found

    def _one(self, params: dict[str, Any]) -> dict[str, Any]:
        steer = _STEER.search(str(params.get("messages")))
        if steer and steer[1] == "expired":
            return {"type": "expired"}
        message, fault = self._answer(params)
        if steer or message is None:
            error = {"type": "invalid_request_error", "message": fault or "simulated failure"}
            return {"type": "errored", "error": {"type": "error", "error": error}}
        return {"type": "succeeded", "message": message}

    def _view(self, batch: dict[str, Any], host: str) -> dict[str, Any]:
        ended = self._ended(batch)
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        if ended:
            for result in self._results(batch).values():
                counts[result["type"]] += 1
        else:
            counts["processing"] = len(batch["requests"])
        status = "ended" if ended else "canceling" if batch["cancelled"] else "in_progress"
        return {
            "id": batch["id"],
            "type": "message_batch",
            "processing_status": status,
            "request_counts": counts,
            "created_at": _text(batch["created"]),
            "expires_at": _text(batch["created"] + 86400),
            "ended_at": _text(batch["created"] + SECONDS) if ended else None,
            "archived_at": None,
            "cancel_initiated_at": _text(batch["cancelled"]) if batch["cancelled"] else None,
            "results_url": f"{host}{PATH}/{batch['id']}/results" if ended else None,
        }


def whole(status: int, value: Any, headers: Headers) -> Whole:
    """The answer to a request that succeeded."""
    if isinstance(value, bytes):
        return Whole(status, value, [("content-type", "application/x-jsonl"), *headers])
    return Whole(status, dump(value), [("content-type", "application/json"), *headers])


def _text(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
