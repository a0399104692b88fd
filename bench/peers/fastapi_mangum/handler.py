"""FastAPI behind Mangum: pydantic models in and out, the standard library's logging."""

import json
import logging
import os
import sys
import uuid

import boto3
from fastapi import FastAPI, HTTPException, Request, Response
from mangum import Mangum
from models import Booking, Visit
from visits import (
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


class JsonFormatter(logging.Formatter):
    def format(self, record):
        said = {"level": record.levelname, "event": record.getMessage(), "time": self.formatTime(record)}
        return json.dumps(said | record.facts)


logger = logging.getLogger("visits")
logger.setLevel(logging.INFO)
logger.propagate = False
logger.addHandler(logging.StreamHandler(sys.stdout))
logger.handlers[0].setFormatter(JsonFormatter())

app = FastAPI()
dynamodb = boto3.client("dynamodb")


@app.post("/visits", status_code=201, response_model_exclude_none=True)
def book(booking: Booking, request: Request, response: Response) -> Visit:
    property = item(property_key(booking.property_id))
    try:
        visit = new_visit(booking.model_dump(by_alias=True), property)
        dynamodb.transact_write_items(
            TransactItems=low_level_transaction(TABLE, visit, property["capacity"]),
            ClientRequestToken=str(uuid.uuid4()),
        )
    except (Refused, dynamodb.exceptions.TransactionCanceledException):
        raise HTTPException(409, "slot taken") from None
    log(request, "booked", visit)
    count_booking(STAGE)
    response.headers["Location"] = f"/api/visits/{visit['id']}"
    response.headers["ETag"] = '"1"'
    return Visit.model_validate(visit)


@app.get("/visits/{visit_id}", response_model_exclude_none=True)
def read(visit_id: str, request: Request, response: Response) -> Visit:
    visit = visit_of(item(visit_key(visit_id)))
    log(request, "read", visit)
    response.headers["ETag"] = f'"{visit["version"]}"'
    return Visit.model_validate(visit)


def item(key):
    key = {name: low_level(value) for name, value in key.items()}
    found = dynamodb.get_item(TableName=TABLE, Key=key, ConsistentRead=True)
    if "Item" not in found:
        raise HTTPException(404)
    return {name: plain(value) for name, value in found["Item"].items()}


def log(request, what, visit):
    request_id = request.scope["aws.event"]["requestContext"]["requestId"]
    facts = {"requestId": request_id, "visitId": visit["id"], "propertyId": visit["propertyId"]}
    logger.info(what, extra={"facts": facts})


handler = Mangum(app, lifespan="off")
