"""Powertools for AWS Lambda: its REST resolver with validation, its Logger and its Metrics."""

import boto3
import visits
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response, content_types
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from models import Booking, Visit

app = APIGatewayRestResolver(enable_validation=True)
logger = Logger(service="visits")
metrics = Metrics(namespace="Peers", service="visits")
metrics.set_default_dimensions(Stage=visits.STAGE)
dynamodb = boto3.client("dynamodb")
get, transact = visits.through(dynamodb)


@app.post("/visits")
def book(booking: Booking) -> Response[Visit]:
    visit = visits.book(booking.model_dump(by_alias=True), get, transact)
    metrics.add_metric(name="VisitsBooked", unit=MetricUnit.Count, value=1)
    return answered("booked", 201, visit)


@app.get("/visits/<visit_id>")
def read(visit_id: str) -> Response[Visit]:
    return answered("read", 200, visits.read(visit_id, get))


def answered(what, status, visit):
    logger.info(what, visitId=visit["id"], propertyId=visit["propertyId"])
    return Response(status, content_types.APPLICATION_JSON, Visit.model_validate(visit), headers=visits.headers(visit))


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
@metrics.log_metrics
def handler(event, context):
    return app.resolve(event, context)
