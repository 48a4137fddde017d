"""Images, documents, lists of models and the rest (cases 51 to 63)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from pihub.domain.chat import Answer, StopReason, Text
from pihub.domain.collect import replay
from pihub.errors import BadRequest, Unsupported
from pihub.protocols.ollama.client import version
from pihub.protocols.registry import CLIENTS, UPSTREAMS
from tests.protocols.carry import (
    ASKS_BY_CLIENT,
    CLAUDE_45,
    PNG,
    carry,
    chat,
    ndjson,
    parse,
    rendered,
    request,
    sse,
    user,
    written,
)


def openai_image(url: str) -> dict[str, Any]:
    return user([{"type": "image_url", "image_url": {"url": url}}])


def anthropic_image(data: str, media_type: str = "image/png") -> dict[str, Any]:
    source = {"type": "base64", "media_type": media_type, "data": data}
    return user([{"type": "image", "source": source}])


def test_case_51_images_in_all_directions() -> None:
    uri = "data:image/png;base64," + PNG
    from_openai = chat("openai", openai_image(uri), max_tokens=5)
    from_anthropic = chat("anthropic", anthropic_image(PNG))
    from_ollama = chat("ollama", {"role": "user", "content": "", "images": [PNG]})
    for client, body in (
        ("openai", from_openai),
        ("anthropic", from_anthropic),
        ("ollama", {**from_ollama, "options": {"num_predict": 5}}),
    ):
        source = carry(client, "anthropic", body)["messages"][0]["content"][0]["source"]
        assert source == {"type": "base64", "media_type": "image/png", "data": PNG}
        part = carry(client, "openai", body)["messages"][0]["content"][0]
        assert part == {"type": "image_url", "image_url": {"url": uri}}
        assert carry(client, "ollama", body)["messages"][0]["images"] == [PNG]


def test_case_51_whitespace_prefix_and_wrong_type_are_repaired() -> None:
    spaced = PNG[:20] + "\n " + PNG[20:]
    body = chat("openai", openai_image("data:image/jpeg;base64," + spaced), max_tokens=5)
    source = carry("openai", "anthropic", body)["messages"][0]["content"][0]["source"]
    assert (source["media_type"], source["data"]) == ("image/png", PNG)
    prefixed = chat(
        "ollama", {"role": "user", "content": "", "images": ["data:image/png;base64," + PNG]}
    )
    assert carry("ollama", "ollama", prefixed)["messages"][0]["images"] == [PNG]


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xd8\xff\xe0" + b"0" * 16, "image/jpeg"),
        (b"GIF89a" + b"0" * 16, "image/gif"),
        (b"RIFF0000WEBP" + b"0" * 16, "image/webp"),
    ],
)
def test_case_51_magic_numbers(head: bytes, kind: str) -> None:
    data = base64.b64encode(head).decode()
    body = chat("anthropic", anthropic_image(data, "image/png"))
    source = carry("anthropic", "anthropic", body)["messages"][0]["content"][0]["source"]
    assert source["media_type"] == kind


def test_case_51_other_image_types_are_refused() -> None:
    bitmap = base64.b64encode(b"BM" + b"0" * 30).decode()
    for upstream in ("anthropic", "openai"):
        with pytest.raises(Unsupported, match="image/bmp"):
            carry("anthropic", upstream, chat("anthropic", anthropic_image(bitmap, "image/bmp")))
    for url in ("data:image/png,plain", "ftp://x/y.png", "data:image/png;base64,@@@@"):
        with pytest.raises(BadRequest):
            parse("openai", chat("openai", openai_image(url)))


def test_case_52_remote_urls() -> None:
    url = "https://example.com/cat.png"
    body = chat("openai", openai_image(url), max_tokens=5)
    source = carry("openai", "anthropic", body)["messages"][0]["content"][0]["source"]
    assert source == {"type": "url", "url": url}
    with pytest.raises(Unsupported, match="URL"):
        carry("openai", "ollama", body)
    back = user([{"type": "image", "source": {"type": "url", "url": url}}])
    part = carry("anthropic", "openai", chat("anthropic", back))["messages"][0]["content"][0]
    assert part["image_url"]["url"] == url


def test_case_53_text_documents_become_text_and_pdfs_are_refused() -> None:
    text = {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "The deed."},
        "title": "Deed",
    }
    body = chat("anthropic", user([text, {"type": "text", "text": "Sum up."}]))
    assert carry("anthropic", "ollama", body)["messages"][0]["content"] == "The deed.\nSum up."
    parts = carry("anthropic", "openai", body)["messages"][0]["content"]
    assert [p["text"] for p in parts] == ["The deed.", "Sum up."]
    assert carry("anthropic", "anthropic", body)["messages"][0]["content"][0] == text

    pdf = {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
    }
    body = chat("anthropic", user([pdf]))
    for upstream in ("openai", "ollama"):
        with pytest.raises(Unsupported, match="application/pdf"):
            carry("anthropic", upstream, body)
    assert carry("anthropic", "anthropic", body)["messages"][0]["content"] == [pdf]
    data = "data:application/pdf;base64,JVBERi0="
    file = {"type": "file", "file": {"filename": "a.pdf", "file_data": data}}
    carried = carry("openai", "anthropic", chat("openai", user([file]), max_tokens=5))
    assert carried["messages"][0]["content"][0]["source"] == pdf["source"]


def test_case_55_cache_control_is_kept_for_anthropic_and_stripped_for_others() -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    body = chat(
        "anthropic",
        user([{"type": "text", "text": "hi", "cache_control": mark}]),
        system=[{"type": "text", "text": "s", "cache_control": mark}],
        tools=[{"name": "t", "input_schema": {"type": "object"}, "cache_control": mark}],
    )
    kept = carry("anthropic", "anthropic", body)
    assert kept["messages"][0]["content"][0]["cache_control"] == mark
    assert kept["system"][0]["cache_control"] == mark
    assert kept["tools"][0]["cache_control"] == mark
    for upstream in ("openai", "ollama"):
        assert "cache_control" not in json.dumps(carry("anthropic", upstream, body))


def test_case_57_models_in_three_shapes() -> None:
    openai = json.loads(CLIENTS["openai"]().models(["a", "b"], 1700000000))
    assert openai["object"] == "list"
    assert openai["data"][0] == {
        "id": "a",
        "object": "model",
        "created": 1700000000,
        "owned_by": "pihub",
    }
    anthropic = json.loads(CLIENTS["anthropic"]().models(["a", "b"], 1700000000))
    assert anthropic == {
        "data": [
            {
                "type": "model",
                "id": name,
                "display_name": name,
                "created_at": "2023-11-14T22:13:20Z",
            }
            for name in ("a", "b")
        ],
        "has_more": False,
        "first_id": "a",
        "last_id": "b",
    }
    empty = json.loads(CLIENTS["anthropic"]().models([], 0))
    assert (empty["first_id"], empty["last_id"]) == (None, None)
    tags = json.loads(CLIENTS["ollama"]().models(["a"], 1700000000))["models"][0]
    assert tags["name"] == tags["model"] == "a"
    assert tags["modified_at"] == "2023-11-14T22:13:20Z" and len(tags["digest"]) == 64
    assert json.loads(version("0.1.2")) == {"version": "0.1.2"}


@pytest.mark.parametrize("client", ["openai", "anthropic", "ollama"])
def test_case_59_the_served_model_is_told_in_answers_and_streams(client: str) -> None:
    ask = ASKS_BY_CLIENT[client]
    for served, told in (("claude-x", "claude-x"), ("", "assistant")):
        answer = Answer(id="i", model=served, blocks=(Text("x"),), stop_reason=StopReason.END_TURN)
        assert rendered(client, answer, ask)["model"] == told
        raw = written(client, replay(answer), ask)
        if client == "ollama":
            assert {line["model"] for line in ndjson(raw)} == {told}
        elif client == "openai":
            assert {data["model"] for _, data in sse(raw)[:-1]} == {told}
        else:
            assert sse(raw)[0][1]["message"]["model"] == told


def test_case_61_empty_turns_are_legal() -> None:
    answer = Answer(id="i", model="m", blocks=(), stop_reason=StopReason.END_TURN)
    message = rendered("openai", answer, ASKS_BY_CLIENT["openai"])["choices"][0]["message"]
    assert message["content"] == ""
    assert rendered("anthropic", answer, ASKS_BY_CLIENT["anthropic"])["content"] == []
    assert rendered("ollama", answer, ASKS_BY_CLIENT["ollama"])["message"]["content"] == ""
    bodies = {
        "openai": b'{"choices":[{"message":{"content":null},"finish_reason":"stop"}]}',
        "anthropic": b'{"type":"message","content":[],"stop_reason":"end_turn"}',
        "ollama": b'{"message":{"role":"assistant","content":""},"done":true}',
    }
    for name, body in bodies.items():
        assert UPSTREAMS[name]().answer(200, [], body).blocks == ()
    empty = {"role": "assistant", "content": ""}
    history = chat("openai", user("a"), empty, user("b"), max_tokens=5)
    assert [m["role"] for m in carry("openai", "anthropic", history)["messages"]] == ["user"]
    assert [m["role"] for m in carry("openai", "ollama", history)["messages"]] == [
        "user",
        "assistant",
        "user",
    ]


def test_case_63_foreign_thinking_is_stripped_when_the_model_changes() -> None:
    signed = {"type": "thinking", "thinking": "deep", "signature": "sig=="}
    unsigned = {"type": "thinking", "thinking": "local", "signature": ""}
    redacted = {"type": "redacted_thinking", "data": "xyz"}
    text = {"type": "text", "text": "So."}
    ask = parse(
        "anthropic",
        chat(
            "anthropic",
            user(),
            {"role": "assistant", "content": [signed, redacted, text]},
            user("and?"),
            {"role": "assistant", "content": [unsigned, text]},
            user("then?"),
        ),
    )
    anthropic = request("anthropic", ask, CLAUDE_45)["messages"]
    assert anthropic[1]["content"] == [signed, redacted, text]
    assert anthropic[3]["content"] == "So."  # Anthropic refuses thinking without a signature
    assert "deep" not in json.dumps(request("openai", ask))
    ollama = request("ollama", ask)["messages"]
    assert "thinking" not in ollama[1] and ollama[3]["thinking"] == "local"
