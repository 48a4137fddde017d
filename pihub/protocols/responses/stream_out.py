"""Canonical events to the Responses API's semantic events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pihub.domain.chat import Ask, Block, RedactedThinking, Text, Thinking, ToolUse
from pihub.domain.stream import (
    BlockStart,
    BlockStop,
    Event,
    Failed,
    Finish,
    Ping,
    SignatureDelta,
    Start,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
)
from pihub.errors import PihubError
from pihub.protocols.canonical import mint, restored_names
from pihub.protocols.jsontext import encode
from pihub.protocols.logprobs import Tokens, brief
from pihub.protocols.openai.errors import envelope
from pihub.protocols.responses import response
from pihub.protocols.responses.wire import ResponsesRequest
from pihub.protocols.sse import ping

_PREFIX = {"text": "msg_", "tool_use": "fc_"}


class ResponsesStream:
    """One item a block, numbered events, the whole response at the end.

    RAM: the answer itself, which the last event repeats.
    """

    content_type = "text/event-stream"

    def __init__(
        self, wire: ResponsesRequest, ask: Ask, keep: Callable[[dict[str, Any]], None]
    ) -> None:
        self._wire = wire
        self._ask = ask
        self._keep = keep
        self._names = restored_names(ask) if ask.tools else {}
        self._body = response.shell(wire, ask, mint("resp_"), "", 0)
        self._number = 0
        self._started = False
        self._output: list[dict[str, Any]] = []
        self._open: BlockStart | None = None
        self._item = ""
        self._parts: list[str] = []
        self._signature = ""
        self._told: Tokens = ()

    def feed(self, event: Event) -> bytes:
        """The bytes for one event, empty if it has none in this protocol."""
        if isinstance(event, TextDelta):
            self._parts.append(event.text)
            told = event.logprobs if self._ask.logprobs else ()
            self._told += told
            return self._delta("response.output_text.delta", event.text, logprobs=brief(told))
        if isinstance(event, ToolInputDelta):
            self._parts.append(event.json)
            fields = {"item_id": self._item, "output_index": len(self._output)}
            return self._say("response.function_call_arguments.delta", **fields, delta=event.json)
        if isinstance(event, ThinkingDelta):
            self._parts.append(event.text)
            return self._delta("response.reasoning_text.delta", event.text)
        if isinstance(event, SignatureDelta):
            self._signature += event.signature
            return b""
        if isinstance(event, BlockStart):
            return self._begin(event)
        if isinstance(event, BlockStop):
            return self._end()
        if isinstance(event, Start):
            return self._start(event)
        if isinstance(event, Finish):
            done = response.finished(self._body, self._output, event.stop_reason, event.usage)
            self._keep(done)
            return self._say("response." + done["status"], response=done)
        if isinstance(event, Ping):
            return ping(event.note)
        return self.error(event.error, "") if isinstance(event, Failed) else b""

    def error(self, error: PihubError, request_id: str) -> bytes:
        """`error`; the stream ends after it, without a terminal event."""
        inner = envelope(error)["error"]
        if request_id:
            inner["request_id"] = request_id
        flat = {name: inner[name] for name in ("code", "message", "param")}
        return self._say("error", **flat, error=inner)

    def _start(self, event: Start) -> bytes:
        if self._started:
            return b""
        self._started = True
        self._body["model"] = event.model or self._ask.model
        if event.created:
            self._body["created_at"] = event.created
        return self._say("response.created", response=self._body) + self._say(
            "response.in_progress", response=self._body
        )

    def _begin(self, event: BlockStart) -> bytes:
        self._open, self._parts, self._signature = event, [], ""
        self._item = mint(_PREFIX.get(event.kind, "rs_"))
        item = response.item_of(self._block(), self._item, self._names, "in_progress")
        out = self._say("response.output_item.added", output_index=len(self._output), item=item)
        if event.kind == "text":
            out += self._part("response.content_part.added", part=response.text_part(""))
        return out

    def _end(self) -> bytes:
        opened = self._open
        if opened is None:
            return b""
        text = "".join(self._parts)
        out = b""
        if opened.kind == "text":
            told = self._told
            out = self._part("response.output_text.done", text=text, logprobs=brief(told))
            out += self._part("response.content_part.done", part=response.text_part(text, told))
        elif opened.kind == "tool_use":
            out = self._say(
                "response.function_call_arguments.done",
                item_id=self._item,
                output_index=len(self._output),
                name=self._names.get(opened.name, opened.name),
                arguments=text or "{}",
            )
        elif opened.kind == "thinking":
            out = self._part("response.reasoning_text.done", text=text)
        item = response.item_of(
            self._block(), self._item, self._names, "completed", self._told
        )
        self._told = ()
        out += self._say("response.output_item.done", output_index=len(self._output), item=item)
        if item is not None:
            self._output.append(item)
        self._open = None
        return out

    def _block(self) -> Block:
        opened, text = self._open, "".join(self._parts)
        assert opened is not None
        if opened.kind == "text":
            return Text(text)
        if opened.kind == "tool_use":
            return ToolUse(opened.id, opened.name, text or "{}")
        if opened.kind == "thinking":
            return Thinking(text, self._signature)
        return RedactedThinking(opened.data)

    def _delta(self, kind: str, text: str, **more: Any) -> bytes:
        return self._part(kind, delta=text, **more)

    def _part(self, kind: str, **fields: Any) -> bytes:
        where = {"item_id": self._item, "output_index": len(self._output), "content_index": 0}
        return self._say(kind, **where, **fields)

    def _say(self, kind: str, **fields: Any) -> bytes:
        data = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        return b"event: %s\ndata: %s\n\n" % (kind.encode(), encode(data))
