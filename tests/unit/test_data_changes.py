"""Which change of the data stack's template would take something away, and which release goes back."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from tools.deliver.data_changes import fingerprint, goes_back, refuse_losses, refuse_replacements, steps
from tools.deliver.data_stack import TEMPLATE
from tools.failure import CannotGoOn

Template = dict[str, Any]
Change = Callable[[Template], object]


def committed() -> Template:
    template: Template = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    return template


def changed(change: Change, version: int = 2, takes_away: tuple[str, ...] = ()) -> Template:
    template = copy.deepcopy(committed())
    change(template["Resources"])
    template["Metadata"] = {"Version": version, "TakesAway": list(takes_away)}
    return template


def table(resources: Template) -> Template:
    properties: Template = resources["Table"]["Properties"]
    return properties


def with_index(name: str) -> Change:
    index = {"IndexName": name, "KeySchema": [], "Projection": {"ProjectionType": "KEYS_ONLY"}}
    return lambda resources: table(resources)["GlobalSecondaryIndexes"].append(index)


def without_index(resources: Template) -> None:
    table(resources)["GlobalSecondaryIndexes"].pop()


def nothing(resources: Template) -> None:
    return None


def test_a_template_that_has_changed_has_a_new_version() -> None:
    """By the version a release knows whether it goes back."""
    template = committed()
    assert template["Metadata"]["Fingerprint"] == fingerprint(template), (
        "the resources of .chalice/data.json have changed: raise Metadata.Version by one, "
        f"set Metadata.Fingerprint to {fingerprint(template)}, empty Metadata.TakesAway or name what goes"
    )


TAKES: Final[dict[str, Change]] = {
    "QueuePolicy": lambda resources: resources.pop("QueuePolicy"),
    "Table.GlobalSecondaryIndexes.byPhone": without_index,
    "Table.GlobalSecondaryIndexes": lambda resources: table(resources).pop("GlobalSecondaryIndexes"),
    "Table.GlobalSecondaryIndexes.byAgent.Projection.ProjectionType": lambda resources: table(resources)[
        "GlobalSecondaryIndexes"
    ][2]["Projection"].update(ProjectionType="KEYS_ONLY"),
    "Table.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled": lambda resources: table(resources)[
        "PointInTimeRecoverySpecification"
    ].update(PointInTimeRecoveryEnabled=False),
    "Table.TimeToLiveSpecification": lambda resources: table(resources).pop("TimeToLiveSpecification"),
    # Another attribute would make other items expire.
    "Table.TimeToLiveSpecification.AttributeName": lambda resources: table(resources)["TimeToLiveSpecification"].update(
        AttributeName="expires"
    ),
    "Table.SSESpecification.SSEEnabled": lambda resources: table(resources)["SSESpecification"].update(
        SSEEnabled=False
    ),
    "Table.DeletionProtectionEnabled": lambda resources: table(resources).update(
        DeletionProtectionEnabled={"Fn::If": ["IsProduction", False, True]}
    ),
    "Table.TableName": lambda resources: table(resources).update(TableName="other"),
    "Table.KeySchema": lambda resources: table(resources)["KeySchema"].pop(),
    "Table.DeletionPolicy": lambda resources: resources["Table"].pop("DeletionPolicy"),
    "IntakeQueue.MessageRetentionPeriod": lambda resources: resources["IntakeQueue"]["Properties"].update(
        MessageRetentionPeriod=60
    ),
    "IntakeQueue.RedrivePolicy": lambda resources: resources["IntakeQueue"]["Properties"].pop("RedrivePolicy"),
    "QueuePolicy.PolicyDocument.Statement": lambda resources: resources["QueuePolicy"]["Properties"]["PolicyDocument"][
        "Statement"
    ].pop(),
}


@pytest.mark.parametrize("path", TAKES)
def test_what_takes_something_away_is_refused_by_name_unless_the_template_names_it(path: str) -> None:
    with pytest.raises(CannotGoOn, match=f"would lose {path.replace('.', '[.]')}, which live code may use"):
        refuse_losses(committed(), changed(TAKES[path]))
    refuse_losses(committed(), changed(TAKES[path], takes_away=(path,)))


def test_a_stream_that_ends_or_shows_less_is_refused() -> None:
    def streaming(kind: str) -> Template:
        return changed(lambda resources: table(resources).update(StreamSpecification={"StreamViewType": kind}))

    without = changed(lambda resources: table(resources).pop("StreamSpecification"))
    refuse_losses(without, committed())
    with pytest.raises(CannotGoOn, match=r"Table\.StreamSpecification,"):
        refuse_losses(committed(), without)
    with pytest.raises(CannotGoOn, match=r"Table\.StreamSpecification\.StreamViewType"):
        refuse_losses(streaming("NEW_AND_OLD_IMAGES"), streaming("KEYS_ONLY"))


ADDS: Final[dict[str, Change]] = {
    "nothing": nothing,
    "an index": with_index("byVisitor"),
    "a queue": lambda resources: resources.update(Notices={"Type": "AWS::SQS::Queue"}),
    "a longer time": lambda resources: resources["IntakeQueue"]["Properties"].update(VisibilityTimeout=720),
    "a statement": lambda resources: resources["QueuePolicy"]["Properties"]["PolicyDocument"]["Statement"].append({}),
    "other definitions": lambda resources: table(resources).update(AttributeDefinitions=[]),
}


@pytest.mark.parametrize("what", ADDS)
def test_what_only_adds_is_let_through(what: str) -> None:
    refuse_losses(committed(), changed(ADDS[what]))


@pytest.mark.parametrize(
    "change",
    [
        {"Action": "Remove"},
        {"Action": "Dynamic"},
        {"Action": "Modify", "Replacement": "True"},
        # Nobody knows before it is done.
        {"Action": "Modify", "Replacement": "Conditional"},
    ],
)
def test_what_cloudformation_would_remove_or_replace_is_refused_unless_it_is_named(change: dict[str, str]) -> None:
    changes = [{"Type": "Resource", "ResourceChange": {"LogicalResourceId": "Table", **change}}]
    with pytest.raises(CannotGoOn, match="would lose Table,"):
        refuse_replacements(changes, changed(nothing))
    refuse_replacements(changes, changed(nothing, takes_away=("Table",)))


@pytest.mark.parametrize(
    "change", [{"Action": "Add"}, {"Action": "Import"}, {"Action": "Modify", "Replacement": "False"}]
)
def test_what_cloudformation_adds_or_changes_in_place_is_let_through(change: dict[str, str]) -> None:
    refuse_replacements([{"ResourceChange": {"LogicalResourceId": "Table", **change}}], changed(nothing))


def test_new_indexes_are_deployed_one_at_a_time_with_the_attributes_of_their_keys_alone() -> None:
    wanted = committed()
    older = changed(without_index)
    without_index(older["Resources"])
    without, first, last = (table(step["Resources"]) for step in steps(older, wanted))
    assert [index["IndexName"] for index in without["GlobalSecondaryIndexes"]] == ["byProperty", "byMonth", "byAgent"]
    assert last == table(wanted["Resources"])
    assert [index["IndexName"] for index in first["GlobalSecondaryIndexes"]][3:] == ["byEmail"]
    assert [each["AttributeName"] for each in first["AttributeDefinitions"]][-2:] == ["g3sk", "g4pk"]
    assert steps(wanted, wanted) == [wanted]
    assert len(steps(changed(without_index), wanted)) == 2


def test_a_release_with_an_older_template_goes_back() -> None:
    newer = changed(with_index("byVisitor"), version=3)
    assert goes_back(deployed=newer, wanted=changed(nothing, version=2))
    assert not goes_back(deployed=newer, wanted=newer)
    assert not goes_back(deployed=changed(nothing, version=2), wanted=newer)


def test_a_stack_from_before_versions_were_counted_is_the_oldest() -> None:
    before = committed()
    del before["Metadata"]
    assert not goes_back(deployed=before, wanted=committed())


def test_nobody_goes_back_to_code_that_needs_what_is_gone() -> None:
    gone = changed(without_index, version=3, takes_away=("Table.GlobalSecondaryIndexes.byPhone",))
    with pytest.raises(CannotGoOn, match=r"This release needs Table\.GlobalSecondaryIndexes\.byPhone"):
        goes_back(deployed=gone, wanted=changed(nothing, version=2))
    # What no code asks for keeps nobody from going back.
    shorter = changed(TAKES["IntakeQueue.MessageRetentionPeriod"], version=3)
    assert goes_back(deployed=shorter, wanted=changed(nothing, version=2))
