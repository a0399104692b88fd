"""`make policies`: the alarms and the dashboard, into `.chalice/resources.json` (for --merge-template).

Two kinds of alarms. Those of the operation tell a person, and each has its section in docs/runbook.md. Those of a
release tell nobody: CodeDeploy asks them while it shifts traffic, and takes the release back. What is watched is named
once here, for both and for the dashboard; tests/cicd hold it against what the services and our code really emit, and
work out that every alarm rings for its incident and not for a busy day.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

from chalicelib.domain.intakes import Result
from chalicelib.functions import FUNCTIONS, Function
from chalicelib.journal import METRICS, NAMESPACE
from chalicelib.repositories.items import SORT_KEYS
from tools.generate.gateway_responses import MERGE_TEMPLATE

NAME: Final = "visits-${Stage}"
"""The API's, the table's and the queue's, each in its own service; names of functions and alarms begin with it."""

API_STAGE: Final = "api"
"""The gateway's own stage, called the same in every stage of ours. A name and no `Ref`: the stage waits for the
functions' aliases, these wait for the release alarms, and those would wait for the stage."""

NAMES: Final = {traits.template_name: traits.title for traits in FUNCTIONS.values()}
"""The functions as the template calls them, and as a person does."""

INDEXES: Final = tuple(SORT_KEYS)

NOTHING: Final = {"Ref": "AWS::NoValue"}

Node = dict[str, Any]
"""JSON of a template."""


@dataclass(frozen=True)
class Metric:
    """What CloudWatch knows a series by. Values are texts for `Fn::Sub`."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    statistic: str


def of_api(name: str, statistic: str) -> Metric:
    return Metric("AWS/ApiGateway", name, {"ApiName": NAME, "Stage": API_STAGE}, statistic)


def of_function(function: str, name: str, statistic: str) -> Metric:
    return Metric("AWS/Lambda", name, {"FunctionName": f"${{{function}}}"}, statistic)


def of_new_version(function: str, name: str, statistic: str) -> Metric:
    """Of what is being released alone, while the alias gives it a part of the traffic."""
    dimensions = {
        "FunctionName": f"${{{function}}}",
        "Resource": f"${{{function}}}:live",
        "ExecutedVersion": f"${{{function}.Version.Version}}",
    }
    return Metric("AWS/Lambda", name, dimensions, statistic)


def of_table(name: str, statistic: str, index: str | None = None) -> Metric:
    of_index = {"GlobalSecondaryIndexName": index} if index else {}
    return Metric("AWS/DynamoDB", name, {"TableName": NAME} | of_index, statistic)


def of_queue(name: str, statistic: str, queue: str = NAME) -> Metric:
    return Metric("AWS/SQS", name, {"QueueName": queue}, statistic)


def of_dead_letters(name: str, statistic: str) -> Metric:
    return of_queue(name, statistic, f"{NAME}-dead")


def ours(name: str, statistic: str, **more: str) -> Metric:
    """Of our own journal; what it leaves out of a series' name here would be another series."""
    dimensions = {"Stage": "${Stage}"} | more
    assert tuple(dimensions) == METRICS[name].dimensions, f"{name} has the dimensions {METRICS[name].dimensions}"
    return Metric(NAMESPACE, name, dimensions, statistic)


THROTTLES_OF_FUNCTIONS: Final = [of_function(function, "Throttles", "Sum") for function in NAMES]
THROTTLES_OF_TABLE: Final = [
    of_table(name, "Sum", index) for name in ("ReadThrottleEvents", "WriteThrottleEvents") for index in (None, *INDEXES)
]


@dataclass(frozen=True)
class Alarm:
    """An alarm: when more than the threshold, in so many of so many periods, it rings."""

    name: str
    """What comes after the stage."""
    section: str
    """Of docs/runbook.md: the anchor of its title."""
    meaning: str
    watched: Sequence[Metric]
    """One, or several whose sum it is."""
    above: float
    seconds: int
    datapoints: int = 1
    periods: int = 1
    missing: str = "notBreaching"
    """What no data means. Services and journal tell of what happens, so silence is good, but for a queue."""


