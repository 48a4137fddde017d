"""Parameters from each client protocol to each upstream format (cases 18 to 35)."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pihub.domain.chat import Answer, Ask, StopReason, ToolUse
from pihub.domain.collect import replay
from pihub.errors import BadRequest, Unsupported
from pihub.protocols.ollama.upstream import OllamaUpstream
from pihub.protocols.registry import UPSTREAMS
from tests.protocols.carry import (
    CLAUDE_45,
    CLAUDE_48,
    CLAUDE_OLD,
    WEATHER_SCHEMA,
    carry,
    chat,
    function_call,
    notes,
    parse,
    rendered,
    request,
    sse,
    user,
    weather_tool,
    written,
)


def test_case_18_anthropic_needs_max_tokens_from_the_hub() -> None:
    ask = parse("openai", chat("openai", user()))
    with pytest.raises(Unsupported) as caught:
        request("anthropic", ask)
    assert caught.value.param == "max_tokens"
    filled = msgspec.structs.replace(ask, max_tokens=8192)
    assert request("anthropic", filled)["max_tokens"] == 8192


def test_case_19_max_completion_tokens_wins() -> None:
    body = chat("openai", user(), max_tokens=5, max_completion_tokens=7)
    assert carry("openai", "anthropic", body)["max_tokens"] == 7
    assert carry("openai", "ollama", body)["options"] == {"num_predict": 7}
    assert carry("openai", "openai", body)["max_tokens"] == 7
    thinking = chat("openai", user(), max_tokens=5, reasoning_effort="low")
    carried = carry("openai", "openai", thinking)
    assert carried["max_completion_tokens"] == 5 and "max_tokens" not in carried


def test_case_20_thinking_budget_is_less_than_max_tokens_or_dropped() -> None:
    def body(limit: int, budget: int) -> dict[str, Any]:
        thinking = {"type": "enabled", "budget_tokens": budget}
        return chat("anthropic", user(), max_tokens=limit, thinking=thinking)

    assert carry("anthropic", "anthropic", body(8000, 4000), CLAUDE_45)["thinking"] == {
        "type": "enabled",
        "budget_tokens": 4000,
    }
    fitted = carry("anthropic", "anthropic", body(4000, 9000), CLAUDE_45)["thinking"]
    assert 1024 <= fitted["budget_tokens"] < 4000
    assert "thinking" not in carry("anthropic", "anthropic", body(1500, 9000), CLAUDE_45)
    assert "thinking" in notes("anthropic", "anthropic", body(1500, 9000), CLAUDE_45)


def test_case_21_temperature_is_clamped_to_one_with_a_note() -> None:
    body = chat("openai", user(), temperature=1.7, max_tokens=5)
    assert carry("openai", "anthropic", body)["temperature"] == 1
    assert notes("openai", "anthropic", body) == ("temperature",)
    assert carry("openai", "ollama", body)["options"]["temperature"] == 1.7
    with pytest.raises(BadRequest) as caught:
        parse("openai", chat("openai", user(), temperature=2.1))
    assert caught.value.param == "temperature"
    with pytest.raises(BadRequest):
        parse("anthropic", chat("anthropic", user(), temperature=1.1))


@pytest.mark.parametrize("client", ["openai", "anthropic", "ollama"])
def test_case_22_what_was_not_said_is_not_sent(client: str) -> None:
    carried = carry(client, "ollama", chat(client, user()))
    limit = {"num_predict": 100} if client == "anthropic" else None
    assert carried.get("options") == limit
    assert set(carried) - {"options"} == {"model", "messages", "stream"}
    assert set(carry(client, "openai", chat(client, user()))) - {"max_tokens"} == {
        "model",
        "messages",
    }


def test_case_23_combinations_that_a_claude_model_refuses_are_dropped() -> None:
    body = chat("openai", user(), temperature=0.5, top_p=0.9, top_k=7, max_tokens=9000)
    old = carry("openai", "anthropic", body, CLAUDE_OLD)
    assert (old["temperature"], old["top_p"], old["top_k"]) == (0.5, 0.9, 7)
    newer = carry("openai", "anthropic", body, CLAUDE_45)
    assert newer["temperature"] == 0.5 and "top_p" not in newer
    newest = carry("openai", "anthropic", body, CLAUDE_48)
    assert not {"temperature", "top_p", "top_k"} & newest.keys()
    assert notes("openai", "anthropic", body, CLAUDE_48) == ("temperature", "top_p", "top_k")
    thinking = {**body, "reasoning_effort": "high"}
    carried = carry("openai", "anthropic", thinking, CLAUDE_45)
    assert carried["thinking"]["type"] == "enabled" and "temperature" not in carried


def test_case_24_stop_is_normalised_and_blank_stops_are_not_sent_to_anthropic() -> None:
    one = chat("openai", user(), stop="END", max_tokens=5)
    assert carry("openai", "anthropic", one)["stop_sequences"] == ["END"]
    assert carry("openai", "ollama", one)["options"]["stop"] == ["END"]
    some = chat("openai", user(), stop=["\n", "END"], max_tokens=5)
    assert carry("openai", "anthropic", some)["stop_sequences"] == ["END"]
    assert "stop" not in notes("openai", "anthropic", some), "the hub watches for it itself"
    assert UPSTREAMS["anthropic"]().unwatched(parse("openai", some)) == ("\n",)
    assert carry("openai", "openai", some)["stop"] == ["\n", "END"]
    ollama = chat("ollama", user(), options={"stop": ["\n\n"]})
    assert carry("ollama", "openai", ollama)["stop"] == ["\n\n"]


CHOICES = [
    ("auto", {"type": "auto"}),
    ("none", {"type": "none"}),
    ("required", {"type": "any"}),
    (
        {"type": "function", "function": {"name": "weather"}},
        {"type": "tool", "name": "weather"},
    ),
]


@pytest.mark.parametrize(("openai", "anthropic"), CHOICES)
def test_case_25_tool_choice_maps_both_ways(openai: Any, anthropic: dict[str, Any]) -> None:
    body = chat("openai", user(), tools=[weather_tool("openai")], tool_choice=openai, max_tokens=5)
    carried = carry("openai", "anthropic", body)
    assert carried["tool_choice"] == anthropic
    assert carried["tools"][0]["name"] == "weather"  # kept with `none` too: history needs them
    back = chat("anthropic", user(), tools=[weather_tool("anthropic")], tool_choice=anthropic)
    assert carry("anthropic", "openai", back)["tool_choice"] == openai


def test_case_25_ollama_cannot_force_a_call_and_none_hides_the_tools() -> None:
    tools = [weather_tool("openai")]
    for choice in ("required", {"type": "function", "function": {"name": "weather"}}):
        with pytest.raises(Unsupported) as caught:
            carry("openai", "ollama", chat("openai", user(), tools=tools, tool_choice=choice))
        assert caught.value.param == "tool_choice"
    none = carry("openai", "ollama", chat("openai", user(), tools=tools, tool_choice="none"))
    assert "tools" not in none
    auto = carry("openai", "ollama", chat("openai", user(), tools=tools, tool_choice="auto"))
    assert auto["tools"][0]["function"]["name"] == "weather"


def test_case_26_parallel_tool_calls_both_ways() -> None:
    body = chat(
        "openai",
        user(),
        tools=[weather_tool("openai")],
        parallel_tool_calls=False,
        max_tokens=5,
    )
    assert carry("openai", "anthropic", body)["tool_choice"] == {
        "type": "auto",
        "disable_parallel_tool_use": True,
    }
    back = chat(
        "anthropic",
        user(),
        tools=[weather_tool("anthropic")],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
    )
    carried = carry("anthropic", "openai", back)
    assert carried["parallel_tool_calls"] is False and carried["tool_choice"] == "required"
    assert "parallel_tool_calls" in notes("openai", "ollama", body)


@pytest.mark.parametrize("client", ["openai", "anthropic", "ollama"])
@pytest.mark.parametrize("upstream", ["openai", "anthropic", "ollama"])
def test_case_27_the_whole_schema_passes_byte_for_byte(client: str, upstream: str) -> None:
    text = json.dumps(WEATHER_SCHEMA, indent=1)
    body = json.dumps(chat(client, user(), tools=[weather_tool(client)])).encode()
    body = body.replace(json.dumps(WEATHER_SCHEMA).encode(), text.encode())
    assert text.encode() in body
    ask = msgspec.structs.replace(parse(client, body), max_tokens=5)
    _, _, sent = UPSTREAMS[upstream]().request(ask, "m", stream=False)
    assert text.encode() in sent


def test_case_27_a_tool_without_parameters_gets_an_object_schema() -> None:
    bare = {"type": "function", "function": {"name": "now"}}
    carried = carry("openai", "anthropic", chat("openai", user(), tools=[bare], max_tokens=5))
    assert carried["tools"][0]["input_schema"] == {"type": "object", "properties": {}}


LONG = "mcp__" + "very_long_server_name" * 3 + "__do.it"


def test_case_28_long_tool_names_are_shortened_and_restored() -> None:
    tool = {"name": LONG, "input_schema": {"type": "object"}}
    body = chat(
        "anthropic",
        user(),
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t", "name": LONG, "input": {}}],
        },
        user([{"type": "tool_result", "tool_use_id": "t", "content": "x"}]),
        tools=[tool],
        tool_choice={"type": "tool", "name": LONG},
        stream=True,
    )
    ask = parse("anthropic", body)
    sent = request("openai", ask)
    short = sent["tools"][0]["function"]["name"]
    assert len(short) <= 64 and short.replace("_", "").replace("-", "").isalnum()
    assert sent["messages"][1]["tool_calls"][0]["function"]["name"] == short
    assert sent["tool_choice"]["function"]["name"] == short

    answer = Answer(
        id="x", model="m", blocks=(ToolUse("c", short, "{}"),), stop_reason=StopReason.TOOL_USE
    )
    assert rendered("anthropic", answer, ask)["content"][0]["name"] == LONG
    streamed = sse(written("anthropic", replay(answer), ask))
    starts = [data for name, data in streamed if name == "content_block_start"]
    assert starts[0]["content_block"]["name"] == LONG


def test_case_29_builtin_tools_are_dropped_with_a_note() -> None:
    tools = [{"type": "web_search_20250305", "name": "web_search"}, weather_tool("anthropic")]
    body = chat("anthropic", user(), tools=tools)
    names = [t["function"]["name"] for t in carry("anthropic", "ollama", body)["tools"]]
    assert names == ["weather"]
    assert notes("anthropic", "ollama", body) == ("tools[0].builtin",)


SCHEMA = {"type": "object", "properties": {"a": {"type": "number"}}}


def test_case_30_response_format() -> None:
    schema = {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": SCHEMA, "strict": True},
    }
    body = chat("openai", user(), response_format=schema, max_tokens=5)
    assert carry("openai", "ollama", body)["format"] == SCHEMA
    assert carry("openai", "openai", body)["response_format"] == schema
    assert carry("openai", "anthropic", body, CLAUDE_45)["output_config"] == {
        "format": {"type": "json_schema", "schema": SCHEMA}
    }
    with pytest.raises(Unsupported) as caught:
        carry("openai", "anthropic", body, CLAUDE_OLD)
    assert caught.value.param == "response_format"

    plain = chat("openai", user(), response_format={"type": "json_object"}, max_tokens=5)
    assert carry("openai", "ollama", plain)["format"] == "json"
    assert "JSON" in carry("openai", "anthropic", plain)["system"]
    assert "response_format" in notes("openai", "anthropic", plain)

    ollama = carry("ollama", "openai", chat("ollama", user(), format=SCHEMA))["response_format"]
    assert ollama["json_schema"]["schema"] == SCHEMA
    claude = chat(
        "anthropic",
        user(),
        output_config={"format": {"type": "json_schema", "schema": SCHEMA}},
    )
    assert carry("anthropic", "ollama", claude)["format"] == SCHEMA


def test_case_31_thinking_between_the_protocols() -> None:
    effort = chat("openai", user(), reasoning_effort="high", max_tokens=9000)
    assert carry("openai", "anthropic", effort, CLAUDE_48)["output_config"] == {"effort": "high"}
    assert carry("openai", "anthropic", effort, CLAUDE_48)["thinking"] == {"type": "adaptive"}
    assert "output_config" not in carry("openai", "anthropic", effort, CLAUDE_OLD)
    assert "thinking" not in carry("openai", "anthropic", effort, CLAUDE_OLD)
    assert "thinking" in notes("openai", "anthropic", effort, CLAUDE_OLD)
    unknown = chat("openai", user(), reasoning_effort="galactic", max_tokens=9000)
    assert carry("openai", "anthropic", unknown, CLAUDE_48)["output_config"] == {"effort": "high"}

    budget = {"type": "enabled", "budget_tokens": 2048}
    claude = chat("anthropic", user(), thinking=budget, max_tokens=9000)
    assert carry("anthropic", "openai", claude)["reasoning_effort"] == "low"
    assert carry("anthropic", "anthropic", claude, CLAUDE_48)["thinking"] == {"type": "adaptive"}

    off = chat("openai", user(), reasoning_effort="none", max_tokens=5)
    assert carry("openai", "ollama", off)["think"] is False
    assert carry("openai", "anthropic", off)["thinking"] == {"type": "disabled"}
    assert carry("ollama", "openai", chat("ollama", user(), think=False))["reasoning_effort"] == (
        "none"
    )


def test_case_31_think_goes_only_to_ollama_models_that_are_known_to_think() -> None:
    body = chat("openai", user(), reasoning_effort="high")
    assert "think" not in carry("openai", "ollama", body)
    assert notes("openai", "ollama", body) == ("thinking",)
    upstream = OllamaUpstream(thinkers={"qwen3:4b", "gpt-oss:20b"})
    for model, think in (("qwen3:4b", True), ("gpt-oss:20b", "high"), ("llama3.2", None)):
        _, _, sent = upstream.request(parse("openai", body), model, stream=False)
        assert json.loads(sent).get("think") == think


def test_case_31_thinking_is_left_out_where_claude_would_refuse_the_turn() -> None:
    history = [
        user(),
        {"role": "assistant", "tool_calls": [function_call("c", "weather", "{}")]},
        {"role": "tool", "tool_call_id": "c", "content": "sun"},
    ]
    tools = [weather_tool("openai")]
    body = chat("openai", *history, tools=tools, reasoning_effort="high", max_tokens=9000)
    assert "thinking" not in carry("openai", "anthropic", body, CLAUDE_45)
    forced = chat(
        "openai",
        user(),
        tools=tools,
        tool_choice="required",
        reasoning_effort="high",
        max_tokens=9000,
    )
    assert "thinking" not in carry("openai", "anthropic", forced, CLAUDE_45)


def test_case_32_what_anthropic_lacks() -> None:
    several = chat("openai", user(), n=2, max_tokens=5)
    for upstream in ("anthropic", "ollama"):
        with pytest.raises(Unsupported) as caught:
            carry("openai", upstream, several)
        assert caught.value.param == "n"
    body = chat(
        "openai",
        user(),
        n=1,
        seed=7,
        logprobs=True,
        top_logprobs=3,
        logit_bias={"5": 1},
        presence_penalty=0.5,
        frequency_penalty=0.25,
        max_tokens=5,
    )
    assert set(notes("openai", "anthropic", body)) == {
        "seed",
        "logprobs",
        "top_logprobs",
        "logit_bias",
        "presence_penalty",
        "frequency_penalty",
    }
    assert not {"seed", "logprobs", "n"} & carry("openai", "anthropic", body).keys()
    assert carry("openai", "ollama", body)["options"] == {
        "num_predict": 5,
        "seed": 7,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.25,
    }


def test_case_33_ollamas_own_options_stay_with_ollama() -> None:
    body = chat(
        "ollama",
        user(),
        options={"num_ctx": 4096, "mirostat": 1, "temperature": 0, "num_predict": -1},
        keep_alive="10m",
    )
    carried = carry("ollama", "ollama", body)
    assert carried["options"] == {"num_ctx": 4096, "mirostat": 1, "temperature": 0}
    assert carried["keep_alive"] == "10m"
    assert set(notes("ollama", "openai", body)) == {
        "options.num_ctx",
        "options.mirostat",
        "keep_alive",
    }


def test_case_34_user_ids_map() -> None:
    body = chat("openai", user(), user="u-1", max_tokens=5)
    assert carry("openai", "anthropic", body)["metadata"] == {"user_id": "u-1"}
    back = chat("anthropic", user(), metadata={"user_id": "u-2"})
    assert carry("anthropic", "openai", back)["user"] == "u-2"
    assert "user" not in carry("openai", "ollama", body)
    assert "user" in notes("openai", "ollama", body)


def test_case_35_anthropic_calls_carry_a_version_others_do_not() -> None:
    ask = parse("anthropic", chat("anthropic", user()))
    _, headers, _ = UPSTREAMS["anthropic"]().request(ask, "m", stream=False)
    assert headers == [("anthropic-version", "2023-06-01")]
    assert list(UPSTREAMS["anthropic"]().headers) == headers
    for other in ("openai", "ollama"):
        assert UPSTREAMS[other]().request(ask, "m", stream=False)[1] == []


def test_unknown_fields_are_never_lost_in_silence() -> None:
    body = chat("openai", user(), web_search_options={"a": 1.50}, max_tokens=5)
    ask = parse("openai", json.dumps(body).encode().replace(b"1.5", b"1.50"))
    assert ask.extra == {"web_search_options": '{"a": 1.50}'}
    for upstream in ("openai", "anthropic", "ollama"):
        with pytest.raises(Unsupported) as caught:
            request(upstream, ask)
        assert caught.value.param == "web_search_options"
    harmless = chat("openai", user(), metadata={"a": "b"}, store=False, max_tokens=5)
    assert notes("openai", "anthropic", harmless) == ("metadata",)
    assert carry("openai", "anthropic", harmless)["max_tokens"] == 5


def test_requests_that_differ_only_in_an_unknown_field_differ() -> None:
    asks = {
        msgspec.json.encode(parse("openai", chat("openai", user(), **fields)))
        for fields in ({}, {"n": 2}, {"logit_bias": {"1": 2}}, {"logit_bias": {"1": 3}})
    }
    assert len(asks) == 4


def test_every_field_of_the_canonical_request_is_reachable() -> None:
    """No field exists that no client can say: a guard against dead parts of the form."""
    said: set[str] = set()
    bodies: list[tuple[str, dict[str, Any]]] = [
        (
            "openai",
            chat(
                "openai",
                {"role": "system", "content": "s"},
                user(),
                top_p=0.5,
                seed=1,
                presence_penalty=0.1,
                frequency_penalty=0.1,
                stop="x",
                tools=[weather_tool("openai")],
                tool_choice="auto",
                response_format={"type": "json_object"},
                reasoning_effort="low",
                stream=True,
                stream_options={"include_usage": True},
                user="u",
                temperature=0,
                store=True,
                logprobs=True,
                top_logprobs=2,
            ),
        ),
        (
            "anthropic",
            chat(
                "anthropic",
                user(),
                top_k=3,
                thinking={"type": "enabled", "budget_tokens": 2000},
            ),
        ),
        ("ollama", chat("ollama", user(), keep_alive=5, options={"num_ctx": 1})),
    ]
    empty = Ask(model="assistant", messages=())
    for client, body in bodies:
        ask = parse(client, body)
        said |= {f for f in ask.__struct_fields__ if getattr(ask, f) != getattr(empty, f)}
    assert set(empty.__struct_fields__) - said == {"model"}


@pytest.mark.parametrize(
    ("client", "fields"),
    [
        ("openai", {"seed": 10**30}),
        ("openai", {"max_tokens": 2**63}),
        ("openai", {"top_k": -(2**64)}),
        ("anthropic", {"max_tokens": 10**30}),
        ("anthropic", {"top_k": 10**30}),
        ("anthropic", {"system": [{"type": "text", "text": "x", "cache_control": {"a": 2**70}}]}),
        ("ollama", {"keep_alive": 10**30}),
        ("ollama", {"options": {"num_ctx": 10**30}}),
        ("ollama", {"options": {"seed": 1e300}}),
        ("ollama", {"options": {"x": {"deep": 1}}}),
    ],
)
def test_numbers_that_no_upstream_could_mean_are_refused(
    client: str, fields: dict[str, Any]
) -> None:
    with pytest.raises(BadRequest):
        parse(client, chat(client, user(), **fields))


def test_the_canonical_form_can_always_be_packed() -> None:
    """Cache keys are made of it."""
    odd = json.dumps(chat("openai", user(), zzz=10**40, logit_bias={"1": -(10**40)}))
    packed = msgspec.msgpack.encode(parse("openai", odd.encode()))
    assert msgspec.msgpack.decode(packed, type=Ask) == parse("openai", odd.encode())


def test_names_in_notes_are_fit_for_a_header() -> None:
    body = chat("ollama", user(), options={"a\r\nx-evil: 1": 1, "ök": 2})
    assert notes("ollama", "openai", body) == ("options.a??x-evil??1", "options.?k")
    body = chat("openai", user(), **{"a\r\nb.name": 1}, max_tokens=5)
    assert notes("openai", "anthropic", body) == ("a??b.name",)
