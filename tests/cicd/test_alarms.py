"""Alarms and dashboard: what they look at exists, and every alarm rings for its incident and not for a busy day."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

import pytest

from chalicelib.domain.intakes import Result
from chalicelib.functions import Function
from chalicelib.journal import METRICS, NAMESPACE
from tests.cicd.cloudwatch import Day, Series, series, states, watched
from tests.cicd.physical import Stack
from tests.cicd.stacks import CANARY, app, data, of_type
from tools.generate import watch
from tools.generate.gateway_responses import MERGE_TEMPLATE
from tools.generate.policies import STAGES
from tools.project import ROOT

EMITTED: Final[Mapping[str, tuple[set[str], tuple[set[str], ...]]]] = {
    # The documentation of each service: "metrics and dimensions". The gateway's by route would cost extra, and are off.
    "AWS/ApiGateway": (
        {"Count", "4XXError", "5XXError", "Latency", "IntegrationLatency"},
        ({"ApiName"}, {"ApiName", "Stage"}),
    ),
    "AWS/Lambda": (
        {"Invocations", "Errors", "Throttles", "Duration", "ConcurrentExecutions"},
        ({"FunctionName"}, {"FunctionName", "Resource"}, {"FunctionName", "Resource", "ExecutedVersion"}),
    ),
    "AWS/DynamoDB": (
        {"ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits", "ReadThrottleEvents", "WriteThrottleEvents"},
        ({"TableName"}, {"TableName", "GlobalSecondaryIndexName"}),
    ),
    "AWS/SQS": (
        {
            "ApproximateNumberOfMessagesVisible",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateAgeOfOldestMessage",
            "NumberOfMessagesSent",
        },
        ({"QueueName"},),
    ),
}
"""The metrics that AWS's services emit by themselves, as far as we rely on them, and with which dimensions."""

MINUTES: Final = 240
BEGIN: Final = 120
"""When incidents begin, after two hours of a healthy day."""
END: Final = 190


# What there is


def owned(stage: str, app_stack: Stack, data_stack: Stack) -> dict[tuple[str, str], set[str]]:
    """The values that each dimension can have: what the stacks make, and what our code says."""
    (api,) = of_type(app_stack, "AWS::ApiGateway::RestApi").values()
    (gateway_stage,) = of_type(app_stack, "AWS::ApiGateway::Stage").values()
    functions = of_type(app_stack, "AWS::Lambda::Function").values()
    aliases = of_type(app_stack, "AWS::Lambda::Alias").values()
    (table,) = of_type(data_stack, "AWS::DynamoDB::Table").values()
    (stage_told,) = {function["Environment"]["Variables"]["STAGE"] for function in functions}
    assert stage_told == stage
    return {
        ("AWS/ApiGateway", "ApiName"): {api["Name"]},
        ("AWS/ApiGateway", "Stage"): {gateway_stage["StageName"]},
        ("AWS/Lambda", "FunctionName"): {function["FunctionName"] for function in functions},
        ("AWS/Lambda", "Resource"): {f"{alias['FunctionName']}:{alias['Name']}" for alias in aliases},
        ("AWS/Lambda", "ExecutedVersion"): {alias["FunctionVersion"] for alias in aliases},
        ("AWS/DynamoDB", "TableName"): {table["TableName"]},
        ("AWS/DynamoDB", "GlobalSecondaryIndexName"): {it["IndexName"] for it in table["GlobalSecondaryIndexes"]},
        ("AWS/SQS", "QueueName"): {it["QueueName"] for it in of_type(data_stack, "AWS::SQS::Queue").values()},
        (NAMESPACE, "Stage"): {stage_told},
        (NAMESPACE, "Function"): set(Function),
        (NAMESPACE, "Outcome"): set(get_args(Result)),
        (NAMESPACE, "Version"): {alias["FunctionVersion"] for alias in aliases},
    }