# What a person is told of, in the order of the runbook.
OPERATION: Final = (
    # A queue that nobody has touched for six hours is told of no more, with whatever is in it: `ignore`.
    Alarm(
        "dead",
        "dead-letters",
        "Messages were given up. What they hold is not booked.",
        [of_dead_letters("ApproximateNumberOfMessagesVisible", "Maximum")],
        above=0,
        seconds=60,
        missing="ignore",
    ),
    Alarm(
        "age",
        "age-of-the-oldest-message",
        "The oldest message has waited for over 15 minutes: the worker does not keep up, or does not work.",
        [of_queue("ApproximateAgeOfOldestMessage", "Maximum")],
        above=900,
        seconds=60,
        datapoints=3,
        periods=3,
        missing="ignore",
    ),
    # Lambda's errors are no measure: a chunk that fails is none, and without `FunctionResponseTypes` every message that
    # comes again is one.
    Alarm(
        "worker-faults",
        "worker-faults",
        "The worker has failed again and again for 15 minutes. Messages are kept and tried again.",
        [ours("Faults", "Sum", Function=Function.WORKER)],
        above=0,
        seconds=300,
        datapoints=3,
        periods=4,
    ),
    # The average of this metric, one or nothing for each request, is its rate.
    Alarm(
        "5xx",
        "5xx-of-the-api",
        "Over 1 % of the requests of five minutes were answered with 5xx.",
        [of_api("5XXError", "Average")],
        above=0.01,
        seconds=300,
    ),
    Alarm(
        "api-faults",
        "bugs",
        "A request met a bug and was answered 500.",
        [ours("Faults", "Sum", Function=Function.API)],
        above=0,
        seconds=300,
    ),
    Alarm(
        "authorizer",
        "authorizer",
        "Keys could not be checked, for ten minutes. Callers are answered 503.",
        [of_function("BearerKey", "Errors", "Sum")],
        above=0,
        seconds=300,
        datapoints=2,
        periods=3,
    ),
    Alarm(
        "latency",
        "latency",
        "One request in twenty has taken over a second, for 15 minutes.",
        [of_api("Latency", "p95")],
        above=1000,
        seconds=300,
        datapoints=3,
        periods=3,
    ),
    Alarm(
        "throttled-functions",
        "throttles",
        "Lambda has refused calls in three of five minutes: no concurrency is left in the account.",
        THROTTLES_OF_FUNCTIONS,
        above=0,
        seconds=60,
        datapoints=3,
        periods=5,
    ),
    Alarm(
        "throttled-table",
        "throttles",
        "DynamoDB has refused reads or writes in three of five minutes.",
        THROTTLES_OF_TABLE,
        above=0,
        seconds=60,
        datapoints=3,
        periods=5,
    ),
)

# What CodeDeploy is told of; by function, as each has its own shift of traffic.
RELEASE: Final[Mapping[str, Sequence[Alarm]]] = {
    "APIHandler": (
        Alarm(
            "release-api",
            "releases",
            "The new version of the API has crashed or timed out.",
            [of_new_version("APIHandler", "Errors", "Sum")],
            above=0,
            seconds=60,
        ),
        # An answer 500 is no error for Lambda. The gateway's 5xx are no measure: the version before may be failing.
        Alarm(
            "release-faults",
            "releases",
            "A request met a bug in the new version of the API and was answered 500.",
            [ours("FaultsOfVersion", "Sum", Function=Function.API, Version="${APIHandler.Version.Version}")],
            above=0,
            seconds=60,
        ),
    ),
    "BearerKey": (
        Alarm(
            "release-authorizer",
            "releases",
            "The new version of the authorizer has failed.",
            [of_new_version("BearerKey", "Errors", "Sum")],
            above=0,
            seconds=60,
        ),
    ),
    # Two, since neither sees all: a version that cannot start, or runs out of time or memory, writes no line of ours;
    # for one that leaves a chunk, or cannot read a message of ours, the call itself went well. What a producer got
    # wrong, or a busy table, is in neither. One is enough, since a tenth of the batches may be one.
    "WorkOffQueue": (
        Alarm(
            "release-worker",
            "releases",
            "The new version of the worker has crashed or timed out.",
            [of_new_version("WorkOffQueue", "Errors", "Sum")],
            above=0,
            seconds=60,
        ),
        Alarm(
            "release-worker-faults",
            "releases",
            "The new version of the worker has met a bug, and left what it was working on.",
            [ours("FaultsOfVersion", "Sum", Function=Function.WORKER, Version="${WorkOffQueue.Version.Version}")],
            above=0,
            seconds=60,
        ),
    ),
}


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
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": alarm.above,
            "DatapointsToAlarm": alarm.datapoints,
            "EvaluationPeriods": alarm.periods,
            "TreatMissingData": alarm.missing,
        },
    }


