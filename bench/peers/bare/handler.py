"""A handler by hand over a boto3 client: every rule, every answer written out."""

import json

import boto3
from rules import Invalid, validated
from visits import Refused, book, count_booking, headers, line, read, through

dynamodb = boto3.client("dynamodb")
get, transact = through(dynamodb)


def handler(event, context):
    try:
        if (event["httpMethod"], event["resource"]) == ("POST", "/visits"):
            visit = book(validated(json.loads(event["body"])), get, transact)
            count_booking()
            return answer(201, "booked", visit, event)
        return answer(200, "read", read(event["pathParameters"]["visit_id"], get), event)
    except (Invalid, json.JSONDecodeError) as wrong:
        return {"statusCode": 422, "headers": {}, "body": json.dumps({"message": str(wrong)})}
    except (Refused, dynamodb.exceptions.TransactionCanceledException):
        return {"statusCode": 409, "headers": {}, "body": json.dumps({"message": "taken, or no visits allowed"})}


def answer(status, what, visit, event):
    print(line(what, visit, event["requestContext"]["requestId"]))
    told = {"Content-Type": "application/json", **headers(visit)}
    return {"statusCode": status, "headers": told, "body": json.dumps(visit)}