def wrong_with(what: Series, values: Mapping[tuple[str, str], set[str]]) -> Iterator[str]:
    """Why nobody ever emits this series."""
    namespace, name, dimensions = what
    names = {key for key, _ in dimensions}
    if namespace == NAMESPACE:
        if name not in METRICS or set(METRICS[name].dimensions) != names:
            yield f"our code has no {name} by {sorted(names)}"
    elif namespace not in EMITTED:
        yield f"no service emits {namespace}"
    else:
        known, dimension_sets = EMITTED[namespace]
        if name not in known or names not in dimension_sets:
            yield f"{namespace} has no {name} by {sorted(names)}"
    yield from (
        f"{namespace} {name}: {key} is never {value}"
        for key, value in dimensions
        if value not in values.get((namespace, key), ())
    )


def graphs(stack: Stack) -> Iterator[tuple[str, Series]]:
    """Every line of the dashboard: the widget's title and the series."""
    for widget in dashboard(stack)["widgets"]:
        for names in widget["properties"].get("metrics", []):
            namespace, name, *rest = [part for part in names if isinstance(part, str)]
            yield widget["properties"]["title"], series(namespace, name, dict(zip(rest[::2], rest[1::2], strict=True)))


def dashboard(stack: Stack) -> Any:
    (properties,) = of_type(stack, "AWS::CloudWatch::Dashboard").values()
    return json.loads(properties["DashboardBody"])


@pytest.mark.parametrize("stage", STAGES)
def test_every_alarm_and_graph_shows_what_is_really_emitted(packaged: Path, stage: str) -> None:
    stack = app(packaged, stage, **CANARY)
    values = owned(stage, stack, data(packaged, stage))
    looked_at = [*graphs(stack)]
    for alarm in of_type(stack, "AWS::CloudWatch::Alarm").values():
        looked_at += [(alarm["AlarmName"], what) for what, _ in watched(alarm)]
    assert len(looked_at) > 60
    assert [(where, wrong) for where, what in looked_at for wrong in wrong_with(what, values)] == []


def test_every_metric_of_ours_is_on_the_dashboard(packaged: Path) -> None:
    shown = {(name, dict(dimensions).get("Outcome")) for _, (_, name, dimensions) in graphs(app(packaged, "prod"))}
    # Which version is the new one changes with every release; its alarm is asked by CodeDeploy.
    assert METRICS.keys() - {"FaultsOfVersion"} <= {name for name, _ in shown}
    assert {("IntakeRows", outcome) for outcome in get_args(Result)} <= shown


def test_the_dashboard_is_laid_out_and_leads_to_alarms_logs_and_runbook(packaged: Path) -> None:
    stack = app(packaged, "prod", RunbookUrl="https://example.com/runbook.md")
    widgets = dashboard(stack)["widgets"]
    taken: set[tuple[int, int]] = set()
    for widget in widgets:
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, f"{widget['properties']} lies on another one"
        taken |= cells
    by_type = {widget["type"]: widget["properties"] for widget in widgets}
    assert "(https://example.com/runbook.md)" in by_type["text"]["markdown"]
    alarms = {name: it["AlarmName"] for name, it in of_type(stack, "AWS::CloudWatch::Alarm").items()}
    operation = {stack.arn(name) for name, full in alarms.items() if "-release-" not in full}
    assert set(by_type["alarm"]["alarms"]) == operation
    groups = {it["LogGroupName"] for it in of_type(stack, "AWS::Logs::LogGroup").values()}
    asked = re.findall(r"SOURCE '([^']+)'", json.dumps([w["properties"].get("query", "") for w in widgets]))
    assert set(asked) == groups


