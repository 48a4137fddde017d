"""The engine of a simulated upstream: connections, pace, faults, control endpoints."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from dataclasses import dataclass
from typing import Any

from pihub.demo.dialect import Dialect, Headers, Job, Whole, dump
from pihub.demo.faults import Fault, FaultBook, FaultError
from pihub.demo.log import Entry, RequestLog
from pihub.demo.machine import Busy, NoRoom, Speed, Took
from pihub.demo.wire import BadMessage, Gone, Reader, Reply, Request, read_request

SIMULATED = ("x-simulated", "1")
_CUTS = frozenset({"F9", "F10", "F17"})
_TEXTS = {
    401: "invalid x-api-key (simulated)",
    403: "this key may not use the model (simulated)",
    429: "rate limit reached (simulated)",
    529: "Overloaded",
}


@dataclass(slots=True)
class Pace:
    """`tokens_per_second` 0: as fast as possible; `first_token`: seconds before it."""

    tokens_per_second: float = 30.0
    first_token: float = 0.0


class Simulator:
    """One vendor's server on one port."""

    def __init__(self, dialect: Dialect, pace: Pace) -> None:
        self.dialect = dialect
        self.pace = pace
        self.faults = FaultBook()
        self.log = RequestLog()
        self.accepted = 0
        self.port = 0
        self._host = ""
        self._writers: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._server: asyncio.Server | None = None
        self._reserved: socket.socket | None = None
        self._reopening: asyncio.TimerHandle | None = None

    async def start(self, host: str, port: int) -> None:
        self._host = host
        await self._listen(bound(host, port))

    async def _listen(self, sock: socket.socket) -> None:
        self.port = sock.getsockname()[1]
        loop = asyncio.get_running_loop()

        def factory() -> asyncio.StreamReaderProtocol:
            reader = Reader(loop)
            return asyncio.StreamReaderProtocol(reader, self._accept, loop=loop)

        self._server = await loop.create_server(factory, sock=sock, backlog=1024)

    # ---- refusing connections (F1) -------------------------------------------------

    async def refuse(self, seconds: float) -> None:
        """Close the listener and every connection; the port stays reserved."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for writer in list(self._writers.values()):
            writer.transport.abort()
        await asyncio.sleep(0)
        # Bound but not listening: the kernel refuses, and nobody else gets the port.
        self._reserved = bound(self._host, self.port)
        if seconds > 0:
            loop = asyncio.get_running_loop()
            self._reopening = loop.call_later(seconds, lambda: asyncio.ensure_future(self.reopen()))

    async def reopen(self) -> None:
        """Listen again after `refuse`."""
        if self._reopening is not None:
            self._reopening.cancel()
            self._reopening = None
        if self._reserved is not None:
            sock, self._reserved = self._reserved, None
            await self._listen(sock)

    # ---- connections ---------------------------------------------------------------

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(reader, Reader)
        self.accepted += 1
        task = asyncio.ensure_future(self._serve(reader, writer, self.accepted))
        self._writers[task] = writer
        task.add_done_callback(lambda done: self._writers.pop(done, None))

    async def _serve(self, reader: Reader, writer: asyncio.StreamWriter, number: int) -> None:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while True:
                request = await read_request(reader, writer)
                if request is None:
                    return
                reply = Reply(reader, writer, request)
                if request.path.startswith("/__"):
                    await self.control(request, reply)
                else:
                    await self._answer(request, reply, number)
                await reply.flush()
                if not reply.keep_alive:
                    return
        except BadMessage as exc:
            with contextlib.suppress(Gone):
                bad = Reply(reader, writer, Request("GET", "", "", [], b"", False))
                bad.whole(400, [("content-type", "text/plain")], str(exc).encode())
        except Gone:
            pass
        finally:
            with contextlib.suppress(ConnectionError):
                writer.close()

    async def control(self, request: Request, reply: Reply) -> None:
        """The endpoints `/__faults__`, `/__log__`, `/__pace__`, `/__machine__`, `/__stats__`."""
        status = 200
        value: Any = None
        match (request.method, request.path):
            case ("POST", "/__faults__"):
                try:
                    fault = Fault.parse(request.json())
                except (FaultError, ValueError) as exc:
                    status, value = 400, {"error": str(exc)}
                else:
                    if fault.fault == "F1":
                        await self.refuse(fault.seconds)
                    else:
                        self.faults.add(fault)
                    value = self.faults.view()
            case ("GET", "/__faults__"):
                value = self.faults.view()
            case ("DELETE", "/__faults__"):
                self.faults.clear()
                await self.reopen()
                value = []
            case ("GET", "/__log__"):
                value = self.log.view()
            case ("DELETE", "/__log__"):
                self.log.clear()
                value = []
            case ("POST", "/__pace__"):
                raw = request.json()
                self.pace.tokens_per_second = float(
                    raw.get("tokens_per_second", self.pace.tokens_per_second)
                )
                self.pace.first_token = float(raw.get("first_token", self.pace.first_token))
                value = {"tokens_per_second": self.pace.tokens_per_second}
            case ("GET" | "POST", "/__machine__") if self.dialect.machine is not None:
                machine = self.dialect.machine
                if request.method == "POST":
                    machine.speed = Speed(**request.json())
                value = machine.view()
            case ("GET", "/__stats__"):
                value = {
                    "accepted": self.accepted,
                    "open": len(self._writers),
                    "requests": self.log.total,
                    "listening": self._server is not None,
                }
            case _:
                status, value = 404, {"error": "no such control endpoint"}
        reply.whole(status, [("content-type", "application/json"), SIMULATED], dump(value))

    # ---- answers -------------------------------------------------------------------

    async def _answer(self, request: Request, reply: Reply, connection: int) -> None:
        entry = self.log.add(request, connection)
        fault = self.faults.take(request.path, generates=request.path in self.dialect.generates)
        entry.fault = fault.fault if fault else ""
        try:
            await self._meet(request, reply, entry, fault)
            await reply.flush()
            entry.finished = not (fault and fault.fault in _CUTS | {"F2", "F3"})
        except Gone:
            entry.aborted = True
            raise
        finally:
            entry.status = reply.status
            entry.ended = time.time()

    async def _meet(
        self, request: Request, reply: Reply, entry: Entry, fault: Fault | None
    ) -> None:
        """Apply what happens before an answer exists, then answer."""
        name = fault.fault if fault else ""
        if fault and (name in ("F4", "F5", "F6") or (name == "F16" and fault.status)):
            self._fail(reply, entry, fault)
            return
        if fault and name == "F2":
            await reply.pause(fault.seconds)
            reply.keep_alive = False
            return
        at_least = fault.after_tokens + 20 if fault and name in _CUTS | {"F11", "F12"} else 0
        took = Took()
        made = self.dialect.answer(request, entry.number, at_least)
        if name == "F7":
            body = self.dialect.error(500, "simulated error in a 200 answer", entry.number)
            reply.whole(200, [*body.headers, SIMULATED], body.body)
            return
        if name == "F8":
            page = b"<!doctype html><html><title>502 Bad Gateway</title><h1>Bad Gateway</h1></html>"
            reply.whole(200, [("content-type", "text/html"), SIMULATED], page)
            return
        if fault and name == "F3":
            kind = made.content_type if isinstance(made, Job) else "application/json"
            reply.head(200, [("content-type", kind), SIMULATED])
            await reply.pause(fault.seconds)
            reply.keep_alive = False
            return
        if fault and name == "F16":
            await reply.pause(fault.seconds)
        if isinstance(made, Job):
            made.took = took
        machine = self.dialect.machine
        if machine is None or made.need is None:
            await self._say(made, reply, entry, fault)
            return
        try:
            async with machine.turn(made.need, took, reply):
                await self._say(made, reply, entry, fault)
        except (Busy, NoRoom) as problem:
            status = 503 if isinstance(problem, Busy) else 500
            whole = self.dialect.error(status, str(problem), entry.number)
            reply.whole(status, [*whole.headers, SIMULATED], whole.body)

    async def _say(
        self, made: Whole | Job, reply: Reply, entry: Entry, fault: Fault | None
    ) -> None:
        if isinstance(made, Whole):
            reply.whole(made.status, [*made.headers, SIMULATED], made.body)
            return
        entry.input_tokens = made.plan.input_tokens
        entry.output_tokens = made.plan.output_tokens
        if made.stream:
            await self._stream(made, reply, entry, fault)
        else:
            await self._whole(made, reply, entry, fault)

    def _fail(self, reply: Reply, entry: Entry, fault: Fault) -> None:
        text = _TEXTS.get(fault.status, "the model failed (simulated)")
        if fault.fault == "F16":
            text = "the model is loading (simulated)"
        whole = self.dialect.error(fault.status, text, entry.number)
        headers: Headers = [*whole.headers, SIMULATED]
        if fault.retry_after:
            headers.append(("retry-after", fault.retry_after))
        reply.whole(fault.status, headers, whole.body)

    async def _stream(self, job: Job, reply: Reply, entry: Entry, fault: Fault | None) -> None:
        name = fault.fault if fault else ""
        usage = fault.usage if fault and name == "F15" else ""
        at = fault.after_tokens if fault else 0
        if self.pace.first_token:
            await reply.pause(self.pace.first_token)
        reply.head(200, [("content-type", job.content_type), *job.headers, SIMULATED])
        reply.chunk(job.opening(usage))
        start = time.monotonic()
        for sent, frame in enumerate(job.frames()):
            if fault and sent == at and name in _CUTS:
                await self._cut(reply, fault)
                return
            if sent == at and name == "F11":
                reply.chunk(job.malformed())
            if sent == at and name == "F12":
                reply.chunk(job.error_event())
                reply.end()
                return
            if self.pace.tokens_per_second > 0:
                await reply.pause(start + sent / self.pace.tokens_per_second - time.monotonic())
                await reply.flush()
            elif sent % 64 == 63:
                await reply.flush()
            reply.chunk(frame)
            entry.tokens = sent + 1
        if fault and name in _CUTS:
            await self._cut(reply, fault)
            return
        reply.chunk(job.done_only() if name == "F14" else job.closing(usage))
        if name == "F13":
            reply.chunk(job.terminal())
        reply.end()

    async def _whole(self, job: Job, reply: Reply, entry: Entry, fault: Fault | None) -> None:
        name = fault.fault if fault else ""
        usage = fault.usage if fault and name == "F15" else ""
        if name == "F12":
            whole = self.dialect.error(500, "the model failed (simulated)", entry.number)
            reply.whole(500, [*whole.headers, SIMULATED], whole.body)
            return
        if self.pace.tokens_per_second > 0:
            wait = len(job.plan.tokens) / self.pace.tokens_per_second
            await reply.pause(self.pace.first_token + wait)
        body = job.whole(usage, terminal=name != "F14")
        if name == "F11":
            body = body[: len(body) // 2]
        headers = [("content-type", job.content_type), *job.headers, SIMULATED]
        entry.tokens = len(job.plan.tokens)
        if fault and name in _CUTS:
            reply.head(200, headers, length=len(body))
            reply.chunk(body[: len(body) // 2])
            await self._cut(reply, fault)
            return
        reply.whole(200, headers, body)

    async def _cut(self, reply: Reply, fault: Fault) -> None:
        await reply.flush()
        if fault.fault == "F10":
            await reply.pause(fault.seconds)
        if fault.fault == "F17":
            await asyncio.sleep(0.01)  # let the last bytes leave before the RST drops them
            reply.reset()
        reply.keep_alive = False


def bound(host: str, port: int) -> socket.socket:
    """A bound TCP socket that does not listen yet; raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock
