"""The obvious twin of pihub._core.edge: which answer a request gets, step by step."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

ROUTES = {"/v1/chat/completions": 1, "/api/chat": 3}
MAX_BODY = 1_000


@dataclass
class Twin:
    """`keys`: token -> (key, tenant, flags); `cached`: (route, tenant, body) -> body."""

    keys: dict[str, tuple[int, int, int]]
    loaded: bool = True
    limited: set[int] = field(default_factory=set)
    cached: dict[tuple[int, int, bytes], bytes] = field(default_factory=dict)

    def answer(self, env: dict[str, Any], body: bytes) -> tuple[str, Any]:
        """("refuse", (route, code)), ("hit", body) or ("app", what it learns)."""
        path = env.get("PATH_INFO")
        if not isinstance(path, str) or not path.startswith("/"):
            return "refuse", (0, "bad_request")
        if any(ord(c) < 0x20 or ord(c) in (0x7F,) or ord(c) > 255 for c in path):
            return "refuse", (0, "bad_request")
        if env.get("SERVER_PROTOCOL") not in ("HTTP/1.0", "HTTP/1.1"):
            return "refuse", (0, "bad_request")
        host = env.get("HTTP_HOST")
        if host is None and env["SERVER_PROTOCOL"] == "HTTP/1.1":
            return "refuse", (0, "bad_request")
        if host is not None and "," in host:
            return "refuse", (0, "bad_request")
        if env["REQUEST_METHOD"] != "POST" or path not in ROUTES:
            return "app", {}
        route = ROUTES[path]
        if not self.loaded:
            return "refuse", (route, "starting")
        found = re.fullmatch(r"(?i:bearer) [ \t]*(.*?)[ \t]*", env.get("HTTP_AUTHORIZATION", ""))
        token = (found and found[1]) or env.get("HTTP_X_API_KEY", "")
        who = self.keys.get(token)
        if who is None:
            return "refuse", (route, "invalid_api_key")
        if who[0] in self.limited:
            return "refuse", (route, "rate_limited")
        length = env.get("CONTENT_LENGTH", "")
        if length == "":
            if "HTTP_TRANSFER_ENCODING" not in env:
                body = b""
            elif not env.get("wsgi.input_terminated"):
                return "refuse", (route, "bad_request")
            elif len(body) > MAX_BODY:
                return "refuse", (route, "request_too_large")
        else:
            if not re.fullmatch(r"[0-9]{1,18}", length):
                return "refuse", (route, "bad_request")
            if int(length) > MAX_BODY:
                return "refuse", (route, "request_too_large")
            if int(length) > len(body):
                return "refuse", (route, "bad_request")
            body = body[: int(length)]
        if "HTTP_X_PIHUB_CACHE" not in env and (route, who[1], body) in self.cached:
            return "hit", self.cached[route, who[1], body]
        return "app", {"pihub.principal": who, "pihub.body": body, "pihub.route": route}