def _watched(alarm: Alarm) -> Node:
    if len(alarm.watched) == 1:
        (metric,) = alarm.watched
        kind = "ExtendedStatistic" if metric.statistic.startswith("p") else "Statistic"
        return {**_series(metric), kind: metric.statistic, "Period": alarm.seconds}
    # Most of them have no data at all; those must not take the others' along.
    total = {"Id": "total", "Label": alarm.name, "Expression": "SUM(FILL(METRICS(), 0))", "ReturnData": True}
    return {
        "Metrics": [total]
        + [
            {
                "Id": f"m{n}",
                "ReturnData": False,
                "MetricStat": {"Metric": _series(metric), "Stat": metric.statistic, "Period": alarm.seconds},
            }
            for n, metric in enumerate(alarm.watched)
        ]
    }


def _series(metric: Metric) -> Node:
    dimensions = [{"Name": name, "Value": _value(value)} for name, value in metric.dimensions.items()]
    return {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions}


def _value(text: str) -> str | Node:
    """The text with CloudFormation's own word for it where it has a plainer one than `Fn::Sub`."""
    if "$" not in text:
        return text
    if text.startswith("${") and text.endswith("}") and text.count("$") == 1:
        resource, _, attribute = text[2:-1].partition(".Version.")
        return {"Fn::GetAtt": [f"{resource}.Version", attribute]} if attribute else {"Ref": resource}
    return {"Fn::Sub": text}


# The dashboard

WIDTH: Final = 24
HEIGHT: Final = 6


def dashboard() -> Node:
    """The dashboard as a resource of the template."""
    widgets: list[Node] = [_about(), _states()]
    y = 4
    for row in _rows():
        for n, widget in enumerate(row):
            width = WIDTH // len(row)
            widgets.append({"x": n * width, "y": y, "width": width, "height": HEIGHT, **widget})
        y += HEIGHT
    body = json.dumps({"start": "-PT3H", "periodOverride": "inherit", "widgets": widgets}, separators=(",", ":"))
    return {
        "Type": "AWS::CloudWatch::Dashboard",
        "Properties": {"DashboardName": {"Fn::Sub": NAME}, "DashboardBody": {"Fn::Sub": body}},
    }


def _about() -> Node:
    text = (
        "# Property Visits, ${Stage}\n"
        "An alarm is red? [The runbook](${RunbookUrl}) has a section for each, and says what to look at and to do. "
        "Nothing that was accepted is lost meanwhile: a visit is booked or refused before it is answered, and an "
        "intake waits in its queue for up to 14 days."
    )
    return {"type": "text", "x": 0, "y": 0, "width": 12, "height": 4, "properties": {"markdown": text}}


def _states() -> Node:
    """All alarms of the operation, red or not."""
    prefix = "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:"
    arns = [f"{prefix}{NAME}-{alarm.name}" for alarm in OPERATION]
    place = {"x": 12, "y": 0, "width": 12, "height": 4}
    return {"type": "alarm", **place, "properties": {"title": "Alarms", "alarms": arns}}


