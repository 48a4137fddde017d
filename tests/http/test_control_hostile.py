"""What a hostile client of the admin API and the pages may send, on every operation: whatever it
is, the answer is a refusal, and nothing is kept that could not be read again."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import msgspec

from pihub.http.control.operation import SELF, Operation
from pihub.http.control.table import OPERATIONS
from pihub.security.opening import Control as Services
from pihub.security.permissions import PERMISSIONS
from tests.http.control_parts import Control
from tests.http.test_control_access import API, PASSWORD, Browser
from tests.http.test_control_access import ann as ann  # the fixtures
from tests.http.test_control_access import control as control
from tests.http.test_control_access import files as files

HALF = "x\ud800"
"""Half of a surrogate pair: JSON can write it, UTF-8 cannot."""
NUMBERS = ("\u00b2", "9" * 5000, "\x00\ud800")


def filled(schema: Any, shapes: Any, text: str) -> Any:
    """A value of a JSON schema with `text` for every string."""
    while "$ref" in schema:
        schema = shapes[schema["$ref"].rpartition("/")[2]]
    for one in schema.get("anyOf", ()):
        if one.get("type") != "null":
            return filled(one, shapes, text)
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return False
        case "array":
            return [filled(schema["items"], shapes, text)] if "items" in schema else []
        case "object":
            fields = schema.get("properties", {})
            found = {name: filled(one, shapes, text) for name, one in fields.items()}
            return found or {text: text}
    return text


def bodies(one: Operation) -> list[dict[str, Any]]:
    """What the operation takes, all fields and each alone, with HALF in it."""
    said = msgspec.json.schema(one.body)
    shapes = said.get("$defs", {})
    whole, plain = filled(said, shapes, HALF), filled(said, shapes, "x")
    shape = shapes[said["$ref"].rpartition("/")[2]]
    needed = {name: plain[name] for name in shape.get("required", ())}
    each = [needed | {name: whole[name]} for name in whole]
    return [body for body in (whole, *each) if any(HALF in text for text in strings(body))]


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in strings(part)]
    if isinstance(value, list):
        return [text for part in value for text in strings(part)]
    return [value] if isinstance(value, str) else []


def path_of(one: Operation, name: str = "1") -> str:
    path = one.shown_path
    for field in ("{number}", "{name}", "{request_id}"):
        path = path.replace(field, name)
    return path


def test_text_that_is_no_text_is_refused_everywhere(control: Control) -> None:
    walked = 0
    for one in OPERATIONS:
        for body in bodies(one) if one.body is not None else ():
            raw = json.dumps(body).encode()
            unescaped = raw.replace(b"\\ud800", b"\xed\xa0\x80")
            for data in (raw, unescaped):
                status, _, problem = control.call(
                    one.method, path_of(one), data, content_type="application/json",
                    if_match="*",
                )  # fmt: skip
                assert (status, problem["code"]) == (400, "bad_request"), (one.id, body, problem)
                walked += 1
    assert walked > 40
    assert control.call("GET", f"{API}/tenants")[0] == 200
    for data in ('{"name": "x"}'.encode("utf-16"), b'{"name": "x\xff"}'):
        assert control.call("POST", f"{API}/keys", data)[0] == 400


def test_values_of_another_kind_and_unknown_fields_are_refused_everywhere(
    control: Control,
) -> None:
    """By the server, whatever its forms say: each field of each body and query."""
    made_up: Any = [[{"made": "up"}]]
    walked = named = 0
    for one in OPERATIONS:
        tries: list[tuple[str, Any, str]] = []
        if one.body is not None:
            said = msgspec.json.schema(one.body)
            plain = filled(said, said.get("$defs", {}), "x")
            names = [field.encode_name for field in msgspec.structs.fields(one.body)]
            tries += [("", plain | {name: made_up}, name) for name in names]
            tries.append(("", plain | {"surely_unknown": 1}, "surely_unknown"))
        body = tries[0][1] if tries else None
        if one.query is not None:
            tries.append(("?surely_unknown=1", body, "surely_unknown"))
        for query, sent, name in tries:
            status, _, problem = control.call(
                one.method, path_of(one) + query, sent, content_type="application/json",
                if_match="*",
            )  # fmt: skip
            assert (status, problem["code"]) == (400, "bad_request"), (one.id, name, problem)
            walked += 1
            named += name in f"{problem.get('param')} {problem['title']}"
    # The rest have another field of a form that an "x" does not have.
    assert named > 100 and named / walked > 0.9, (named, walked)


def test_odd_numbers_and_names_are_no_defects(control: Control) -> None:
    for one in OPERATIONS:
        if one.method != "GET":
            continue
        for odd in NUMBERS:
            text = quote(odd.encode("utf-8", "surrogatepass"))
            if "{" in one.shown_path:
                assert control.call("GET", path_of(one, text))[0] < 500, (one.id, odd[:20])
            for name in msgspec.structs.fields(one.query):
                asked = f"{path_of(one)}?{name.encode_name}={text}"
                assert control.call("GET", asked)[0] < 500, (one.id, name.name, odd[:20])


def test_odd_fields_of_a_browser_are_refusals(control: Control, ann: Browser) -> None:
    for origin in ("http://[", "http://[::1", "//", "null", "http://192.0.2.1:8080.evil.example"):
        assert ann.write("POST", f"{API}/keys", {"name": "x"}, Origin=origin)[0] == 403, origin
    csrf = ann.jar["pihub_csrf"]
    for number in NUMBERS:
        text = number.replace("\ud800", "x")
        status = ann.form("/dashboard/account", do="end", session=text, csrf=csrf)[0]
        assert status == 303, number
        page = f"/dashboard/settings?part=versions&number={quote(text)}"
        assert ann.call("GET", page)[0] < 500
    assert len(ann.call("GET", f"{API}/me/sessions")[2]["items"]) == 1, "none of them ended one"


def test_nobody_weakens_whoever_may_more(control: Control, ann: Browser, files: Services) -> None:
    files.accounts.put_role("keeper", ["roles:read", "roles:write"])
    files.accounts.put_role("watch", ["audit:read"])
    files.accounts.put_group("https://id.example", "staff", "watch")
    files.accounts.create("kim", PASSWORD, "keeper")
    kim = Browser(control)
    assert kim.login("kim") == 303
    assert kim.write("PUT", f"{API}/roles/watch", {"permissions": []})[0] == 403
    assert kim.write("DELETE", f"{API}/roles/watch")[0] == 403
    group = {"issuer": "https://id.example", "group": "staff"}
    for role in ("", "keeper"):
        assert kim.write("PUT", f"{API}/role-groups", group | {"role": role})[0] == 403
    assert files.accounts.permissions("watch") == {"audit:read"}
    assert files.accounts.role_of_groups("https://id.example", ["staff"]) == "watch"
    assert kim.write("PUT", f"{API}/roles/own", {"permissions": ["roles:read"]})[0] == 200
    assert kim.write("DELETE", f"{API}/roles/own")[0] == 200
    assert ann.write("PUT", f"{API}/role-groups", group | {"role": ""})[0] == 200
    assert ann.write("DELETE", f"{API}/roles/watch")[0] == 200


def test_a_narrow_key_makes_no_wider_one(control: Control) -> None:
    own = {
        "admin": ["keys:read", "keys:write"], "models": ["a", "b"], "apis": ["x"],
        "networks": ["192.0.2.0/24", "2001:db8::/32"],
    }  # fmt: skip
    made = control.call("POST", f"{API}/keys", {"name": "narrow", "scope": own})[2]
    narrow = Browser(control)

    def status(**scope: Any) -> int:
        body = {"name": "y", "scope": own | scope}
        said = narrow.call("POST", f"{API}/keys", body, x_api_key=made["token"])
        return int(said[0])

    for wider in (
        {"models": None}, {"models": ["a", "c"]}, {"apis": None}, {"apis": ["y"]},
        {"networks": []}, {"networks": ["192.0.0.0/16"]}, {"networks": ["::/0"]},
        {"networks": ["192.0.2.7", "198.51.100.1"]},
    ):  # fmt: skip
        assert status(**wider) == 403, wider
    assert status() == 201
    assert status(models=[], apis=["x"], networks=["192.0.2.7", "2001:db8:1::/48"]) == 201
    change = narrow.call(
        "PUT", f"{API}/keys/{made['id']}", {"name": "narrow", "scope": own | {"networks": []}},
        x_api_key=made["token"],
    )  # fmt: skip
    assert change[0] == 403, "not even itself"


def test_a_key_that_ends_makes_none_that_outlives_it(control: Control) -> None:
    own = {"name": "brief", "scope": {"admin": ["keys:read", "keys:write"]}, "expires_in": 3600}
    made = control.call("POST", f"{API}/keys", own)[2]
    brief = Browser(control)

    def status(path: str, **body: Any) -> int:
        return int(brief.call("POST", f"{API}/keys{path}", body, x_api_key=made["token"])[0])

    assert status("", name="y") == 403
    assert status("", name="y", expires_in=7200) == 403
    assert status(f"/{made['id']}/rotate") == 403, "not even its own successor"
    assert status("", name="y", expires_in=1800) == 201
    assert control.call("POST", f"{API}/keys/{made['id']}/rotate", {})[0] == 201


def test_an_idempotency_key_is_its_user_s_own(control: Control, files: Services) -> None:
    """Two users of one name, of whom an identity provider tells the second."""
    tokens = []
    for issuer in ("local", "https://id.example"):
        user = files.accounts.create("sam", PASSWORD, "admin", issuer=issuer)
        browser = Browser(control)
        made = files.sessions.begin(user, "192.0.2.7", "test")
        browser.jar = {"__Host-pihub_session": made.cookie, "pihub_csrf": made.csrf}
        said = browser.write("POST", f"{API}/keys", {"name": "x"}, idempotency_key="once")
        assert said[0] == 201
        tokens.append(said[2]["token"])
    assert tokens[0] != tokens[1]


def test_an_operation_is_closed_without_its_own_permission(control: Control) -> None:
    """A key that may do everything else, on each operation."""
    walked = 0
    for missing in sorted(PERMISSIONS):
        ours = [one for one in OPERATIONS if one.permission == missing]
        body = {"name": missing, "scope": {"admin": sorted(PERMISSIONS - {missing})}}
        token = control.call("POST", f"{API}/keys", body)[2]["token"] if ours else ""
        for one in ours:
            said = Browser(control).call(one.method, path_of(one), {}, x_api_key=token)
            assert said[0] == 403, (one.id, said)
            assert missing in said[2]["title"]
            walked += 1
    own = [one for one in OPERATIONS if one.permission == SELF]
    assert walked + len(own) == len(OPERATIONS)
    assert {one.path.split("/")[1] for one in own} == {"me"}
