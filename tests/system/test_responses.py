"""OpenAI's Responses API through a whole hub, by OpenAI's own SDK."""

from __future__ import annotations

import json
from typing import Any

import openai
import pydantic
import pytest

from tests.system.hub import HubProcess, Upstreams

MODELS = ("local", "cloud", "compatible")
TOOLS: Any = [
    {
        "type": "function",
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        "strict": False,
    }
]
WEATHER = '[[tool:get_weather {"city": "Oslo"}]]'


def gpt(hub: HubProcess) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=hub.url + "/v1", api_key=hub.key, max_retries=0, _strict_response_validation=True
    )


@pytest.fixture(autouse=True)
def _fast(upstreams: Upstreams) -> None:
    upstreams.pace(0)


@pytest.mark.parametrize("model", MODELS)
def test_whole_and_stream_say_the_same(hub: HubProcess, model: str) -> None:
    whole = gpt(hub).responses.create(model=model, input="hello", instructions="be brief")
    assert "Simulated" in whole.output_text and whole.status == "completed"
    assert whole.usage is not None and whole.usage.total_tokens > 3
    with gpt(hub).responses.stream(model=model, input="hello", instructions="be brief") as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert final.output_text == whole.output_text
    assert final.usage == whole.usage
    kinds = [event.type for event in events]
    assert kinds[:3] == ["response.created", "response.in_progress", "response.output_item.added"]
    assert kinds[-1] == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert len({event.response.id for event in events if hasattr(event, "response")}) == 1


@pytest.mark.parametrize("model", MODELS)
def test_a_stored_response_is_gone_on_with(
    hub: HubProcess, upstreams: Upstreams, model: str
) -> None:
    client = gpt(hub)
    first = client.responses.create(model=model, input=f"weather? {WEATHER}", tools=TOOLS)
    (call,) = [item for item in first.output if item.type == "function_call"]
    assert json.loads(call.arguments) == {"city": "Oslo"} and first.store
    output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
    second = client.responses.create(
        model=model, input=[output], previous_response_id=first.id, tools=TOOLS
    )
    assert 'the tool returned "rain"' in second.output_text
    assert second.previous_response_id == first.id
    third = client.responses.create(
        model=model, input="[[say:third]]", previous_response_id=second.id
    )
    assert third.output_text == "third"
    items = client.responses.input_items.list(third.id).data
    assert len(items) == 5  # question, call, result, answer, question
    assert client.responses.retrieve(third.id).output_text == "third"
    client.responses.delete(third.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(third.id)


def test_what_is_not_stored_is_not_found(hub: HubProcess) -> None:
    client = gpt(hub)
    quiet = client.responses.create(model="local", input="hello", store=False)
    assert quiet.store is False
    with pytest.raises(openai.BadRequestError, match="previous_response_id") as caught:
        client.responses.create(model="local", input="and?", previous_response_id=quiet.id)
    assert caught.value.param == "previous_response_id"


def test_streamed_tools_and_thinking(hub: HubProcess) -> None:
    with gpt(hub).responses.stream(
        model="cloud", input=f"[[think]] {WEATHER}", tools=TOOLS
    ) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_response()
    thought, call = final.output
    assert thought.type == "reasoning" and thought.encrypted_content
    assert call.type == "function_call" and call.name == "get_weather"
    assert json.loads(call.arguments) == {"city": "Oslo"}
    assert {"response.reasoning_text.delta", "response.function_call_arguments.done"} <= kinds


def test_signed_thinking_comes_back_as_it_was(hub: HubProcess, upstreams: Upstreams) -> None:
    client = gpt(hub)
    first = client.responses.create(model="cloud", input=f"[[think]] {WEATHER}", tools=TOOLS)
    given: Any = [item.model_dump(exclude_none=True) for item in first.output]
    call_id = given[-1]["call_id"]
    upstreams.clear_log()
    client.responses.create(
        model="cloud",
        input=[
            {"role": "user", "content": "weather?"},
            *given,
            {"type": "function_call_output", "call_id": call_id, "output": "sun"},
        ],
        tools=TOOLS,
        store=False,
    )
    sent = json.dumps(upstreams.log("claude")[-1])
    assert "signature" in sent and "pihub." not in sent


def test_structured_output(hub: HubProcess) -> None:
    class Fact(pydantic.BaseModel):
        simulated: bool

    client = openai.OpenAI(base_url=hub.url + "/v1", api_key=hub.key, max_retries=0)
    parsed = client.responses.parse(model="local", input="x", text_format=Fact).output_parsed
    assert parsed is not None and parsed.simulated


def test_limits_and_refusals(hub: HubProcess) -> None:
    cut = gpt(hub).responses.create(model="local", input="hello", max_output_tokens=2)
    assert cut.status == "incomplete" and cut.incomplete_details is not None
    assert cut.incomplete_details.reason == "max_output_tokens"
    with pytest.raises(openai.BadRequestError, match="background"):
        gpt(hub).responses.create(model="local", input="x", background=True)
    with pytest.raises(openai.BadRequestError, match="input"):
        bad: Any = [{"type": "item_reference", "id": "x"}]
        gpt(hub).responses.create(model="local", input=bad)
    search: Any = [{"type": "web_search"}]
    raw = gpt(hub).responses.with_raw_response.create(model="local", input="hello", tools=search)
    assert "tools[0].builtin" in raw.headers["x-pihub-warning"]


def test_a_broken_stream_is_an_error_and_never_complete(
    hub: HubProcess, upstreams: Upstreams
) -> None:
    upstreams.faults("ollama", "F9", after_tokens=4)
    seen = []
    with pytest.raises(openai.APIError):
        for event in gpt(hub).responses.create(model="local", input="hello", stream=True):
            seen.append(event.type)
    assert "response.output_text.delta" in seen and "response.completed" not in seen
