"""Signatures against those that the senders' own libraries make, and against forgers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub.errors import InvalidSignature
from pihub.webhooks.signatures import (
    WINDOW_MS,
    Signed,
    verifier,
)

CORPUS = json.loads(
    (Path(__file__).parents[1] / "corpus" / "webhooks" / "signatures.json").read_text()
)
NOW = CORPUS["now_ms"]
CASES = [tuple(case) for case in CORPUS["cases"]]
ALL = ("v1", "v2", "v3")
SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
URI = "https://www.example.com/webhook_uri"


def check(
    kind: str, secret: str, url: str, body: bytes | str, headers: Mapping[str, str],
    now: int = NOW, method: str = "POST", versions: tuple[str, ...] = ALL,
) -> None:  # fmt: skip
    data = body.encode() if isinstance(body, str) else body
    verifier(kind, versions)(secret.encode(), Signed(method, url, headers, data, now))


def test_the_corpus_has_every_kind_and_version() -> None:
    assert {case[0] for case in CASES} == {"hubspot", "stripe", "github", "slack", "standard"}
    assert len(CASES) >= 60


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_what_the_senders_libraries_sign_passes(case: tuple[str, str, str, str, dict]) -> None:
    kind, secret, url, body, headers = case
    check(kind, secret, url, body, headers)
    with pytest.raises(InvalidSignature):
        check(kind, secret + "x", url, body, headers)
    with pytest.raises(InvalidSignature):
        check(kind, secret, url, body + " ", headers)
    for name in headers:
        if "version" not in name:
            value = headers[name][:-1]
            if kind == "stripe":
                value = headers[name].replace(",v0=", "!,v0=")
            broken = {**headers, name: value}
            with pytest.raises(InvalidSignature):
                check(kind, secret, url, body, broken)


@pytest.mark.parametrize(
    ("version", "method", "body", "stamp", "wanted"),
    [
        ("v1", "POST",
         '[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,'
         '"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,'
         '"changeSource":"CRM","changeFlag":"NEW","appId":54321}]', 0,
         "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de"),
        ("v2", "GET", "", 0, "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e"),
        ("v2", "POST", '{"example_field":"example_value"}', 0,
         "9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900"),
        ("v3", "POST", "{'example_field':'example_value'}", 1693657560000,
         "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="),
        ("v3", "POST", "{'example_field':'example_value'}", 1700000300000,
         "RnbPH7+UMKVkbV32P8bz450N4M56aPmcru1+D3kSDtw="),
    ],
)  # fmt: skip
def test_published_vectors_of_hubspot(
    version: str, method: str, body: str, stamp: int, wanted: str
) -> None:
    headers = {"x-hubspot-signature": wanted, "x-hubspot-signature-version": version}
    if version == "v3":
        headers = {"x-hubspot-signature-v3": wanted, "x-hubspot-request-timestamp": str(stamp)}
    check("hubspot", SECRET, URI, body, headers, now=stamp or NOW, method=method)


def test_published_vectors_of_others() -> None:
    # GitHub's "Validating webhook deliveries".
    check("github", "It's a Secret to Everybody", URI, "Hello, World!", {
        "x-hub-signature-256":
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    })  # fmt: skip


STAMPED = [case for case in CASES if case[0] not in ("github",) and "v1" not in case[4].values()
           and "v2" not in case[4].values()]  # fmt: skip


@pytest.mark.parametrize("case", STAMPED, ids=lambda case: case[0])
def test_five_minutes_either_way_and_no_more(case: tuple[str, str, str, str, dict]) -> None:
    for late in (-WINDOW_MS, 0, WINDOW_MS):
        check(*case, now=NOW + late)
    for late in (-WINDOW_MS - 1000, WINDOW_MS + 1000):
        with pytest.raises(InvalidSignature, match="five minutes"):
            check(*case, now=NOW + late)


def _v3() -> tuple[str, str, str, str, dict]:
    return next(case for case in CASES if "x-hubspot-signature-v3" in case[4])


def test_a_wrong_v3_is_not_saved_by_an_older_version() -> None:
    kind, secret, url, body, headers = _v3()
    older = next(
        case[4] for case in CASES
        if case[1] == secret and case[3] == body and case[2] == url and "v1" in case[4].values()
    )  # fmt: skip
    check(kind, secret, url, body, {**older, **headers})
    with pytest.raises(InvalidSignature):
        check(kind, secret, url, body, {**older, **headers, "x-hubspot-signature-v3": "x"})


@pytest.mark.parametrize("version", ALL)
def test_versions_that_are_not_accepted(version: str) -> None:
    others = tuple(one for one in ALL if one != version)
    for case in CASES:
        headers = case[4]
        if case[0] != "hubspot":
            continue
        own = headers.get("x-hubspot-signature-version", "v3")
        if own == version:
            with pytest.raises(InvalidSignature):
                check(*case, versions=others)
        else:
            check(*case, versions=others)


@pytest.mark.parametrize("stamp", ["", "1700000000", "+700000000000", "17000000000000", "１" * 13])
def test_odd_timestamps(stamp: str) -> None:
    kind, secret, url, body, headers = _v3()
    with pytest.raises(InvalidSignature):
        check(kind, secret, url, body, {**headers, "x-hubspot-request-timestamp": stamp})


def test_hubspot_may_sign_a_partly_decoded_url() -> None:
    import base64
    import hashlib
    import hmac

    url, shown = "https://pi.example/h?a=%3A%2f%20", "https://pi.example/h?a=:/%20"
    mac = hmac.new(b"s", f"POST{shown}[]{NOW}".encode(), hashlib.sha256).digest()
    headers = {
        "x-hubspot-signature-v3": base64.b64encode(mac).decode(),
        "x-hubspot-request-timestamp": str(NOW),
    }
    check("hubspot", "s", url, "[]", headers)


def test_secrets_may_be_rotated_by_listing_two_signatures() -> None:
    for kind in ("stripe", "standard"):
        _, secret, url, body, headers = next(case for case in CASES if case[0] == kind)
        name = "stripe-signature" if kind == "stripe" else "webhook-signature"
        extra = ",v1=00" if kind == "stripe" else " v1,AAAA"
        check(kind, secret, url, body, {**headers, name: headers[name] + extra})


@given(st.sampled_from(["hubspot", "stripe", "github", "slack", "standard"]),
       st.dictionaries(st.sampled_from(sorted({n for c in CASES for n in c[4]})),
                       st.text(max_size=80)), st.binary(max_size=40))  # fmt: skip
def test_nothing_but_a_refusal_comes_of_noise(
    kind: str, headers: dict[str, str], body: bytes
) -> None:
    with pytest.raises(InvalidSignature) as caught:
        check(kind, "a secret that nobody guesses", URI, body, headers)
    assert "secret" not in caught.value.message
