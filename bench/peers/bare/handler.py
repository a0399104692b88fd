"""A handler by hand over a boto3 client: every rule, every answer written out."""

import json
import os
import uuid
from datetime import UTC, datetime

import boto3
from rules import Invalid, validated
from visits import (
    NotFound,
    Refused,
    count_booking,
    low_level,
    low_level_transaction,
    new_visit,
    plain,
    property_key,
    visit_key,
    visit_of,
)

TABLE = os.environ["TABLE_NAME"]
STAGE = os.environ["STAGE"]

dynamodb = boto3.client("dynamodb")


def handler(event, context):
    route = (event["httpMethod"], event["resource"])
    try:
        if route == ("POST", "/visits"):
            visit = book(parsed(event["body"]))
            log(event, "booked", visit)
            count_booking(STAGE)
            return answer(201, visit, {"Location": f"/api/visits/{visit['id']}", "ETag": '"1"'})
        if route == ("GET", "/visits/{visit_id}"):
            visit = read(event["pathParameters"]["visit_id"])
            log(event, "read", visit)
            return answer(200, visit, {"ETag": f'"{visit["version"]}"'})
    except Invalid as wrong:
        return answer(422, {"message": str(wrong)})
    except NotFound:
        return answer(404, {"message": "not found"})
    except Refused:
        return answer(409, {"message": "no visits allowed"})
    except dynamodb.exceptions.TransactionCanceledException:
        return answer(409, {"message": "slot taken"})
    return answer(404, {"message": "no such route"})


def parsed(body):
    try:
        return validated(json.loads(body))
    except (TypeError, ValueError):
        raise Invalid("the body is not valid JSON") from None


def book(wanted):
    property = item(property_key(wanted["propertyId"]))
    visit = new_visit(wanted, property)
    dynamodb.transact_write_items(
        TransactItems=low_level_transaction(TABLE, visit, property["capacity"]),
        ClientRequestToken=str(uuid.uuid4()),
    )
    return visit


def read(visit_id):
    return visit_of(item(visit_key(visit_id)))


def item(key):
    key = {name: low_level(value) for name, value in key.items()}
    found = dynamodb.get_item(TableName=TABLE, Key=key, ConsistentRead=True)
    if "Item" not in found:
        raise NotFound
    return {name: plain(value) for name, value in found["Item"].items()}


def log(event, what, visit):
    request_id = event["requestContext"]["requestId"]
    said = {"level": "INFO", "event": what, "requestId": request_id, "visitId": visit["id"]}
    print(json.dumps(said | {"propertyId": visit["propertyId"], "time": datetime.now(UTC).isoformat()}))


def answer(status, body, headers=None):
    headers = {"Content-Type": "application/json", **(headers or {})}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}
