"""Alarms and dashboard: what they look at exists, whatever can fail is looked at, and who is told, and when."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args

import pytest

from chalicelib.domain.intakes import Result
from chalicelib.functions import FUNCTIONS, Function
from chalicelib.journal import METRICS, NAMESPACE
from tests.cicd.physical import Stack
from tests.cicd.stacks import CANARY, app, data, of_type
from tools import costs
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
        {"Invocations", "Errors", "Throttles", "Duration", "ConcurrentExecutions", "IteratorAge"},
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

Series = tuple[str, str, frozenset[tuple[str, str]]]
"""Namespace, name and dimensions: what tells one metric from another. Fewer dimensions are another metric."""

Alarms = Mapping[str, Mapping[str, Any]]

SHIFTED: Final = [function for function, traits in FUNCTIONS.items() if traits.shifted]

SHIFT_SECONDS: Final = 300
"""Of the canary: what is told later is told too late."""
SOON_SECONDS: Final = 20 * 60
"""So soon a person must be told of anything."""


def series(namespace: str, name: str, dimensions: Mapping[str, str]) -> Series:
    return namespace, name, frozenset(dimensions.items())


def watched(alarm: Mapping[str, Any]) -> dict[Series, tuple[str, int]]:
    """The series that an alarm looks at; the statistic that it makes of each, and of how many seconds."""
    if "Metrics" not in alarm:
        return {_series(alarm): (alarm.get("Statistic") or alarm["ExtendedStatistic"], alarm["Period"])}
    stats = [metric["MetricStat"] for metric in alarm["Metrics"] if "MetricStat" in metric]
    return {_series(stat["Metric"]): (stat["Stat"], stat["Period"]) for stat in stats}


def _series(metric: Mapping[str, Any]) -> Series:
    return series(
        metric["Namespace"], metric["MetricName"], {each["Name"]: each["Value"] for each in metric["Dimensions"]}
    )


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
        looked_at += [(alarm["AlarmName"], what) for what in watched(alarm)]
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


def test_the_runbook_begins_with_all_alarms_and_the_bill_counts_what_they_look_at(alarms: Alarms) -> None:
    table, _, _ = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8").partition("## ")
    shown = re.findall(r"`visits-STAGE-([\w*-]+)`", table)
    assert shown == [*(alarm.name for alarm in watch.OPERATION), "release-*"]
    assert sum(len(watched(alarm)) for alarm in alarms.values()) == costs.ALARMED


# What can fail


@pytest.fixture(scope="module")
def stack(packaged: Path) -> Stack:
    return app(packaged, "prod", **CANARY)


@pytest.fixture(scope="module")
def alarms(stack: Stack) -> Alarms:
    """The alarms of prod by what comes after the stage in their names."""
    every = of_type(stack, "AWS::CloudWatch::Alarm").values()
    return {alarm["AlarmName"].removeprefix("visits-prod-"): alarm for alarm in every}


def watching(alarms: Alarms, *what: Series, release: bool = False) -> set[str]:
    """The alarms, of the operation or of a release, that look at one of these."""
    return {
        name
        for name, alarm in alarms.items()
        if name.startswith("release-") == release and watched(alarm).keys() & set(what)
    }


@pytest.mark.parametrize("function", Function)
def test_every_function_is_watched_for_failures_and_refusals(stack: Stack, alarms: Alarms, function: Function) -> None:
    name = {"FunctionName": stack.properties(FUNCTIONS[function].template_name)["FunctionName"]}
    faults = series(NAMESPACE, "Faults", {"Stage": "prod", "Function": function})
    assert watching(alarms, series("AWS/Lambda", "Errors", name), faults), "nobody is told that it fails"
    assert watching(alarms, series("AWS/Lambda", "Throttles", name)), "nobody is told that it is refused"


@pytest.mark.parametrize("function", SHIFTED)
def test_the_new_version_of_every_function_that_is_shifted_is_watched_and_never_the_one_before(
    stack: Stack, alarms: Alarms, function: Function
) -> None:
    """A version before that fails must hold up neither the fix nor the way back."""
    properties = stack.properties(FUNCTIONS[function].template_name)
    (alias,) = (
        each
        for each in of_type(stack, "AWS::Lambda::Alias").values()
        if each["FunctionName"] == properties["FunctionName"]
    )
    version = {"Resource": f"{alias['FunctionName']}:{alias['Name']}", "ExecutedVersion": alias["FunctionVersion"]}
    crashes = series("AWS/Lambda", "Errors", {"FunctionName": alias["FunctionName"]} | version)
    assert watching(alarms, crashes, release=True), "it would be released although it crashes"
    for name in (name for name in alarms if name.startswith("release-")):
        for _, _, dimensions in watched(alarms[name]):
            assert {"ExecutedVersion", "Version"} & dict(dimensions).keys(), f"{name} looks at any version"


def test_every_queue_is_watched_for_what_waits_and_what_was_given_up(packaged: Path, alarms: Alarms) -> None:
    queues = of_type(data(packaged, "prod"), "AWS::SQS::Queue").values()
    assert len(queues) > 1
    for queue in queues:
        # What is put off until its receiver answers is old, and nobody's fault: it ends as a webhook that is disabled.
        if queue["QueueName"].endswith("-webhooks.fifo"):
            continue
        metric = "ApproximateAgeOfOldestMessage" if "RedrivePolicy" in queue else "ApproximateNumberOfMessagesVisible"
        assert watching(alarms, series("AWS/SQS", metric, {"QueueName": queue["QueueName"]})), queue["QueueName"]


def test_the_table_and_every_index_are_watched_for_refusals(packaged: Path, alarms: Alarms) -> None:
    (table,) = of_type(data(packaged, "prod"), "AWS::DynamoDB::Table").values()
    indexes = [{"GlobalSecondaryIndexName": index["IndexName"]} for index in table["GlobalSecondaryIndexes"]]
    for metric in ("ReadThrottleEvents", "WriteThrottleEvents"):
        for part in ({}, *indexes):
            what = series("AWS/DynamoDB", metric, {"TableName": table["TableName"]} | part)
            assert watching(alarms, what), (metric, part)


# When it is told


def test_every_alarm_rings_in_time(alarms: Alarms) -> None:
    for name, alarm in alarms.items():
        operator = "LessThanThreshold" if name == "remind-silent" else "GreaterThanThreshold"
        assert alarm["ComparisonOperator"] == operator, name
        assert 1 <= alarm["DatapointsToAlarm"] <= alarm["EvaluationPeriods"], name
        (seconds,) = {seconds for _, seconds in watched(alarm).values()}
        if name.startswith("release-"):
            # One batch of ten, in a canary of minutes, may be the only one that the new version gets.
            assert (alarm["DatapointsToAlarm"], alarm["Threshold"]) == (1, 0), name
            assert seconds * alarm["EvaluationPeriods"] < SHIFT_SECONDS, name
        else:
            assert seconds * alarm["EvaluationPeriods"] <= SOON_SECONDS, name


def test_what_happens_once_on_any_busy_day_does_not_ring(alarms: Alarms) -> None:
    """A table follows a growing load in a minute or two; Lambda starts instances; a chunk may fail once."""
    for name, alarm in alarms.items():
        metrics = {metric for _, metric, _ in watched(alarm)}
        nervous = metrics & {"Throttles", "ReadThrottleEvents", "WriteThrottleEvents", "Latency"}
        if nervous or name in ("worker-faults", "authorizer", "age"):
            assert alarm["DatapointsToAlarm"] >= 2, name


def test_failures_are_judged_by_what_they_mean_to_callers(alarms: Alarms) -> None:
    """Of the metric 5XXError, one or nothing for each request, the average is the rate."""
    expected = {
        "5xx": ("Average", 0.01),
        "latency": ("p95", 1000),
        "age": ("Maximum", 900),
        "dead": ("Maximum", 0),
        "relay-behind": ("Maximum", 300_000),
        "webhooks-dead": ("Maximum", 0),
        "notices-age": ("Maximum", 900),
        "notices-dead": ("Maximum", 0),
        "sheets-dead": ("Maximum", 0),
        "sheets-age": ("Maximum", 1800),
        "remind-silent": ("Sum", 1),
    }
    for name, (statistic, above) in expected.items():
        ((found, _),) = watched(alarms[name]).values()
        assert (found, alarms[name]["Threshold"]) == (statistic, above), name
    for name in alarms.keys() - expected.keys():
        assert alarms[name]["Threshold"] == 0, f"{name} counts what should not be at all"
        assert {statistic for statistic, _ in watched(alarms[name]).values()} == {"Sum"}, name


def test_silence_is_good_but_for_a_queue_and_for_what_comes_every_minute(alarms: Alarms) -> None:
    """After six hours without a visitor SQS tells nothing of a queue; a dead letter lies there all the same."""
    for name, alarm in alarms.items():
        of_queue = {namespace for namespace, _, _ in watched(alarm)} == {"AWS/SQS"}
        silence = "breaching" if name == "remind-silent" else "ignore" if of_queue else "notBreaching"
        assert alarm["TreatMissingData"] == silence, name


def test_an_alarm_over_several_metrics_adds_up_what_there_is(alarms: Alarms) -> None:
    """Most of them have no data at all; those must not take the others' along."""
    summed = [alarm for alarm in alarms.values() if "Metrics" in alarm]
    assert summed
    for alarm in summed:
        shown = [metric for metric in alarm["Metrics"] if metric.get("ReturnData", True)]
        assert [metric.get("Expression") for metric in shown] == ["SUM(FILL(METRICS(), 0))"]


def test_codedeploy_asks_the_release_alarms_of_each_function(stack: Stack, alarms: Alarms) -> None:
    groups = of_type(stack, "AWS::CodeDeploy::DeploymentGroup").values()
    asked = [alarm["Name"] for group in groups for alarm in group["AlarmConfiguration"]["Alarms"]]
    assert sorted(asked) == sorted(f"visits-prod-{name}" for name in alarms if name.startswith("release-"))
    assert len(groups) == len(SHIFTED)


def test_the_committed_template_has_the_alarms_and_the_dashboard_as_generated() -> None:
    text = MERGE_TEMPLATE.read_text(encoding="utf-8")
    assert watch.written(text) == text, "run make policies"
