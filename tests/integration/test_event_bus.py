"""The event bus over the embedded EventBridge, with the client that ships: what a rule hands on is the event."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3

from chalicelib.api.events import detail_of
from chalicelib.aws.clients import client
from chalicelib.domain.events import of_visit
from chalicelib.repositories.event_bus import EventBridge
from tests.builders import a_visit

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable


def test_a_rule_of_the_bus_gets_each_event(table: FreshTable) -> None:
    make: Any = boto3.client
    bridge, sqs = make("events", **table.access), make("sqs", **table.access)
    url = sqs.create_queue(QueueName="from-the-bus")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bridge.create_event_bus(Name="agency")
    pattern = {"source": ["visits"], "detail-type": ["visit.booked"]}
    bridge.put_rule(Name="all", EventBusName="agency", EventPattern=json.dumps(pattern))
    bridge.put_targets(Rule="all", EventBusName="agency", Targets=[{"Id": "queue", "Arn": arn}])
    events = [of_visit(None, replace(a_visit(), id=f"v{n}")) for n in range(12)]
    told = [(event, detail_of(event)) for event in events if event is not None]

    assert EventBridge(lambda: client("events", **table.access), "agency").put(told) == []

    got: list[dict[str, Any]] = []
    while len(got) < len(told):
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20)["Messages"]
        got += [json.loads(message["Body"]) for message in messages]
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert {each["detail"]["id"] for each in got} == {event.id for event, _ in told}
    assert {each["detail-type"] for each in got} == {"visit.booked"}
    assert [each["detail"] for each in got if each["detail"]["id"] == "v3.1"] == [json.loads(told[3][1])]
