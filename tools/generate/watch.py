"""`make policies`: the alarms and the dashboard of watch.yaml, into `.chalice/resources.json` (for --merge-template).

tests/cicd hold what is watched against what the services and our code really emit, and work out that every alarm rings
for its incident and not for a busy day.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

import yaml

from chalicelib.domain.intakes import Result
from chalicelib.functions import FUNCTIONS
from chalicelib.journal import METRICS, NAMESPACE
from chalicelib.repositories.items import SORT_KEYS
from tools.generate.gateway_responses import MERGE_TEMPLATE

SOURCE: Final = Path(__file__).with_name("watch.yaml")
NAME: Final = "visits-${Stage}"
"""Begins the names of alarms."""
DASHBOARD: Final = f"{NAME}-${{AWS::Region}}"
"""Dashboards belong to all Regions of an account."""
NOTHING: Final = {"Ref": "AWS::NoValue"}
WIDTH: Final = 24
HEIGHT: Final = 6

EACH: Final[Sequence[Sequence[Mapping[str, str]]]] = (
    [
        {"<function>": traits.template_name, "<title>": traits.title, "<handler>": function}
        for function, traits in FUNCTIONS.items()
    ],
    [{"<index>": index} for index in SORT_KEYS],
    [{"<outcome>": outcome} for outcome in get_args(Result)],
)
"""What stands for several, and for which."""

Node = dict[str, Any]
"""JSON of a template."""

WATCH: Final[Node] = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Alarm:
    """A row of watch.yaml."""

    name: str
    """What comes after the stage."""
    section: str
    """Of docs/runbook.md: the anchor of its title."""
    meaning: str
    watched: Sequence[str]
    seconds: int
    above: float = 0
    below: float | None = None
    """The threshold where too little is what is wrong."""
    datapoints: int = 1
    periods: int = 1
    missing: str = "notBreaching"


OPERATION: Final = [Alarm(name, **row) for name, row in WATCH["operation"].items()]
RELEASE: Final = {
    function: [Alarm(name, **row) for name, row in rows.items()] for function, rows in WATCH["release"].items()
}
ALARMS: Final = [*OPERATION, *(alarm for many in RELEASE.values() for alarm in many)]


@dataclass(frozen=True)
class Series:
    """What CloudWatch knows a series by, and what is made of it. Values are texts for `Fn::Sub`."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    statistic: str

    @classmethod
    def of(cls, text: str) -> Series:
        where, name, statistic = text.split()
        source, *values = where.split("/")
        if source == "ours":
            # What is left out here would be another series.
            dimensions = dict(zip(METRICS[name].dimensions, ["${Stage}", *values], strict=True))
            return cls(NAMESPACE, name, dimensions, statistic)
        known = {key: value.replace("<of>", "/".join(values)) for key, value in WATCH["sources"][source].items()}
        return cls(known.pop("namespace"), name, known, statistic)


def each(*texts: str) -> Iterator[tuple[str, ...]]:
    """The texts, once for each of what they stand for."""
    for several in EACH:
        if any(word in text for word in several[0] for text in texts):
            yield from (tuple(_filled_in(text, words) for text in texts) for words in several)
            return
    yield texts


def _filled_in(text: str, words: Mapping[str, str]) -> str:
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    return text


def resource_name(alarm: Alarm) -> str:
    return "".join(part.capitalize() for part in alarm.name.replace("5xx", "server-errors").split("-")) + "Alarm"


def alarms() -> dict[str, Node]:
    """The alarms as resources of the template."""
    told: Node = {"Fn::If": ["TellsOfAlarms", [{"Ref": "AlarmTopicArn"}], NOTHING]}
    actions = {"AlarmActions": told, "OKActions": told}
    operation = {resource_name(alarm): _resource(alarm, actions) for alarm in OPERATION}
    release = {resource_name(alarm): _resource(alarm, {}) for many in RELEASE.values() for alarm in many}
    return operation | release


def _resource(alarm: Alarm, actions: Node) -> Node:
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": {"Fn::Sub": f"{NAME}-{alarm.name}"},
            "AlarmDescription": {"Fn::Sub": f"{alarm.meaning} ${{RunbookUrl}}#{alarm.section}"},
            **actions,
            **_watched(alarm),
            "ComparisonOperator": "GreaterThanThreshold" if alarm.below is None else "LessThanThreshold",
            "Threshold": alarm.above if alarm.below is None else alarm.below,
            "DatapointsToAlarm": alarm.datapoints,
            "EvaluationPeriods": alarm.periods,
            "TreatMissingData": alarm.missing,
        },
    }


def looked_at(alarm: Alarm) -> list[Series]:
    """All that it looks at."""
    return [Series.of(text) for line in alarm.watched for (text,) in each(line)]