def anchor(title: str) -> str:
    """What a section's title is in an address."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def test_every_alarm_tells_the_topic_and_leads_to_its_section_of_the_runbook(packaged: Path) -> None:
    topic = "arn:aws:sns:eu-central-1:123456789012:alarms"
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    sections = {anchor(text.partition("\n")[0]): text for text in re.split(r"^## ", runbook, flags=re.MULTILINE)}
    told = of_type(app(packaged, "prod", AlarmTopicArn=topic), "AWS::CloudWatch::Alarm").values()
    for alarm in told:
        section = re.search(r"docs/runbook\.md#(\S+)$", alarm["AlarmDescription"])
        assert section is not None, alarm["AlarmName"]
        assert alarm["AlarmName"].replace("prod", "STAGE") in sections[section[1]]
        # CodeDeploy looks at those of a release itself, and they are too nervous for people.
        wanted = None if "-release-" in alarm["AlarmName"] else [topic]
        assert (alarm.get("AlarmActions"), alarm.get("OKActions")) == (wanted, wanted), alarm["AlarmName"]
    assert not any("AlarmActions" in it for it in of_type(app(packaged, "prod"), "AWS::CloudWatch::Alarm").values())


# What happens


@dataclass(frozen=True)
class World:
    """Prod as it is measured."""

    day: Day
    versions: Mapping[str, str]
    """What CloudWatch calls the version of each function that is being released."""

    def api(self, name: str) -> Series:
        return series("AWS/ApiGateway", name, {"ApiName": "visits-prod", "Stage": "api"})

    def function(self, name: str, function: str = "visits-prod") -> Series:
        return series("AWS/Lambda", name, {"FunctionName": function})

    def new_version(self, name: str, function: str = "visits-prod") -> Series:
        alias = {"Resource": f"{function}:live", "ExecutedVersion": self.versions[function]}
        return series("AWS/Lambda", name, {"FunctionName": function} | alias)

    def table(self, name: str, **index: str) -> Series:
        return series("AWS/DynamoDB", name, {"TableName": "visits-prod"} | index)

    def queue(self, name: str, queue: str = "visits-prod") -> Series:
        return series("AWS/SQS", name, {"QueueName": queue})

    def fault(self, function: Function) -> Series:
        return series(NAMESPACE, "Faults", {"Stage": "prod", "Function": function})

    def fault_of_new_version(self, function: Function, name: str) -> Series:
        by = {"Stage": "prod", "Function": function, "Version": self.versions[name]}
        return series(NAMESPACE, "FaultsOfVersion", by)

    def requests(self, minute: int, number: int, failed: int = 0, slow: int = 0, latency: float = 120) -> None:
        """A minute's traffic: the gateway tells of each request whether it failed, and how long it took."""
        self.day.put(self.api("Count"), minute, [1] * number)
        self.day.put(self.api("5XXError"), minute, [1] * failed + [0] * (number - failed))
        self.day.put(self.api("Latency"), minute, [latency] * (number - slow) + [2500] * slow)

    def replace(self, what: Series, minute: int, *values: float) -> None:
        self.day.samples[what][minute] = list(values)


AUTHORIZER: Final = "visits-prod-bearer_key"
WORKER: Final = "visits-prod-work_off_queue"
DEAD: Final = "visits-prod-dead"
BURST: Final = range(60, 90)


def world(versions: Mapping[str, str], usual: int = 60) -> World:
    """A healthy day: so many requests a minute, five times as many in a burst, and what goes wrong on any day."""
    it = World(Day(), versions)
    for minute in range(MINUTES):
        number = usual * 5 if minute in BURST else usual
        # New instances at the beginning of the burst, some large exports, a cold start here and there.
        slow = number // 10 if minute in BURST[:2] else max(number // 50, int(minute % 10 == 0))
        it.requests(minute, number, slow=slow)
        for function in ("visits-prod", AUTHORIZER, WORKER):
            it.day.put(it.function("Throttles", function), minute, [0])
            it.day.put(it.function("Errors", function), minute, [0])
            it.day.put(it.new_version("Errors", function), minute, [0])
        # The queue fills in the burst, for ten minutes, and empties afterwards.
        it.day.put(it.queue("ApproximateAgeOfOldestMessage"), minute, [max(0, 600 - 60 * abs(minute - 72))])
        it.day.put(it.queue("ApproximateNumberOfMessagesVisible", DEAD), minute, [0])
    # The table follows a growing load in a minute or two; callers hear of it as 503, rarely.
    for minute in BURST[:2]:
        it.day.put(it.table("WriteThrottleEvents"), minute, [1, 1])
    if usual >= 60:
        it.requests(BURST[1], 1, failed=1)
    it.day.put(it.function("Throttles"), BURST[0], [1, 1])
    # A chunk that the version before left once, a key that could not be checked once. What a producer got wrong is in
    # none of these metrics: the worker neither raises for it nor counts a fault (test_worker.py, test_journal.py).
    it.day.put(it.fault(Function.WORKER), 100, [1])
    it.day.put(it.function("Errors", AUTHORIZER), BURST[1], [1])
    return it


