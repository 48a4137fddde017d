"""What `make security` says of suites that could not be done, and that it asks what is answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from pihub.demo.harness import Demo
from tests.security_suite.__main__ import SEARCHES, Suites, hub_of, undone

LEFT = ["pip-audit: the advisory service does not answer", "wapiti: not installed"]


@pytest.mark.parametrize(
    ("without", "missing"),
    [
        ([], ["pip-audit", "wapiti"]),
        (["pip-audit"], ["wapiti"]),
        (["pip-audit", "wapiti"], []),
        (["sqlmap"], ["pip-audit", "wapiti"]),
    ],
)
def test_only_what_was_named_before_may_be_left_out(
    without: list[str], missing: list[str]
) -> None:
    assert undone(LEFT, without) == missing
    assert undone([], without) == []


@pytest.mark.slow
def test_what_sqlmap_is_given_is_answered(tmp_path: Path) -> None:
    """Of an address that is refused it would find nothing, whatever stood behind."""
    tools = tmp_path / "tools"
    (tools / "lib" / "python3" / "site-packages").mkdir(parents=True)
    suites = Suites(tools, short=True)
    with Demo() as demo, hub_of("gthread", demo, tmp_path / "hub") as (hub, key):
        for path in SEARCHES:
            first = hub.request("GET", f"/admin/api/v1/{path}", authorization=f"Bearer {key}")
            assert first.status == 200, first.text
        with pytest.raises(AssertionError, match="nothing is looked for"):
            suites.sqlmap(hub, key, "requests?limit=1&cursor=x")
