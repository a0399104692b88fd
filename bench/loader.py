"""The least that a loader of rows could do, as a handler in our package: one conditional put after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import boto3

from bench.samples import VISIT
from chalicelib.domain.visits import BookVisit
from chalicelib.events.intake_queue import Sending, read_message
from chalicelib.repositories.table import serialized
from chalicelib.repositories.visits import visit_item

dynamodb = boto3.client("dynamodb")


def handler(event: dict[str, Any], context: object) -> None:
    for record in event["Records"]:
        for row in read_message(record["body"], Sending(record["messageId"], "bench", "0")).rows:
            assert isinstance(row.wish, BookVisit)
            wanted, visitor = row.wish, row.wish.visitor
            visit = replace(VISIT, id=str(uuid4()), property_id=wanted.property_id, date=wanted.date, visitor=visitor)
            item: Any = serialized(visit_item(visit))
            dynamodb.put_item(TableName="visits", Item=item, ConditionExpression="attribute_not_exists(pk)")
