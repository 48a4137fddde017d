"""Keys of answers: what makes two requests the same; and whose an entry is."""

from __future__ import annotations

import msgspec
import pytest

from pihub.domain.chat import Answer, Ask, Message, StopReason, Text, Usage
from pihub.shared.answers import AnswerCache, ByteCache, Stored
from pihub.shared.state import Plan, SharedState

ASK = Ask(model="m", messages=(Message("user", (Text("hi"),)),), temperature=0.0)
STORED = Stored(
    Answer(
        id="1", model="m", blocks=(Text("yo"),), stop_reason=StopReason.END_TURN, usage=Usage(1, 2)
    ),
    "up", "real", "up/real", 5, True,
)  # fmt: skip


@pytest.fixture(scope="module")
def state() -> SharedState:
    return SharedState.create(Plan(workers=1, cache_bytes=1 << 20))


@pytest.fixture
def cache(state: SharedState) -> AnswerCache:
    state.cache.clear()
    return AnswerCache(state.cache, state.arena.secret, 1)


def changed(**fields: object) -> Ask:
    return msgspec.structs.replace(ASK, **fields)


@pytest.mark.parametrize("field", ["stream", "include_usage", "user", "keep_alive"])
def test_fields_that_change_no_answer(cache: AnswerCache, field: str) -> None:
    other = {"user": "me", "keep_alive": 5}.get(field, True)
    assert cache.key(changed(**{field: other})) == cache.key(ASK)


OTHERS = {
    "model": "x", "messages": (Message("assistant", (Text("hi"),)),), "system": (Text("s"),),
    "max_tokens": 1, "temperature": None, "top_p": 0.1, "top_k": 1, "stop": ("a",), "seed": 0,
    "presence_penalty": 0.5, "frequency_penalty": 0.5, "logprobs": True, "top_logprobs": 2,
    "tools": (), "tool_choice": None,
    "response_format": None, "reasoning_effort": "low", "thinking": "enabled",
    "thinking_budget": 1, "options": {"num_ctx": 1}, "extra": {"n": "2"},
}  # fmt: skip


def test_every_other_field_makes_another_key(cache: AnswerCache) -> None:
    fields = set(Ask.__struct_fields__) - {"stream", "include_usage", "user", "keep_alive"}
    assert fields == set(OTHERS), "a new field: does it change the answer?"
    keys = {cache.key(changed(**{name: OTHERS[name]})) for name in fields}
    same = sum(getattr(ASK, name) == OTHERS[name] for name in fields)
    assert same == 3 and len(keys) == len(fields) - same + 1


def test_extra_is_a_key_by_name_and_text(cache: AnswerCache) -> None:
    keys = {cache.key(changed(extra=e)) for e in ({"a": "1"}, {"a": "2"}, {"b": "1"}, {"a": "12"})}
    assert len(keys) == 4


def test_epoch_and_secret_are_in_the_key(state: SharedState, cache: AnswerCache) -> None:
    assert AnswerCache(state.cache, state.arena.secret, 2).key(ASK) != cache.key(ASK)
    assert AnswerCache(state.cache, b"\1" * 16, 1).key(ASK) != cache.key(ASK)


def test_only_its_tenant_gets_an_entry(cache: AnswerCache) -> None:
    key = cache.key(ASK)
    assert cache.get(key, 1) is None
    assert cache.put(key, 1, STORED, 60.0)
    assert cache.get(key, 1) == STORED
    assert cache.get(key, 2) is None


def test_too_large_is_refused(cache: AnswerCache) -> None:
    answer = msgspec.structs.replace(STORED.answer, blocks=(Text("x" * (cache.max_value + 1)),))
    large = msgspec.structs.replace(STORED, answer=answer)
    assert not cache.put(cache.key(ASK), 1, large, 60.0)


def test_bytes_and_answers_never_meet(state: SharedState, cache: AnswerCache) -> None:
    raw = ByteCache(state.cache, state.arena.secret, 1)
    assert raw.put(b"k", 1, b"value", 60.0, 30.0)
    found = raw.get(b"k", 1)
    assert found is not None and found[0] == b"value" and found[1] <= 0
    assert raw.get(b"k", 2) is None
    assert raw.delete(b"k", 1) and raw.get(b"k", 1) is None and not raw.delete(b"k", 1)
