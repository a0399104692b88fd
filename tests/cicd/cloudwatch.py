"""CloudWatch's arithmetic: what it makes of samples, and when that rings an alarm.

As its documentation has it ("Alarm evaluation", "Configuring how CloudWatch alarms treat missing data", "Using metric
math"); an expression or a setting that this does not know is an error, never a guess.
"""

from __future__ import annotations

import ast
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
Series = tuple[str, str, frozenset[tuple[str, str]]]
"""Namespace, name and dimensions: what tells one metric from another. Fewer dimensions are another metric."""

LOOKED_BACK: Final = 2
"""How many data points beyond those asked for CloudWatch fetches, to make up for missing ones."""


def series(namespace: str, name: str, dimensions: Mapping[str, str]) -> Series:
    return namespace, name, frozenset(dimensions.items())


@dataclass
class Day:
    """What was measured, by the minute."""

    samples: dict[Series, dict[int, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def put(self, what: Series, minute: int, values: Iterable[float]) -> None:
        if measured := list(values):
            self.samples[what][minute] += measured

    def datapoint(self, what: Series, statistic: str, end: int, minutes: int, known: int) -> float | None:
        """The data point of the minutes before the end, of what is known by then; None where nothing was measured."""
        of_series = self.samples.get(what, {})
        times = range(end - minutes, min(end, known))
        values = sorted(value for minute in times for value in of_series.get(minute, ()))
        if not values:
            return None
        if statistic.startswith("p"):
            rank = math.ceil(float(statistic[1:]) / 100 * len(values))
            return values[max(rank, 1) - 1]
        match statistic:
            case "Sum":
                return math.fsum(values)
            case "Average":
                return math.fsum(values) / len(values)
            case "Maximum":
                return values[-1]
        raise AssertionError(f"a statistic that this does not know: {statistic}")


def states(alarm: Mapping[str, Any], day: Day, minutes: int, late: int = 0) -> list[State]:
    """What the alarm (its properties, worked out) says after each minute; measurements may come minutes late."""
    state: State = "INSUFFICIENT_DATA"
    said = []
    for now in range(1, minutes + 1):
        state = evaluate(alarm, day, now, state, late)
        said.append(state)
    return said


def evaluate(alarm: Mapping[str, Any], day: Day, now: int, before: State, late: int = 0) -> State:
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    needed, asked = alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]
    points = _points(alarm, day, now, asked + LOOKED_BACK, now - late)
    breaching = [point > alarm["Threshold"] for point in points if point is not None]
    if len(breaching) >= asked:
        # The newest real ones, also from farther back; how missing ones are treated does not matter.
        return "ALARM" if sum(breaching[:asked]) >= needed else "OK"
    missing = "ignore" if "AWS/DynamoDB" in _namespaces(alarm) and None in points else alarm["TreatMissingData"]
    if sum(breaching) >= needed:
        return "ALARM"
    if missing == "ignore":
        return before
    assert missing == "notBreaching"
    return "OK"


def _points(alarm: Mapping[str, Any], day: Day, now: int, count: int, known: int) -> list[float | None]:
    """The data points that are looked at, the newest first."""

    def points(what: Series, statistic: str, seconds: int) -> list[float | None]:
        length = seconds // 60
        return [day.datapoint(what, statistic, now - n * length, length, known) for n in range(count)]

    if "Metrics" not in alarm:
        return points(_series(alarm), alarm.get("Statistic") or alarm["ExtendedStatistic"], alarm["Period"])
    (expression,) = [metric["Expression"] for metric in alarm["Metrics"] if metric.get("ReturnData", True)]
    of_metrics = [metric["MetricStat"] for metric in alarm["Metrics"] if "MetricStat" in metric]
    fetched = [points(_series(metric["Metric"]), metric["Stat"], metric["Period"]) for metric in of_metrics]
    return _worked_out(ast.parse(expression, mode="eval").body, fetched)[0]


def _worked_out(node: ast.expr, fetched: list[list[float | None]]) -> list[list[float | None]]:
    match node:
        case ast.Call(ast.Name("METRICS"), []):
            return fetched
        case ast.Call(ast.Name("FILL"), [inner, ast.Constant(float() | int() as filler)]):
            # What has no data at all stays without: there is no series to fill.
            return [
                [filler if point is None else point for point in points]
                if any(p is not None for p in points)
                else points
                for points in _worked_out(inner, fetched)
            ]
        case ast.Call(ast.Name("SUM"), [inner]):
            moments = zip(*_worked_out(inner, fetched), strict=True)
            return [[_sum([point for point in moment if point is not None]) for moment in moments]]
    raise AssertionError(f"metric math that this does not know: {ast.unparse(node)}")


def _sum(values: Sequence[float]) -> float | None:
    return math.fsum(values) if values else None


def watched(alarm: Mapping[str, Any]) -> list[tuple[Series, str]]:
    """The series that an alarm looks at, and the statistic that it makes of each."""
    if "Metrics" not in alarm:
        return [(_series(alarm), alarm.get("Statistic") or alarm["ExtendedStatistic"])]
    stats = [metric["MetricStat"] for metric in alarm["Metrics"] if "MetricStat" in metric]
    return [(_series(stat["Metric"]), stat["Stat"]) for stat in stats]


def _series(metric: Mapping[str, Any]) -> Series:
    dimensions = {dimension["Name"]: dimension["Value"] for dimension in metric["Dimensions"]}
    return series(metric["Namespace"], metric["MetricName"], dimensions)


def _namespaces(alarm: Mapping[str, Any]) -> set[str]:
    return {namespace for (namespace, _, _), _ in watched(alarm)}
