"""The official SDKs' asynchronous clients, tool runners and structured output, live."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import ollama
import openai
import pydantic
import pytest

from tests.system.clients import apart
from tests.system.hub import HubProcess, Upstreams

MODELS = ("local", "cloud", "compatible")
HELLO: Any = [{"role": "user", "content": "hello"}]
SAID = '[[say:{"simulated": true}]]'


class Fact(pydantic.BaseModel):
    """What a simulated model answers."""

    simulated: bool


@pytest.fixture(autouse=True)
def _fast(upstreams: Upstreams) -> None:
    upstreams.pace(0)


@pytest.mark.parametrize("model", MODELS)
def test_asynchronous_clients(hub: HubProcess, model: str) -> None:
    async def ask() -> list[str]:
        said = []
        async with openai.AsyncOpenAI(base_url=hub.url + "/v1", api_key=hub.key) as gpt:
            async with gpt.chat.completions.stream(model=model, messages=HELLO) as stream:
                final = await stream.get_final_completion()
            said.append(final.choices[0].message.content or "")
        async with anthropic.AsyncAnthropic(base_url=hub.url, api_key=hub.key) as claude:
            async with claude.messages.stream(
                model=model, max_tokens=200, messages=HELLO
            ) as events:
                said.append(await events.get_final_text())
        llama = ollama.AsyncClient(
            host=hub.url, headers={"authorization": f"Bearer {hub.key}"}
        )
        text = ""
        async for part in await llama.chat(model=model, messages=HELLO, stream=True):
            text += part.message.content or ""
        return [*said, text]

    one, two, three = apart(ask())
    assert one == two == three and "Simulated" in one


@pytest.mark.parametrize("model", MODELS)
def test_anthropic_s_tool_runner(hub: HubProcess, model: str) -> None:
    asked: list[str] = []

    @anthropic.beta_tool
    def get_weather(city: str) -> str:
        """The weather.

        Args:
            city: its name
        """
        asked.append(city)
        return "rain"

    client = anthropic.Anthropic(base_url=hub.url, api_key=hub.key, max_retries=0)
    runner = client.beta.messages.tool_runner(
        model=model,
        max_tokens=200,
        tools=[get_weather],
        messages=[{"role": "user", "content": '[[tool:get_weather {"city": "Oslo"}]]'}],
    )
    final: Any = runner.until_done()
    assert asked == ["Oslo"] and "rain" in final.content[-1].text


@pytest.mark.parametrize("model", ["local", "compatible"])
def test_structured_output_helpers(hub: HubProcess, model: str) -> None:
    gpt = openai.OpenAI(base_url=hub.url + "/v1", api_key=hub.key, max_retries=0)
    messages: Any = [{"role": "user", "content": SAID}]
    parsed = gpt.chat.completions.parse(model=model, messages=messages, response_format=Fact)
    assert parsed.choices[0].message.parsed == Fact(simulated=True)
    llama = ollama.Client(host=hub.url, headers={"authorization": f"Bearer {hub.key}"})
    answer = llama.chat(model=model, messages=messages, format=Fact.model_json_schema())
    assert json.loads(answer.message.content or "") == {"simulated": True}