def _watched(alarm: Alarm) -> Node:
    watched = looked_at(alarm)
    if len(watched) == 1:
        (series,) = watched
        kind = "ExtendedStatistic" if series.statistic.startswith("p") else "Statistic"
        return {**_metric(series), kind: series.statistic, "Period": alarm.seconds}
    # Most of them have no data at all; those must not take the others' along.
    total = {"Id": "total", "Label": alarm.name, "Expression": "SUM(FILL(METRICS(), 0))", "ReturnData": True}
    parts = [{"Metric": _metric(series), "Stat": series.statistic, "Period": alarm.seconds} for series in watched]
    return {
        "Metrics": [total, *({"Id": f"m{n}", "ReturnData": False, "MetricStat": part} for n, part in enumerate(parts))]
    }


def _metric(series: Series) -> Node:
    dimensions = [{"Name": name, "Value": _value(value)} for name, value in series.dimensions.items()]
    return {"Namespace": series.namespace, "MetricName": series.name, "Dimensions": dimensions}


def _value(text: str) -> str | Node:
    """The text with CloudFormation's own word for it where it has a plainer one than `Fn::Sub`."""
    if "$" not in text:
        return text
    if text.startswith("${") and text.endswith("}") and text.count("$") == 1:
        resource, _, attribute = text[2:-1].partition(".Version.")
        return {"Fn::GetAtt": [f"{resource}.Version", attribute]} if attribute else {"Ref": resource}
    return {"Fn::Sub": text}


def dashboard() -> Node:
    """The dashboard as a resource of the template."""
    about = {"markdown": f"# Property Visits, ${{Stage}}\n{WATCH['about']}"}
    prefix = f"arn:${{AWS::Partition}}:cloudwatch:${{AWS::Region}}:${{AWS::AccountId}}:alarm:{NAME}"
    states = {"title": "Alarms", "alarms": [f"{prefix}-{alarm.name}" for alarm in OPERATION]}
    widgets: list[Node] = [
        {"type": "text", "x": 0, "y": 0, "width": WIDTH // 2, "height": 4, "properties": about},
        {"type": "alarm", "x": WIDTH // 2, "y": 0, "width": WIDTH // 2, "height": 4, "properties": states},
    ]
    for down, row in enumerate(WATCH["rows"]):
        width = WIDTH // len(row)
        for across, widget in enumerate(row):
            place = {"x": across * width, "y": 4 + down * HEIGHT, "width": width, "height": HEIGHT}
            widgets.append(place | (_query(**widget) if "query" in widget else _graph(**widget)))
    body = json.dumps({"start": "-PT3H", "periodOverride": "inherit", "widgets": widgets}, separators=(",", ":"))
    return {
        "Type": "AWS::CloudWatch::Dashboard",
        "Properties": {"DashboardName": {"Fn::Sub": DASHBOARD}, "DashboardBody": {"Fn::Sub": body}},
    }


def _graph(title: str, lines: Mapping[str, str], bars: bool = False, alarm: float | None = None) -> Node:
    properties: Node = {
        "title": title,
        "region": "${AWS::Region}",
        "view": "timeSeries",
        "stacked": bars,
        "period": 60,
        "metrics": [_line(label, Series.of(text)) for line in lines.items() for label, text in each(*line)],
        "yAxis": {"left": {"min": 0}},
    }
    if alarm is not None:
        properties["annotations"] = {"horizontal": [{"label": "alarm above", "value": alarm}]}
    return {"type": "metric", "properties": properties}


def _line(label: str, series: Series) -> list[object]:
    dimensions = [part for dimension in series.dimensions.items() for part in dimension]
    return [series.namespace, series.name, *dimensions, {"label": label, "stat": series.statistic}]


def _query(title: str, groups: Sequence[str], query: str) -> Node:
    sources = " | ".join(f"SOURCE '${{{group}}}'" for group in groups)
    properties = {"title": title, "region": "${AWS::Region}", "view": "table", "query": f"{sources} | {query}"}
    return {"type": "log", "properties": properties}


def written(before: str) -> str:
    """The merge template with alarms and dashboard as they should be, and the releases that ask the alarms."""
    template = json.loads(before)
    kinds = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard")
    kept = {name: it for name, it in template["Resources"].items() if it.get("Type") not in kinds}
    for function, asked in RELEASE.items():
        names = [{"Ref": resource_name(alarm)} for alarm in asked]
        # All at once there is nothing left to take back, and a fix must come through while an alarm rings.
        asks = {"Fn::If": ["ShiftsTraffic", names, [NOTHING]]}
        kept[function]["Properties"]["DeploymentPreference"]["Alarms"] = asks
    template["Resources"] = kept | alarms() | {"Dashboard": dashboard()}
    return json.dumps(template, indent=2) + "\n"


def main(file: Path = MERGE_TEMPLATE) -> None:
    file.write_text(written(file.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