def _rows() -> list[list[Node]]:
    each = list(NAMES.items())
    return [
        [
            _graph(
                "Requests a minute",
                ("all", of_api("Count", "Sum")),
                ("refused (4xx)", of_api("4XXError", "Sum")),
                ("bad keys", ours("KeysRefused", "Sum")),
            ),
            _graph("Failed (5xx), share of requests", ("5xx", of_api("5XXError", "Average")), line=0.01),
            _graph(
                "Latency in ms",
                *((name, of_api("Latency", name)) for name in ("p50", "p95", "p99")),
                line=1000,
            ),
            _graph("Faults: bugs, not refusals", *_by_function("Faults"), bars=True),
        ],
        [
            _graph("Visits booked", ("booked", ours("VisitsBooked", "Sum")), bars=True),
            _graph(
                "Conflicts and replays",
                ("slot taken (409)", ours("BookingConflicts", "Sum")),
                ("replays", ours("Replays", "Sum")),
            ),
            _graph(
                "Rows of intakes by outcome",
                *((outcome, ours("IntakeRows", "Sum", Outcome=outcome)) for outcome in get_args(Result)),
                bars=True,
            ),
        ],
        [
            _graph(
                "Messages",
                ("waiting", of_queue("ApproximateNumberOfMessagesVisible", "Maximum")),
                ("with a worker", of_queue("ApproximateNumberOfMessagesNotVisible", "Maximum")),
                ("sent", of_queue("NumberOfMessagesSent", "Sum")),
            ),
            _graph(
                "Age of the oldest message in s",
                ("in the queue", of_queue("ApproximateAgeOfOldestMessage", "Maximum")),
                ("seen by the worker", ours("OldestMessageAge", "Maximum")),
                line=900,
            ),
            _graph(
                "Dead letters",
                ("given up", of_dead_letters("ApproximateNumberOfMessagesVisible", "Maximum")),
                line=0,
            ),
        ],
        [
            _graph(
                "Functions at work at once",
                *((name, of_function(function, "ConcurrentExecutions", "Maximum")) for function, name in each),
            ),
            _graph(
                "Refused by Lambda and DynamoDB (throttles)",
                *((name, of_function(function, "Throttles", "Sum")) for function, name in each),
                *((_of_what(metric), metric) for metric in THROTTLES_OF_TABLE),
                bars=True,
            ),
            _graph("Cold starts", *_by_function("ColdStarts"), bars=True),
            _graph(
                "Duration of functions in ms, p95",
                *((name, of_function(function, "Duration", "p95")) for function, name in each),
            ),
        ],
        [
            _graph(
                "What it costs: units of the table",
                ("written", of_table("ConsumedWriteCapacityUnits", "Sum")),
                ("read", of_table("ConsumedReadCapacityUnits", "Sum")),
                *((f"{index}, written", of_table("ConsumedWriteCapacityUnits", "Sum", index)) for index in INDEXES),
                *((f"{index}, read", of_table("ConsumedReadCapacityUnits", "Sum", index)) for index in INDEXES),
            ),
            _graph(
                "What it costs: time of functions in ms",
                *((name, of_function(function, "Duration", "Sum")) for function, name in each),
            ),
            _graph(
                "What it costs: calls",
                ("API", of_api("Count", "Sum")),
                *((f"{name}, Lambda", of_function(function, "Invocations", "Sum")) for function, name in each),
            ),
        ],
        [
            _query(
                "Slowest and failing routes",
                ["AccessLogGroup"],
                "stats count(*) as requests, pct(latencyMs, 95) as p95, max(latencyMs) as slowest, max(status) as worst"
                " by method, route | sort slowest desc | limit 12",
            ),
            _query(
                "Last errors",
                ["ApiHandlerLogGroup", "BearerKeyLogGroup", "WorkOffQueueLogGroup"],
                'fields @timestamp, event, kind, route, requestId | filter level = "ERROR"'
                " | sort @timestamp desc | limit 12",
            ),
        ],
    ]


def _by_function(name: str) -> list[tuple[str, Metric]]:
    """A metric of our journal, a line for each function."""
    return [(traits.title, ours(name, "Sum", Function=function)) for function, traits in FUNCTIONS.items()]


def _of_what(metric: Metric) -> str:
    index = metric.dimensions.get("GlobalSecondaryIndexName")
    kind = "reads" if metric.name.startswith("Read") else "writes"
    return f"{index}, {kind}" if index else f"Table, {kind}"


def _graph(title: str, *lines: tuple[str, Metric], bars: bool = False, line: float | None = None) -> Node:
    metrics = []
    for label, metric in lines:
        names: list[Any] = [metric.namespace, metric.name]
        for name, value in metric.dimensions.items():
            names += [name, value]
        metrics.append([*names, {"label": label, "stat": metric.statistic}])
    properties: Node = {
        "title": title,
        "region": "${AWS::Region}",
        "view": "timeSeries",
        "stacked": bars,
        "period": 60,
        "metrics": metrics,
        "yAxis": {"left": {"min": 0}},
    }
    if line is not None:
        properties["annotations"] = {"horizontal": [{"label": "alarm above", "value": line}]}
    return {"type": "metric", "properties": properties}


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
