"""Chalice as its tutorial has it: `json_body`, errors of the framework, a table of boto3's resource."""

import json
import os
import uuid
from datetime import UTC, datetime

import boto3
from chalice import BadRequestError, Chalice, ConflictError, NotFoundError, Response

from chalicelib.rules import Invalid, validated
from chalicelib.visits import Refused, count_booking, new_visit, property_key, transaction, visit_key, visit_of

app = Chalice(app_name="visits")
app.log.setLevel("INFO")

TABLE = os.environ.get("TABLE_NAME", "")
STAGE = os.environ.get("STAGE", "")

_table = None


def table():
    global _table
    if _table is None:
        _table = boto3.resource("dynamodb").Table(TABLE)
    return _table


@app.route("/visits", methods=["POST"])
def book():
    try:
        wanted = validated(app.current_request.json_body)
    except Invalid as wrong:
        raise BadRequestError(str(wrong)) from None
    property = item(property_key(wanted["propertyId"]))
    client = table().meta.client
    try:
        visit = new_visit(wanted, property)
        client.transact_write_items(
            TransactItems=transaction(TABLE, visit, property["capacity"]), ClientRequestToken=str(uuid.uuid4())
        )
    except (Refused, client.exceptions.TransactionCanceledException):
        raise ConflictError("slot taken") from None
    log("booked", visit)
    count_booking(STAGE)
    return Response(visit, status_code=201, headers={"Location": f"/api/visits/{visit['id']}", "ETag": '"1"'})


@app.route("/visits/{visit_id}", methods=["GET"])
def read(visit_id):
    visit = visit_of(item(visit_key(visit_id)))
    log("read", visit)
    return Response(visit, headers={"ETag": f'"{visit["version"]}"'})


def item(key):
    found = table().get_item(Key=key, ConsistentRead=True)
    if "Item" not in found:
        raise NotFoundError("not found")
    return found["Item"]


def log(what, visit):
    request_id = app.current_request.context["requestId"]
    said = {"level": "INFO", "event": what, "requestId": request_id, "visitId": visit["id"]}
    app.log.info(json.dumps(said | {"propertyId": visit["propertyId"], "time": datetime.now(UTC).isoformat()}))
