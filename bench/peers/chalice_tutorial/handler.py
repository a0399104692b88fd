"""Chalice as its tutorial has it: `json_body`, errors of the framework, a table of boto3's resource."""

import functools

import boto3
import visits
from chalice import BadRequestError, Chalice, ConflictError, Response
from rules import Invalid, validated

app = handler = Chalice(app_name="visits")
app.log.setLevel("INFO")


@functools.cache
def table():
    return boto3.resource("dynamodb").Table(visits.TABLE)


@app.route("/visits", methods=["POST"])
def book():
    client = table().meta.client
    try:
        visit = visits.book(validated(app.current_request.json_body), item, client.transact_write_items)
    except Invalid as wrong:
        raise BadRequestError(str(wrong)) from None
    except (visits.Refused, client.exceptions.TransactionCanceledException):
        raise ConflictError("taken, or no visits allowed") from None
    visits.count_booking()
    return answer(201, "booked", visit)


@app.route("/visits/{visit_id}", methods=["GET"])
def read(visit_id):
    return answer(200, "read", visits.read(visit_id, item))


def item(key):
    return table().get_item(Key=key, ConsistentRead=True)["Item"]


def answer(status, what, visit):
    app.log.info(visits.line(what, visit, app.current_request.context["requestId"]))
    return Response(visit, status_code=status, headers=visits.headers(visit))
