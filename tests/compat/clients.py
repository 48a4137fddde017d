"""What others' programs make of the hub: LangChain's chat classes, and litellm as a client.

Runs in an environment of its own (`make compat`), which has nothing of pihub:
`clients.py URL KEY` prints one line a check and ends with 1 if any failed.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, Field

WEATHER = 'weather? [[tool:Weather {"city": "Oslo"}]]'
MODELS = ("local", "cloud", "compatible")


class Weather(BaseModel):
    """The weather in a city."""

    city: str = Field(description="its name")


class Simulated(BaseModel):
    """What a simulated model answers when JSON is asked for."""

    simulated: bool


def chat_openai(url: str, key: str, model: str) -> Any:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(base_url=url + "/v1", api_key=key, model=model, max_retries=0)


def chat_anthropic(url: str, key: str, model: str) -> Any:
    from langchain_anthropic import ChatAnthropic

    return ChatAnthropic(
        base_url=url, api_key=key, model_name=model, max_retries=0, timeout=30, stop=None
    )


def chat_ollama(url: str, key: str, model: str) -> Any:
    from langchain_ollama import ChatOllama

    headers = {"authorization": f"Bearer {key}"}
    return ChatOllama(base_url=url, model=model, client_kwargs={"headers": headers})


def text_of(message: Any) -> str:
    content = message.content
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content if isinstance(part, dict))


def speaks(chat: Any) -> None:
    """Whole and streamed say the same, with usage."""
    whole = chat.invoke("hello")
    assert "Simulated" in text_of(whole), whole
    parts = list(chat.stream("hello"))
    assert "".join(text_of(part) for part in parts) == text_of(whole), parts
    assert whole.usage_metadata and whole.usage_metadata["output_tokens"] > 0, whole


def calls(chat: Any) -> None:
    """A tool call, its result, the answer; streamed, too."""
    from langchain_core.messages import HumanMessage, ToolMessage

    bound = chat.bind_tools([Weather])
    asked = bound.invoke(WEATHER)
    (call,) = asked.tool_calls
    assert (call["name"], call["args"]) == ("Weather", {"city": "Oslo"}), asked
    result = ToolMessage("rain", tool_call_id=call["id"], name="Weather")
    answer = bound.invoke([HumanMessage("weather?"), asked, result])
    assert "rain" in text_of(answer), answer
    total: Any = None
    for part in bound.stream(WEATHER):
        total = part if total is None else total + part
    assert [c["args"] for c in total.tool_calls] == [{"city": "Oslo"}], total


def structured(chat: Any) -> None:
    made = chat.with_structured_output(Simulated, method="json_schema").invoke("x")
    assert made.simulated is True, made


def litellm_speaks(url: str, key: str, model: str) -> None:
    """As OpenAI's, Anthropic's and Ollama's client."""
    import litellm

    for name, base in ((f"openai/{model}", url + "/v1"), (f"anthropic/{model}", url)):
        messages = [{"role": "user", "content": "hello"}]
        more = {"api_base": base, "api_key": key, "num_retries": 0}
        whole: Any = litellm.completion(model=name, messages=messages, **more)
        text = whole.choices[0].message.content
        assert "Simulated" in text and whole.usage.completion_tokens > 0, whole
        parts = litellm.completion(model=name, messages=messages, stream=True, **more)
        streamed = "".join(part.choices[0].delta.content or "" for part in parts)
        assert streamed == text, streamed


def litellm_embeds(url: str, key: str) -> None:
    import litellm

    more = {"api_base": url + "/v1", "api_key": key}
    made: Any = litellm.embedding(model="openai/local", input=["a", "b"], **more)
    assert len(made.data) == 2 and len(made.data[0]["embedding"]) > 3, made


def main(url: str, key: str) -> int:
    """Exit code 1 if any check failed."""
    checks: list[tuple[str, Callable[[], None]]] = []
    for make in (chat_openai, chat_anthropic, chat_ollama):
        for model in MODELS:
            for check in (speaks, calls):
                checks.append(
                    (
                        f"{make.__name__} {model} {check.__name__}",
                        lambda c=check, f=make, m=model: c(f(url, key, m)),
                    )
                )
    for make in (chat_openai, chat_ollama):
        name = f"{make.__name__} local structured"
        checks.append((name, lambda f=make: structured(f(url, key, "local"))))
    for model in MODELS:
        checks.append((f"litellm {model}", lambda m=model: litellm_speaks(url, key, m)))
    checks.append(("litellm embeddings", lambda: litellm_embeds(url, key)))
    failed = 0
    for name, check in checks:
        try:
            check()
        except Exception:
            failed += 1
            print(f"FAILED  {name}\n{traceback.format_exc(limit=3)}")
        else:
            print(f"ok      {name}")
    print(f"{len(checks) - failed} of {len(checks)}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], sys.argv[2]))