Happens = Callable[[World, int], None]


@dataclass(frozen=True)
class Incident:
    alarm: str
    what: str
    happens: Happens
    """What is measured in a minute of it."""
    minutes: int
    """So soon it must be told."""
    usual: int = 60
    every: int = 1


def give_up(it: World, minute: int) -> None:
    it.replace(it.queue("ApproximateNumberOfMessagesVisible", DEAD), minute, 1)


def stand_still(it: World, minute: int) -> None:
    it.replace(it.queue("ApproximateAgeOfOldestMessage"), minute, 60 * (minute - BEGIN))


def poisoned_chunk(it: World, minute: int) -> None:
    it.day.put(it.fault(Function.WORKER), minute, [1])


def fail(share: float) -> Happens:
    def happens(it: World, minute: int) -> None:
        number = len(it.day.samples[it.api("Count")][minute])
        failed = max(1, round(share * number))
        it.replace(it.api("5XXError"), minute, *[1] * failed, *[0] * (number - failed))

    return happens


def meet_a_bug(it: World, minute: int) -> None:
    it.day.put(it.fault(Function.API), minute, [1])


def meet_a_new_bug(function: Function, name: str) -> Happens:
    return lambda it, minute: it.day.put(it.fault_of_new_version(function, name), minute, [1])


def fail_to_check_keys(it: World, minute: int) -> None:
    it.day.put(it.function("Errors", AUTHORIZER), minute, [1, 1])


def slow_down(share: float) -> Happens:
    def happens(it: World, minute: int) -> None:
        number = len(it.day.samples[it.api("Count")][minute])
        slow = max(1, round(share * number))
        it.replace(it.api("Latency"), minute, *[1500] * slow, *[120] * (number - slow))

    return happens


def refuse_calls(function: str) -> Happens:
    return lambda it, minute: it.day.put(it.function("Throttles", function), minute, [1, 1, 1])


def refuse(kind: str, index: str | None) -> Happens:
    part = {"GlobalSecondaryIndexName": index} if index else {}
    return lambda it, minute: it.day.put(it.table(f"{kind}ThrottleEvents", **part), minute, [1, 1, 1])


def crash_new(function: str, times: int) -> Happens:
    return lambda it, minute: it.day.put(it.new_version("Errors", function), minute, [1] * times)


SHIFT: Final = 5
"""The minutes of the canary: what is told later is told too late."""

INCIDENTS: Final = (
    Incident("dead", "one message is given up", give_up, 1),
    Incident("age", "nothing is worked off any more", stand_still, 19),
    Incident("worker-faults", "a chunk fails whenever it comes", poisoned_chunk, 19, every=6),
    Incident("5xx", "2 % of many requests fail", fail(0.02), 5, usual=300),
    Incident("5xx", "2 % of one request a minute fail", fail(0.02), 1, usual=1, every=50),
    Incident("api-faults", "one of many requests meets a bug", meet_a_bug, 1, usual=300, every=60),
    Incident("authorizer", "keys cannot be checked", fail_to_check_keys, 10),
    Incident("latency", "everything is slow", slow_down(1), 15),
    Incident("latency", "everything is slow at night", slow_down(1), 15, usual=1),
    Incident("latency", "a tenth of the requests is slow", slow_down(0.1), 15),
    Incident("throttled-functions", "the API is refused", refuse_calls("visits-prod"), 3),
    Incident("throttled-functions", "the authorizer is refused", refuse_calls(AUTHORIZER), 3),
    Incident("throttled-functions", "the worker is refused", refuse_calls(WORKER), 3),
    *(
        Incident("throttled-table", f"{kind} of {index or 'the table'} are refused", refuse(kind, index), 3)
        for kind in ("Read", "Write")
        for index in (None, "byProperty", "byMonth", "byAgent")
    ),
    Incident("release-api", "the new version cannot start", crash_new("visits-prod", 6), SHIFT),
    Incident(
        "release-faults",
        "a request meets a bug in the new version",
        meet_a_new_bug(Function.API, "visits-prod"),
        SHIFT,
        every=60,
    ),
    Incident("release-authorizer", "the new version cannot check keys", crash_new(AUTHORIZER, 1), SHIFT),
    # A tenth of the batches may be a single one in all the time of the shift.
    Incident("release-worker", "one batch crashes the new version", crash_new(WORKER, 1), SHIFT, every=60),
    Incident(
        "release-worker-faults",
        "the new version leaves one chunk",
        meet_a_new_bug(Function.WORKER, WORKER),
        SHIFT,
        every=60,
    ),
)
NAMES: Final = [alarm.name for alarm in (*watch.OPERATION, *(it for many in watch.RELEASE.values() for it in many))]


