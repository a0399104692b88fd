"""Powertools for AWS Lambda: its REST resolver with validation, its Logger and its Metrics."""

import os
import uuid

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response, content_types
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from models import Booking, Visit
from visits import (
    NotFound,
    Refused,
    low_level,
    low_level_transaction,
    new_visit,
    plain,
    property_key,
    visit_key,
    visit_of,
)

TABLE = os.environ["TABLE_NAME"]

app = APIGatewayRestResolver(enable_validation=True)
logger = Logger(service="visits")
metrics = Metrics(namespace="Peers", service="visits")
metrics.set_default_dimensions(Stage=os.environ["STAGE"])
dynamodb = boto3.client("dynamodb")


@app.post("/visits")
def book(booking: Booking) -> Response[Visit]:
    property = item(property_key(booking.property_id))
    visit = new_visit(booking.model_dump(by_alias=True), property)
    dynamodb.transact_write_items(
        TransactItems=low_level_transaction(TABLE, visit, property["capacity"]),
        ClientRequestToken=str(uuid.uuid4()),
    )
    logger.info("booked", visitId=visit["id"], propertyId=visit["propertyId"])
    metrics.add_metric(name="VisitsBooked", unit=MetricUnit.Count, value=1)
    return Response(
        201,
        content_types.APPLICATION_JSON,
        Visit.model_validate(visit),
        headers={"Location": f"/api/visits/{visit['id']}", "ETag": '"1"'},
    )


@app.get("/visits/<visit_id>")
def read(visit_id: str) -> Response[Visit]:
    visit = visit_of(item(visit_key(visit_id)))
    logger.info("read", visitId=visit["id"], propertyId=visit["propertyId"])
    return Response(
        200, content_types.APPLICATION_JSON, Visit.model_validate(visit), headers={"ETag": f'"{visit["version"]}"'}
    )


def item(key):
    key = {name: low_level(value) for name, value in key.items()}
    found = dynamodb.get_item(TableName=TABLE, Key=key, ConsistentRead=True)
    if "Item" not in found:
        raise NotFound
    return {name: plain(value) for name, value in found["Item"].items()}


@app.exception_handler(NotFound)
def not_found(_):
    raise NotFoundError


@app.exception_handler([Refused, dynamodb.exceptions.TransactionCanceledException])
def conflict(_):
    return Response(409, content_types.APPLICATION_JSON, {"message": "slot taken"})


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
@metrics.log_metrics
def handler(event, context):
    return app.resolve(event, context)
