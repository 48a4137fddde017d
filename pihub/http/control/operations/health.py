"""/health: scores, paces, forecasts and their history."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from msgspec import Meta

from pihub.domain.score import Score
from pihub.domain.trend import Baseline
from pihub.errors import ControlUnavailable, NotFound
from pihub.http.control.operation import Call, Operation
from pihub.http.control.shapes import Input, Output
from pihub.ops.forecasts import Forecast
from pihub.ops.health import Report
from pihub.ops.pace import Key

MOST_SAMPLES = 4032
"""Fourteen days of five minutes."""


class PartView(Output, frozen=True):
    """`share`: of its points that it earns, null: not known, then it does not count."""

    name: str
    weight: int
    share: float | None
    seen: str
    raise_by: str


class ScoreView(Output, frozen=True):
    of: str
    score: int | None
    parts: list[PartView]
    advice: list[str]


class PaceView(Output, frozen=True):
    """Milliseconds for an upstream (`model` empty), else tokens a second."""

    upstream: str
    model: str
    version: str
    answer: Literal["streamed", "whole", ""]
    now: float
    usual: float | None
    spread: float
    samples: int


class ForecastView(Output, frozen=True):
    """`seconds_to_limit`: 0 it is reached, null not as far as can be said."""

    what: str
    unit: str
    value: float
    limit: float
    per_day: float | None
    steady: bool
    seconds_to_limit: float | None
    watched_s: float
    estimator: str


class HealthView(Output, frozen=True):
    at: float
    box: ScoreView
    upstreams: list[ScoreView]
    paces: list[PaceView]
    forecasts: list[ForecastView]
    versions: dict[str, str]


class HistoryQuery(Input, frozen=True):
    series: Annotated[str, Meta(min_length=1, max_length=300)]
    hours: Annotated[int, Meta(ge=1, le=336)] = 24


class HistoryView(Output, frozen=True):
    """Means of five minutes, oldest first: pairs of Unix second and value."""

    series: str
    samples: list[list[float]]


class SeriesView(Output, frozen=True):
    series: list[str]


def _report(call: Call) -> Report:
    report = call.services.health.watch.report
    if report is None:
        raise ControlUnavailable("health is judged for the first time", retry_after=5)
    return report


def shown(one: Score) -> ScoreView:
    return ScoreView(
        of=one.name,
        score=one.value,
        parts=[
            PartView(
                name=part.name,
                weight=part.weight,
                share=None if part.share is None else round(part.share, 3),
                seen=part.seen,
                raise_by=part.raise_by,
            )
            for part in one.parts
        ],
        advice=list(one.advice),
    )


def _pace(key: Key, one: Baseline) -> PaceView:
    return PaceView(
        upstream=key.upstream,
        model=key.model,
        version=key.version,
        answer="" if not key.model else "whole" if key.whole else "streamed",
        now=round(one.now, 3),
        usual=None if one.ratio is None else round(one.usual, 3),
        spread=round(one.spread, 3),
        samples=one.count,
    )


def _forecast(one: Forecast) -> ForecastView:
    return ForecastView(
        what=one.name,
        unit=one.unit,
        value=one.value,
        limit=one.limit,
        per_day=one.per_day,
        steady=one.steady,
        seconds_to_limit=one.seconds,
        watched_s=one.seen_s,
        estimator=one.estimator,
    )


def _health(call: Call) -> HealthView:
    report = _report(call)
    return HealthView(
        at=report.at,
        box=shown(report.box),
        upstreams=[shown(one) for one in report.upstreams],
        paces=[_pace(key, one) for key, one in sorted(report.paces.items())],
        forecasts=[_forecast(one) for one in report.forecasts],
        versions=dict(report.versions),
    )


def _one(call: Call) -> ScoreView:
    report, name = _report(call), call.path["name"]
    for one in (report.box, *report.upstreams):
        if one.name == name:
            return shown(one)
    raise NotFound(f"nothing called {name[:64]!r} has a score: box, or an upstream's name")


def _series(call: Call) -> SeriesView:
    return SeriesView(series=call.services.health.history.series())


def _history(call: Call) -> HistoryView:
    query: HistoryQuery = call.query
    since = int(time.time()) - query.hours * 3600
    found: Any = call.services.health.history.samples(query.series, since, MOST_SAMPLES)
    return HistoryView(series=query.series, samples=found)


OPERATIONS = (
    Operation(
        "GET",
        "/health",
        "health:read",
        "Scores with their parts, paces against their usual, forecasts",
        _health,
        HealthView,
        errors=(ControlUnavailable,),
    ),
    Operation(
        "GET",
        "/health/series",
        "health:read",
        "Names of all that is kept over time",
        _series,
        SeriesView,
    ),
    Operation(
        "GET",
        "/health/history",
        "health:read",
        "One series: means of five minutes, up to fourteen days back",
        _history,
        HistoryView,
        query=HistoryQuery,
    ),
    Operation(
        "GET",
        "/health/scores/{name}",
        "health:read",
        "The score of `box` or of an upstream",
        _one,
        ScoreView,
        errors=(NotFound, ControlUnavailable),
    ),
)
