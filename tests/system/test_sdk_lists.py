"""The official SDKs' lists of models, whole and by pages, and their helpers for tools."""

from __future__ import annotations

from typing import Any

import anthropic
import ollama
import openai
import pydantic
import pytest

from tests.system.clients import apart
from tests.system.hub import HubProcess

SAID: Any = [{"role": "user", "content": '[[say:{"simulated": true}]]'}]


@pytest.fixture(scope="module")
def names(hub: HubProcess) -> list[str]:
    """Of every model, in the hub's order."""
    found = [one["id"] for one in hub.get("/v1/models").json["data"]]
    assert len(found) > 4 and found[0] == "assistant"
    return found


def test_whole_lists_are_the_same(hub: HubProcess, names: list[str]) -> None:
    gpt = openai.OpenAI(base_url=hub.url + "/v1", api_key=hub.key)
    page = gpt.models.list()
    assert [one.id for one in page] == names and not page.has_next_page()
    assert all(one.object == "model" and one.created and one.owned_by for one in page)
    claude = anthropic.Anthropic(base_url=hub.url, api_key=hub.key)
    listed = claude.models.list()
    assert [one.id for one in listed.data] == names and not listed.has_more
    assert (listed.first_id, listed.last_id) == (names[0], names[-1])
    assert all(one.type == "model" and one.created_at and one.display_name for one in listed.data)
    llama = ollama.Client(host=hub.url, headers={"authorization": f"Bearer {hub.key}"})
    assert [one.model for one in llama.list().models] == names


def test_anthropic_s_pages(hub: HubProcess, names: list[str]) -> None:
    claude = anthropic.Anthropic(base_url=hub.url, api_key=hub.key, max_retries=0)
    first = claude.models.list(limit=2)
    assert [one.id for one in first.data] == names[:2] and first.has_more
    assert [one.id for one in first.get_next_page().data] == names[2:4]
    # Iterating asks for page after page.
    assert [one.id for one in claude.models.list(limit=2)] == names
    back = claude.models.list(limit=2, before_id=names[3])
    assert [one.id for one in back.data] == names[1:3] and back.has_more
    assert not claude.models.list(limit=3, before_id=names[3]).has_more
    assert claude.models.list(after_id=names[-1]).data == []
    for wrong in ({"limit": 0}, {"limit": 1001}, {"after_id": "nobody"}):
        with pytest.raises(anthropic.BadRequestError, match=next(iter(wrong))):
            claude.models.list(**wrong)  # type: ignore[arg-type]


def test_asynchronous_lists(hub: HubProcess, names: list[str]) -> None:
    async def ask() -> list[list[str | None]]:
        async with openai.AsyncOpenAI(base_url=hub.url + "/v1", api_key=hub.key) as gpt:
            one: list[str | None] = [model.id async for model in gpt.models.list()]
        async with anthropic.AsyncAnthropic(base_url=hub.url, api_key=hub.key) as claude:
            two: list[str | None] = [model.id async for model in claude.models.list(limit=3)]
        llama = ollama.AsyncClient(host=hub.url, headers={"authorization": f"Bearer {hub.key}"})
        three = [model.model for model in (await llama.list()).models]
        return [one, two, three]

    assert apart(ask()) == [names, names, names]


@pytest.mark.parametrize("model", ["local", "cloud", "compatible"])
def test_openai_s_tool_calls_by_its_helper(hub: HubProcess, model: str) -> None:
    """What its stream helper puts together of a tool call, and the answer to its result."""
    gpt = openai.OpenAI(base_url=hub.url + "/v1", api_key=hub.key, max_retries=0)
    tool: Any = {
        "type": "function",
        "function": {
            "name": "get_weather",
            "strict": True,
            "parameters": {
                "type": "object", "properties": {"city": {"type": "string"}},
                "required": ["city"], "additionalProperties": False,
            },
        },
    }  # fmt: skip
    asked: Any = [{"role": "user", "content": '[[tool:get_weather {"city": "Oslo"}]]'}]
    with gpt.chat.completions.stream(model=model, messages=asked, tools=[tool]) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        final = stream.get_final_completion()
    (event,) = done
    assert event.parsed_arguments == {"city": "Oslo"}
    message = final.choices[0].message
    assert message.tool_calls and final.choices[0].finish_reason == "tool_calls"
    call = message.tool_calls[0]
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": "rain"}
    turn: Any = message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"})
    for one in turn["tool_calls"]:
        one["function"].pop("parsed_arguments", None)
    answer = gpt.chat.completions.create(
        model=model, messages=[*asked, turn, result], tools=[tool]
    )
    assert "rain" in (answer.choices[0].message.content or "")


def test_ollama_s_functions_as_tools(hub: HubProcess) -> None:
    def get_weather(city: str) -> str:
        """The weather.

        Args:
            city: its name
        """
        return f"rain in {city}"

    llama = ollama.Client(host=hub.url, headers={"authorization": f"Bearer {hub.key}"})
    asked: Any = [{"role": "user", "content": '[[tool:get_weather {"city": "Oslo"}]]'}]
    first = llama.chat(model="local", messages=asked, tools=[get_weather])
    (call,) = first.message.tool_calls or ()
    said = get_weather(**call.function.arguments)
    turns: Any = [
        *asked, first.message,
        {"role": "tool", "content": said, "tool_name": call.function.name},
    ]  # fmt: skip
    assert "rain" in (llama.chat(model="local", messages=turns).message.content or "")


def test_streamed_structured_output(hub: HubProcess) -> None:
    class Fact(pydantic.BaseModel):
        simulated: bool

    gpt = openai.OpenAI(base_url=hub.url + "/v1", api_key=hub.key, max_retries=0)
    with gpt.chat.completions.stream(
        model="compatible", messages=SAID, response_format=Fact
    ) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.parsed == Fact(simulated=True)
