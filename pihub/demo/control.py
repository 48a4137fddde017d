"""A port of its own for the control endpoints."""

from __future__ import annotations

import asyncio
import contextlib

from pihub.demo.dialect import dump
from pihub.demo.server import Simulator, bound
from pihub.demo.wire import BadMessage, Gone, Reader, Reply, read_request


class ControlPort:
    """The control endpoints of all simulators on a port of its own, so that they can
    be reached while a simulator refuses connections: `/NAME/__faults__` and so on."""

    def __init__(self, simulators: dict[str, Simulator]) -> None:
        self._simulators = simulators
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()

        def factory() -> asyncio.StreamReaderProtocol:
            return asyncio.StreamReaderProtocol(Reader(loop), self._serve, loop=loop)

        sock = bound(host, port)
        self.port = sock.getsockname()[1]
        await loop.create_server(factory, sock=sock)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(reader, Reader)
        try:
            while (request := await read_request(reader, writer)) is not None:
                reply = Reply(reader, writer, request)
                name, _, rest = request.path.lstrip("/").partition("/")
                simulator = self._simulators.get(name)
                if simulator is None:
                    body = dump({"error": f"servers: {', '.join(self._simulators)}"})
                    reply.whole(404, [("content-type", "application/json")], body)
                else:
                    request.path = "/" + rest
                    await simulator.control(request, reply)
                await reply.flush()
                if not reply.keep_alive:
                    return
        except (BadMessage, Gone):
            pass
        finally:
            with contextlib.suppress(ConnectionError):
                writer.close()
