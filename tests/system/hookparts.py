"""What tests of webhooks through the whole hub share: a sender and a subscriber."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import http.server
import json
import threading
import time
from typing import Any

SECRET = "the-sender-s-secret"
PUBLIC = "https://pi.example"
CONFIG = """
[webhooks.hubspot]
kind = "hubspot"
secret_env = "TEST_HOOK_SECRET"

[webhooks.code]
kind = "github"
secret_env = "TEST_HOOK_SECRET"
"""
ENV = {"TEST_HOOK_SECRET": SECRET, "PIHUB_SERVER__PUBLIC_URL": PUBLIC}


def signed(body: bytes, path: str = "/webhooks/hubspot") -> dict[str, str]:
    """The header fields of a HubSpot v3 signature, now."""
    stamp = str(int(time.time() * 1000))
    source = b"POST" + (PUBLIC + path).encode() + body + stamp.encode()
    mac = hmac.new(SECRET.encode(), source, hashlib.sha256).digest()
    return {
        "x-hubspot-signature-v3": base64.b64encode(mac).decode(),
        "x-hubspot-request-timestamp": stamp,
        "content-type": "application/json",
    }


def event(number: int, about: int, **fields: Any) -> dict[str, Any]:
    return {
        "eventId": number, "subscriptionId": 1, "portalId": 7, "appId": 3,
        "occurredAt": int(time.time() * 1000), "subscriptionType": "contact.propertyChange",
        "attemptNumber": 0, "objectId": about, "propertyName": "n", "propertyValue": str(number),
        **fields,
    }  # fmt: skip


def post(port: int, events: list[dict[str, Any]], timeout: float = 10.0) -> tuple[int, bytes]:
    """(status, body); raises OSError or http.client.HTTPException when there is no answer."""
    body = json.dumps(events).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("POST", "/webhooks/hubspot", body, signed(body))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Subscriber:
    """A target that honours the key: what it has seen before it does not do again."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.seen: dict[str, int] = {}
        """Idempotency key -> how often it came."""
        self.done: list[dict[str, Any]] = []
        """Events in the order in which they were first taken."""
        self.headers: list[dict[str, str]] = []
        self.calls = 0
        """However they were answered."""
        self.status = 200
        self.retry_after = ""
        made = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                if made.server is None:
                    self.close_connection = True
                    return
                status = made.take({k.lower(): v for k, v in self.headers.items()}, body)
                self.send_response(status)
                if made.retry_after:
                    self.send_header("retry-after", made.retry_after)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self._handler = Handler
        self.port = 0
        self.server: http.server.ThreadingHTTPServer | None = None
        self.start()

    def start(self) -> None:
        """Listen (again, on the same port)."""
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), self._handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def take(self, headers: dict[str, str], body: bytes) -> int:
        with self.lock:
            self.calls += 1
            if self.status != 200:
                return self.status
            self.headers.append(headers)
            key = headers["idempotency-key"]
            self.seen[key] = self.seen.get(key, 0) + 1
            if self.seen[key] == 1:
                self.done.append(json.loads(body))
            return 200

    def wait(self, count: int, seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if len(self.done) >= count:
                return
            time.sleep(0.01)
        raise AssertionError(f"{len(self.done)} of {count} events came")