@pytest.fixture(scope="module")
def stack(packaged: Path) -> Stack:
    return app(packaged, "prod", **CANARY)


@pytest.fixture(scope="module")
def alarms(stack: Stack) -> dict[str, dict[str, Any]]:
    """The alarms of prod by what comes after the stage in their names."""
    every = of_type(stack, "AWS::CloudWatch::Alarm").values()
    return {alarm["AlarmName"].removeprefix("visits-prod-"): alarm for alarm in every}


@pytest.fixture(scope="module")
def versions(stack: Stack) -> dict[str, str]:
    return {alias["FunctionName"]: alias["FunctionVersion"] for alias in of_type(stack, "AWS::Lambda::Alias").values()}


def test_every_alarm_has_an_incident(alarms: dict[str, dict[str, Any]]) -> None:
    assert alarms.keys() == {incident.alarm for incident in INCIDENTS}
    assert sorted(alarms) == sorted(NAMES)


@pytest.mark.parametrize("usual", [1, 60, 300])
@pytest.mark.parametrize("name", NAMES)
def test_no_alarm_rings_on_a_busy_day(
    alarms: dict[str, dict[str, Any]], versions: dict[str, str], name: str, usual: int
) -> None:
    healthy = world(versions, usual)
    assert "ALARM" not in states(alarms[name], healthy.day, MINUTES)


@pytest.mark.parametrize(("late", "allowance"), [(0, 0), (2, 3)])
@pytest.mark.parametrize("incident", INCIDENTS, ids=lambda it: f"{it.alarm}: {it.what}")
def test_an_alarm_rings_in_time_and_stops_also_when_measurements_come_late(
    alarms: dict[str, dict[str, Any]], versions: dict[str, str], incident: Incident, late: int, allowance: int
) -> None:
    it = world(versions, incident.usual)
    for minute in range(BEGIN, END, incident.every):
        incident.happens(it, minute)
    said = states(alarms[incident.alarm], it.day, MINUTES, late)
    assert "ALARM" not in said[BURST[-1] : BEGIN]
    assert "ALARM" in said[BEGIN : BEGIN + incident.minutes + allowance]
    assert said[-1] == "OK"


def test_a_dead_letter_is_told_until_somebody_has_seen_to_it(
    alarms: dict[str, dict[str, Any]], versions: dict[str, str]
) -> None:
    """After six hours without a visitor SQS tells nothing of a queue; the letter lies there all the same."""
    it = world(versions)
    there = it.day.samples[it.queue("ApproximateNumberOfMessagesVisible", DEAD)]
    for minute in range(BEGIN, MINUTES):
        there[minute] = [1]
        if minute > BEGIN + 5:
            del there[minute]
    assert set(states(alarms["dead"], it.day, MINUTES)[BEGIN:]) == {"ALARM"}


def test_an_old_version_that_fails_does_not_hold_up_the_new_one(
    alarms: dict[str, dict[str, Any]], versions: dict[str, str]
) -> None:
    """Neither the fix nor the way back."""
    it = world(versions)
    for minute in range(BEGIN, END):
        fail(0.5)(it, minute)
        for faulty in Function:
            it.day.put(it.fault(faulty), minute, [1] * 30)
        for function in ("visits-prod", AUTHORIZER, WORKER):
            it.day.put(it.function("Errors", function), minute, [1, 1, 1])
    for name in (name for name in NAMES if name.startswith("release-")):
        assert "ALARM" not in states(alarms[name], it.day, MINUTES)


def test_the_committed_template_has_the_alarms_and_the_dashboard_as_generated() -> None:
    text = MERGE_TEMPLATE.read_text(encoding="utf-8")
    assert watch.written(text) == text, "run make policies"
