"""No secret in a log line, whatever carries it there."""

from __future__ import annotations

import io
import logging

import pytest

from pihub.server.redact import HIDDEN, RedactingFormatter, redact

OWN = "canary-5c1f0e2d9b"
KEY = "ph_" + "Canary0-_" * 5 + "abcdef"


def logged(secrets: tuple[bytes, ...] = ()) -> tuple[logging.Logger, io.StringIO]:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(RedactingFormatter("%(levelname)s %(message)s", secrets))
    logger = logging.Logger("canary")
    logger.addHandler(handler)
    return logger, out


@pytest.mark.parametrize(
    "line",
    [
        f"key {KEY} was refused",
        f"authorization: Bearer {KEY}",
        "Authorization: Bearer canary-of-another-form.with.dots",
        "GET /v1/models?api_key=canary-in-a-query&x=1",
        'body {"password": "canary in json"}'.replace(" in ", "-in-"),
        "https://user:canary-pass@example.com/x",
        "sk-ant-api03-canarycanarycanary",
        "ghp_canarycanarycanary1234",
        "cookie: pihub_session=canary-session-value",
        "GET /dashboard/setup/canarycanarycanarycanary",
        f"upstream said {OWN} is wrong",
    ],
)
def test_planted_secrets_do_not_pass(line: str) -> None:
    logger, out = logged((OWN.encode(),))
    logger.error("%s", line)
    try:
        raise RuntimeError(line)
    except RuntimeError:
        logger.exception("it failed")
    text = out.getvalue()
    assert text.count(HIDDEN) == 2
    assert "canary" not in text and KEY not in text


@pytest.mark.parametrize(
    "line",
    [
        "ready: http://127.0.0.1:8080 (2 workers, engine meinheld) in 0.52 s",
        "request 4a5b6c7d8e9f0a1b failed",
        "3 keys in force",
        "keys loaded again",
        "tokens: 512 in, 40 out",
    ],
)
def test_ordinary_lines_stay_as_they_are(line: str) -> None:
    assert redact(line, [OWN]) == line
