"""The simulators as the vendors' own SDKs see them: strictly typed, nothing missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import ollama
import openai
import pytest

from pihub.demo.harness import Demo

HELLO: Any = [{"role": "user", "content": "hello"}]
TOOL: Any = [{"role": "user", "content": 'weather? [[tool:get_weather {"city": "Oslo"}]]'}]
TWO_TOOLS: Any = [{"role": "user", "content": '[[tool:a {"n": 1}]] [[tool:b]]'}]
GPT, HAIKU, LLAMA = "gpt-4o-mini", "claude-haiku-4-5", "llama3.2:3b"


@pytest.fixture
def gpt(demo: Demo) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{demo.openai}/v1",
        api_key="x",
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


@pytest.fixture
def claude(demo: Demo) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(
        base_url=demo.claude, api_key="x", max_retries=0, _strict_response_validation=True
    ) as client:
        yield client


@pytest.fixture
def llama(demo: Demo) -> ollama.Client:
    return ollama.Client(host=demo.ollama)


# ---- OpenAI --------------------------------------------------------------------------


def test_openai_whole_and_stream_say_the_same(gpt: openai.OpenAI) -> None:
    whole = gpt.chat.completions.create(model=GPT, messages=HELLO)
    text = whole.choices[0].message.content
    assert text is not None
    assert "Simulated" in text
    assert '"hello"' in text
    assert whole.choices[0].finish_reason == "stop"
    chunks = list(
        gpt.chat.completions.create(
            model=GPT, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == text
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert all("usage" in chunk.model_fields_set for chunk in chunks), "null, not left out"
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1


def test_openai_without_usage_asked_for(gpt: openai.OpenAI) -> None:
    chunks = list(gpt.chat.completions.create(model=GPT, messages=HELLO, stream=True))
    assert all("usage" not in chunk.model_fields_set and chunk.choices for chunk in chunks)


def test_openai_limits_and_stops(gpt: openai.OpenAI) -> None:
    cut = gpt.chat.completions.create(model=GPT, messages=HELLO, max_completion_tokens=2)
    assert cut.choices[0].finish_reason == "length"
    assert cut.usage is not None
    assert cut.usage.completion_tokens == 2
    stopped = gpt.chat.completions.create(model=GPT, messages=HELLO, stop=["answer"])
    assert stopped.choices[0].finish_reason == "stop"
    assert stopped.choices[0].message.content == "Simulated OpenAI-compatible "


def test_openai_tools(gpt: openai.OpenAI) -> None:
    choice = gpt.chat.completions.create(model=GPT, messages=TOOL).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    call = choice.message.tool_calls[0]
    assert call.type == "function"
    assert (call.function.name, call.function.arguments) == ("get_weather", '{"city": "Oslo"}')
    with gpt.chat.completions.stream(model=GPT, messages=TWO_TOOLS) as stream:
        final = stream.get_final_completion()
    calls = final.choices[0].message.tool_calls
    assert calls is not None
    assert [(c.function.name, c.function.arguments) for c in calls] == [
        ("a", '{"n": 1}'),
        ("b", "{}"),
    ]


def test_openai_lists_models_and_knows_missing_ones(gpt: openai.OpenAI) -> None:
    assert GPT in [model.id for model in gpt.models.list()]
    assert gpt.models.retrieve(GPT).owned_by == "simulated"
    with pytest.raises(openai.NotFoundError) as caught:
        gpt.chat.completions.create(model="missing", messages=HELLO)
    assert caught.value.code == "model_not_found"
    assert caught.value.request_id


# ---- Claude --------------------------------------------------------------------------


def test_claude_whole_and_stream_say_the_same(claude: anthropic.Anthropic) -> None:
    whole = claude.messages.create(model=HAIKU, max_tokens=100, messages=HELLO)
    assert isinstance(whole.content[0], anthropic.types.TextBlock)
    assert '"hello"' in whole.content[0].text
    with claude.messages.stream(model=HAIKU, max_tokens=100, messages=HELLO) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
    assert isinstance(final.content[0], anthropic.types.TextBlock)
    assert final.content[0].text == whole.content[0].text
    assert final.usage.output_tokens == whole.usage.output_tokens
    assert final.usage.input_tokens == whole.usage.input_tokens
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    assert whole._request_id


def test_claude_thinks_then_uses_a_tool(claude: anthropic.Anthropic) -> None:
    messages: Any = [{"role": "user", "content": '[[think]] [[tool:t {"a": [1, {"b": 2}]}]]'}]
    whole = claude.messages.create(model=HAIKU, max_tokens=100, messages=messages)
    with claude.messages.stream(model=HAIKU, max_tokens=100, messages=messages) as stream:
        final = stream.get_final_message()
    for message in (whole, final):
        thought, used = message.content
        assert isinstance(thought, anthropic.types.ThinkingBlock)
        assert thought.thinking == "The question is plain, so the answer can be short."
        assert thought.signature
        assert isinstance(used, anthropic.types.ToolUseBlock)
        assert (used.name, used.input) == ("t", {"a": [1, {"b": 2}]})
        assert message.stop_reason == "tool_use"


def test_claude_answers_a_tool_result(claude: anthropic.Anthropic) -> None:
    messages: Any = [
        *TOOL,
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t1", "name": "get_weather", "input": {}}],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "rain"}],
        },
    ]
    answer = claude.messages.create(model=HAIKU, max_tokens=100, messages=messages)
    assert isinstance(answer.content[0], anthropic.types.TextBlock)
    assert 'the tool returned "rain"' in answer.content[0].text


def test_claude_stops(claude: anthropic.Anthropic) -> None:
    answer = claude.messages.create(
        model=HAIKU, max_tokens=100, messages=HELLO, stop_sequences=["answer"]
    )
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", "answer")
    cut = claude.messages.create(model=HAIKU, max_tokens=2, messages=HELLO)
    assert (cut.stop_reason, cut.usage.output_tokens) == ("max_tokens", 2)


def test_claude_counts_and_lists(claude: anthropic.Anthropic) -> None:
    counted = claude.messages.count_tokens(model=HAIKU, messages=HELLO, system="be brief")
    answered = claude.messages.create(model=HAIKU, max_tokens=9, messages=HELLO, system="be brief")
    assert counted.input_tokens == answered.usage.input_tokens == 3
    assert HAIKU in [model.id for model in claude.models.list()]
    assert claude.models.retrieve(HAIKU).type == "model"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"messages": HELLO, "max_tokens": 1}, "model: Field required"),
        ({"model": HAIKU, "messages": HELLO}, "max_tokens: Field required"),
        ({"model": HAIKU, "max_tokens": 1, "messages": []}, "at least one message"),
        (
            {"model": HAIKU, "max_tokens": 1, "messages": [{"role": "system", "content": "x"}]},
            "messages.0.role",
        ),
        (
            {"model": HAIKU, "max_tokens": 1, "messages": [{"role": "assistant", "content": "x"}]},
            "first message",
        ),
    ],
)
def test_claude_is_as_strict_as_the_vendor(
    claude: anthropic.Anthropic, body: Any, words: str
) -> None:
    with pytest.raises(anthropic.BadRequestError, match=words) as caught:
        claude.post("/v1/messages", body=body, cast_to=object)
    assert caught.value.body["error"]["type"] == "invalid_request_error"  # type: ignore[index]


# ---- Ollama --------------------------------------------------------------------------


def test_ollama_whole_and_stream_say_the_same(llama: ollama.Client) -> None:
    whole = llama.chat(model=LLAMA, messages=HELLO)
    assert '"hello"' in (whole.message.content or "")
    parts = list(llama.chat(model=LLAMA, messages=HELLO, stream=True))
    assert "".join(part.message.content or "" for part in parts) == whole.message.content
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    last = parts[-1]
    assert (last.prompt_eval_count, last.eval_count) == (whole.prompt_eval_count, whole.eval_count)
    assert last.done_reason == "stop"
    assert parts[0].eval_count is None
    assert last.total_duration is not None
    assert last.load_duration is not None
    assert last.total_duration >= last.load_duration > 0


def test_ollama_generates_and_limits(llama: ollama.Client) -> None:
    whole = llama.generate(model=LLAMA, prompt="hello", options={"num_predict": 3})
    assert (whole.eval_count, whole.done_reason) == (3, "length")
    parts = list(llama.generate(model=LLAMA, prompt="hello", stream=True))
    assert "".join(part.response for part in parts).startswith(whole.response)


def test_ollama_tools_and_loading(llama: ollama.Client) -> None:
    answer = llama.chat(model=LLAMA, messages=TWO_TOOLS)
    assert answer.message.tool_calls is not None
    calls = [
        (call.function.name, dict(call.function.arguments)) for call in answer.message.tool_calls
    ]
    assert calls == [("a", {"n": 1}), ("b", {})]
    assert llama.chat(model=LLAMA, messages=[]).done_reason == "load"


def test_ollama_lists_shows_and_embeds(llama: ollama.Client) -> None:
    assert LLAMA in [model.model for model in llama.list().models]
    assert llama.ps().models[0].expires_at is not None
    assert "completion" in (llama.show(LLAMA).capabilities or [])
    first, second = llama.embed(model=LLAMA, input=["a", "b"]).embeddings
    assert first != second
    assert llama.embed(model=LLAMA, input="a").embeddings == [first]
    with pytest.raises(ollama.ResponseError, match="model 'missing' not found") as caught:
        llama.chat(model="missing", messages=HELLO)
    assert caught.value.status_code == 404


# ---- steering ------------------------------------------------------------------------


def test_the_prompt_steers(llama: ollama.Client) -> None:
    def said(prompt: str, **options: Any) -> ollama.ChatResponse:
        return llama.chat(model=LLAMA, messages=[{"role": "user", "content": prompt}], **options)

    assert said("[[tokens:500]]").eval_count == 500
    assert said("[[say:a  b\nc]]").message.content == "a  b\nc"
    assert said("[[think]] x").message.thinking
    assert (said("x", format="json").message.content or "").startswith('{"simulated": true')
    assert said("same").message.content == said("same").message.content
