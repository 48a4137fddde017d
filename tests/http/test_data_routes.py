"""Routes of the data plane: methods, models, health, access; errors in the caller's words."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import falcon
import falcon.testing
import pytest

from pihub import errors
from pihub.domain.target import Principal
from pihub.http.data.errors import problem
from pihub.http.data.health import is_loopback
from pihub.http.data.jobs import JobList, OneJob
from pihub.http.data.responses import OneResponse
from pihub.shared.health import UpstreamHealth
from tests.http.data_parts import KEY, Plane

CHATS = {"/v1/chat/completions": "openai", "/v1/messages": "anthropic", "/api/chat": "ollama"}


@pytest.fixture(scope="module")
def plane() -> Plane:
    plane = Plane()
    plane.load_keys()
    return plane


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", CHATS)
def test_chats_are_posted(plane: Plane, path: str, method: str) -> None:
    said = plane.call(method, path)
    assert said.status == 405 and said.header("allow") == "POST"
    assert said.header("x-pihub-request-id") == "00000000000000ab"
    assert bool(said.body) == (method != "HEAD")
    if said.body:
        assert int(said.header("content-length") or 0) == len(said.body)
        assert "error" in json.loads(said.body)


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/v1/nothing", lambda b: b["error"]["code"] == "not_found"),
        ("/v1/messages/batches", lambda b: b["error"]["type"] == "not_found_error"),
        ("/api/nothing", lambda b: isinstance(b["error"], str)),
        ("/nothing", lambda b: b["code"] == "not_found" and b["status"] == 404),
        ("/adminx", lambda b: b["code"] == "not_found"),
        ("/healthz/", lambda b: b["code"] == "not_found"),
    ],
)
def test_what_is_not_there_is_said_in_the_caller_s_words(
    plane: Plane, path: str, shape: Any
) -> None:
    said = plane.call("GET", path)
    assert said.status == 404 and shape(json.loads(said.body)), said.body


def test_anthropic_s_header_chooses_its_envelope(plane: Plane) -> None:
    body = json.loads(plane.call("GET", "/v1/nothing", anthropic_version="2023-06-01").body)
    assert body["type"] == "error"


def test_models_want_a_key(plane: Plane) -> None:
    for path in ("/v1/models", "/api/tags"):
        assert plane.call("GET", path).status == 401
        said = plane.call("GET", path, authorization=f"Bearer {KEY}")
        assert said.status == 200 and b"assistant" in said.body
    a = plane.call("GET", "/v1/models", x_api_key=KEY, anthropic_version="2023-06-01")
    assert "has_more" in json.loads(a.body)
    assert plane.call("POST", "/v1/models").status == 405


def test_root_and_version(plane: Plane) -> None:
    assert plane.call("GET", "/").body.startswith(b"pihub ")
    assert plane.call("HEAD", "/").status == 200
    page = plane.call("GET", "/", accept="text/html,*/*")
    assert (page.status, page.header("location")) == (302, "/dashboard")
    assert json.loads(plane.call("GET", "/api/version").body)["version"]


def test_healthz_says_nothing_but_that_it_lives(plane: Plane) -> None:
    said = plane.call("GET", "/healthz", address="192.0.2.1")
    assert (said.status, said.body) == (200, b'{"status":"ok"}')


def test_readyz() -> None:
    plane = Plane()
    body = json.loads(plane.call("GET", "/readyz").body)
    assert body == {
        "status": "not ready",
        "keys": "loading",
        "store": "down",
        "upstreams": {"up": "closed"},
        "offline": False,
    }
    plane.load_keys()
    assert plane.call("GET", "/readyz").status == 503, "control does not live yet"
    plane.state.arena.claim_slot(0, 1)
    assert plane.call("GET", "/readyz").status == 200
    UpstreamHealth(plane.state, 0, 1).record(False)
    said = plane.call("GET", "/readyz")
    assert said.status == 503 and json.loads(said.body)["upstreams"] == {"up": "open"}


@pytest.mark.parametrize(
    ("address", "fields", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("::ffff:127.0.0.1", {}, 200),
        ("", {}, 200),
        ("192.0.2.1", {}, 401),
        ("192.0.2.1", {"x_forwarded_for": "127.0.0.1"}, 401),
        ("192.0.2.1", {"x_api_key": "ph_wrong"}, 401),
        ("192.0.2.1", {"x_api_key": KEY}, 200),
        ("192.0.2.1", {"authorization": f"Bearer {KEY}"}, 200),
    ],
)
def test_metrics_from_elsewhere_want_a_key(
    plane: Plane, address: str, fields: dict[str, str], status: int
) -> None:
    said = plane.call("GET", "/metrics", address=address, **fields)
    assert said.status == status
    assert (said.body == b"pihub_up 1\n") == (status == 200)


@pytest.mark.parametrize(
    ("address", "here"),
    [("127.9.9.9", True), ("::ffff:10.0.0.1", False), ("localhost", False), ("10.0.0.1", False)],
)
def test_loopback(address: str, here: bool) -> None:
    assert is_loopback(address) is here


@pytest.mark.parametrize("cls", list(errors.all_errors()), ids=lambda c: c.code)
def test_every_error_in_every_envelope(plane: Plane, cls: type[errors.PihubError]) -> None:
    more = {"timer": "idle"} if cls is errors.UpstreamTimeout else {}
    error = cls("what happened", detail="secret", **more)  # type: ignore[arg-type]
    for path in (*CHATS, "/apis/x"):
        status, headers, body = plane.errors.render(path, {"pihub.rid_hex": "ab"}, error)
        assert status in (cls.status, 529)
        assert b"what happened" in body and b"secret" not in body
        assert json.loads(body) and dict(headers)["content-type"].endswith("json")


def test_retry_after_is_rounded_up() -> None:
    for seconds, said in ((0.2, "1"), (1.2, "2"), (3, "3")):
        _, headers, _ = problem(errors.Overloaded("x", retry_after=seconds), "ab")
        assert dict(headers)["retry-after"] == said
    assert "retry-after" not in dict(problem(errors.Overloaded("x"), "ab")[1])


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (falcon.HTTPBadRequest(title="secret"), 400, "bad_request"),
        (falcon.HTTPInvalidHeader("secret", "Content-Length"), 400, "bad_request"),
        (falcon.HTTPInternalServerError(title="secret"), 500, "internal_error"),
        (RuntimeError("secret"), 500, "internal_error"),
        (errors.Forbidden("no"), 403, "forbidden"),
    ],
)
def test_what_a_sink_may_raise(raised: Exception, status: int, code: str) -> None:
    def sink(req: Any, resp: Any, **_: object) -> None:
        raise raised

    said = Plane(apis={"/apis/x": sink}).call("GET", "/apis/x/y")
    assert (said.status, json.loads(said.body)["code"]) == (status, code)
    assert b"secret" not in said.body
    assert said.header("x-pihub-request-id") == "00000000000000ab"


class Elsewhere:
    """Access of a key that may not come from here."""

    def principal(self, *_: object) -> Principal:
        return Principal(3, 4)

    def hit(self, who: Principal) -> None: ...

    def permit(self, who: Principal, address: str) -> None:
        raise errors.Forbidden("this key may not be used from here")


@pytest.mark.parametrize("what", [JobList, OneJob, OneResponse])
def test_a_key_s_networks_hold_where_answers_are_fetched(what: Any) -> None:
    nothing = SimpleNamespace(get=None)  # is behind the check: whoever asks it fails otherwise
    resource = what(nothing, Elsewhere(), *(() if what is OneResponse else (None,)))
    req = falcon.testing.create_req()
    req.env |= {"pihub.rid_hex": "ab"}
    with pytest.raises(errors.Forbidden):
        resource.on_get(req, falcon.Response(), *(() if what is JobList else ("one",)))
