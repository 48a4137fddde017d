"""Ask a simulator and keep what came, cut or whole."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

from pihub.demo.harness import Demo

SERVERS = ("ollama", "claude", "openai")
PATHS = {"ollama": "/api/chat", "claude": "/v1/messages", "openai": "/v1/chat/completions"}
TERMINAL = {"ollama": b'"done":true', "claude": b"message_stop", "openai": b'finish_reason":"stop"'}
TOKEN = {"ollama": b'"done":false', "claude": b"text_delta", "openai": b'"delta":{"content"'}


class Answer:
    """The raw answer: `cut` if it ended before HTTP says that it may."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes, cut: str) -> None:
        self.status, self.headers, self.body, self.cut = status, headers, body, cut


def ask(
    demo: Demo, server: str, *, stream: bool = True, timeout: float = 10.0, path: str = ""
) -> Answer:
    url = urlsplit(demo.url(server))
    assert url.hostname is not None
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=timeout)
    body = {
        "model": "m",
        "stream": stream,
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": "hello"}],
    }
    headers = {"content-type": "application/json", "anthropic-version": "2023-06-01"}
    try:
        connection.request("POST", path or PATHS[server], json.dumps(body), headers)
        got = connection.getresponse()
        data, cut = b"", ""
        try:
            while piece := got.read1(65536):
                data += piece
            if got.length:
                cut = "short"
        except http.client.IncompleteRead as exc:
            data, cut = data + exc.partial, "short"
        except ConnectionResetError:
            cut = "reset"
        return Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, data, cut)
    finally:
        connection.close()
