"""Events to an answer and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub.domain.chat import Answer, RedactedThinking, StopReason, Text, Thinking, ToolUse, Usage
from pihub.domain.collect import Collector, collect, replay
from pihub.domain.stream import BlockStart, Failed, Finish, Ping, Start, TextDelta
from pihub.errors import UpstreamBusy, UpstreamIncomplete

words = st.text(max_size=8)
blocks = st.lists(
    st.builds(Text, words)
    | st.builds(Thinking, words, words)
    | st.builds(RedactedThinking, words)
    | st.builds(ToolUse, words, words, st.sampled_from(["{}", '{"a": 1}'])),
    max_size=5,
).map(tuple)
numbers = st.integers(0, 99)
answers = st.builds(
    Answer,
    id=words,
    model=words,
    blocks=blocks,
    stop_reason=st.sampled_from(StopReason),
    stop_sequence=st.none() | words,
    raw_stop=words,
    usage=st.none() | st.builds(Usage, numbers, numbers, numbers, numbers, numbers, numbers),
    created=numbers,
    timings=st.dictionaries(words, numbers, max_size=2),
)


@given(answers)
def test_replay_and_collect_are_inverse(answer: Answer) -> None:
    assert collect(replay(answer)) == answer


@given(answers, st.integers(0, 40))
def test_no_finish_no_answer(answer: Answer, cut: int) -> None:
    events = list(replay(answer))
    some = events[: min(cut, len(events) - 1)]
    with pytest.raises(UpstreamIncomplete):
        collect(some)


def test_a_failure_is_raised_and_a_ping_is_nothing() -> None:
    with pytest.raises(UpstreamBusy):
        collect([Start("1", "m"), Ping(), Failed(UpstreamBusy("busy"))])


def test_what_a_broken_stream_gave() -> None:
    collector = Collector()
    assert collector.partial() == () and collector.usage is None
    for event in (Start("1", "m", Usage(3, 1)), BlockStart(0, "text"), TextDelta(0, "ab")):
        collector.feed(event)
    assert collector.partial() == (Text("ab"),)
    assert collector.usage == Usage(3, 1) and not collector.finished
    collector.feed(Finish(StopReason.END_TURN, usage=Usage(3, 9)))
    assert collector.usage == Usage(3, 9) and collector.finished
