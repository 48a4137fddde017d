"""Deferred chats: what became too old is gone from the files, not only from the tables."""

from __future__ import annotations

from pathlib import Path

from pihub.store.jobs import Job, JobStore

PROMPT, ANSWER = b"a-made-up-prompt " * 400, b"a-made-up-answer " * 400


def written(folder: Path) -> set[bytes]:
    """Which of the words stand in a file."""
    data = b"".join(path.read_bytes() for path in folder.iterdir())
    return {word for word in (b"made-up-prompt", b"made-up-answer") if word in data}


def test_what_is_pruned_is_overwritten(tmp_path: Path) -> None:
    store = JobStore(tmp_path / "jobs.db")
    for number in range(1, 4):
        job = Job(
            id=f"j{number}", rid=number, tenant=1, key=1, route=1, protocol="openai", alias="m",
            upstream="claude", model="m", created=10.0, deadline=99.0,
        )  # fmt: skip
        assert store.add(job, PROMPT)
        store.change([job.id], state="done", ended=20.0 + number, result=ANSWER)
    assert written(tmp_path) == {b"made-up-prompt", b"made-up-answer"}
    assert store.prune(22.5) == 2
    assert [store.one(f"j{n}") is None for n in (1, 2, 3)] == [True, True, False]
    assert store.result("j3") == ANSWER
    assert store.prune(23.5) == 1
    assert written(tmp_path) == set()
    assert store.prune(99.0) == 0
    store.close()
    assert written(tmp_path) == set()
