"""What every peer stores and answers. They differ in how a request comes in and an answer goes out, and in no call.

Plain Python without a library; it is copied into each peer's package. The items are those of
`chalicelib.repositories.items`, written out.
"""

import json
import time
import uuid
import zlib
from datetime import UTC, datetime, timedelta

QUARTER = timedelta(minutes=15)
FIVE_YEARS = timedelta(days=5 * 365)


class NotFound(Exception):
    """There is no such property or visit."""


class Refused(Exception):
    """The property takes no visits."""


def utc_text(instant):
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def property_key(property_id):
    return {"pk": f"P#{property_id}", "sk": "P"}


def visit_key(visit_id):
    return {"pk": f"V#{visit_id}", "sk": "V"}


def new_visit(wanted, property):
    """The visit that is wanted, `date` an aware datetime, at this property; raises Refused."""
    if not property["visitsAllowed"]:
        raise Refused
    now = utc_text(datetime.now(UTC))
    visit = {
        "id": str(uuid.uuid4()),
        "propertyId": wanted["propertyId"],
        "date": utc_text(wanted["date"]),
        "durationMinutes": wanted.get("durationMinutes") or 30,
        "timeZone": property["timeZone"],
        "place": wanted.get("place") or property["address"],
        "status": "confirmed",
    }
    if wanted.get("visitor"):
        visit["visitor"] = {name: value for name, value in wanted["visitor"].items() if value is not None}
    return visit | {"version": 1, "createdAt": now, "updatedAt": now}


def transaction(table, visit, capacity):
    """The members of the transaction that books a visit: itself, and every quarter hour that it touches."""
    id, property_id, date = visit["id"], visit["propertyId"], visit["date"]
    keys = visit_key(id) | {
        "g1pk": f"P#{property_id}",
        "g1sk": f"{date}#{id}",
        "g2pk": f"M#{date[:7]}#{zlib.crc32(id.encode()) % 4}",
        "g2sk": f"{date}#{id}",
    }
    put = {"TableName": table, "Item": keys | visit, "ConditionExpression": "attribute_not_exists(pk)"}
    members = [{"Put": put}]
    start = datetime.fromisoformat(date)
    quarter = start.replace(minute=start.minute - start.minute % 15, second=0)
    while quarter < start + timedelta(minutes=visit["durationMinutes"]):
        slot = {
            "TableName": table,
            "Key": {"pk": f"S#P#{property_id}#{quarter:%Y-%m-%d}", "sk": f"{quarter:%H:%M}"},
            "UpdateExpression": "SET #ttl = :ttl ADD holders :visit",
            "ConditionExpression": "attribute_not_exists(holders) OR size(holders) < :capacity",
            "ExpressionAttributeNames": {"#ttl": "ttl"},
            "ExpressionAttributeValues": {
                ":ttl": int((quarter + QUARTER + timedelta(days=30)).timestamp()),
                ":visit": {id},
                ":capacity": int(capacity),
            },
        }
        members.append({"Update": slot})
        quarter += QUARTER
    return members


def visit_of(item):
    """A visit as it is answered, from its item in plain Python."""
    hidden = ("pk", "sk", "g1pk", "g1sk", "g2pk", "g2sk")
    visit = {name: value for name, value in item.items() if name not in hidden}
    return visit | {"durationMinutes": int(visit["durationMinutes"]), "version": int(visit["version"])}


def low_level(value):
    """A Python value as DynamoDB's client wants it."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, set):
        return {"SS": list(value)}
    return {"M": {name: low_level(member) for name, member in value.items()}}


def plain(value):
    """The reverse."""
    ((kind, content),) = value.items()
    if kind == "N":
        return int(content) if content.isdigit() else float(content)
    if kind == "M":
        return {name: plain(member) for name, member in content.items()}
    return content


def low_level_transaction(table, visit, capacity):
    members = transaction(table, visit, capacity)
    for member in members:
        for request in member.values():
            for values in ("Item", "Key", "ExpressionAttributeValues"):
                if values in request:
                    request[values] = {name: low_level(value) for name, value in request[values].items()}
    return members


def count_booking(stage):
    """One metric in CloudWatch's embedded format, for those whose framework has none."""
    metric = {"Namespace": "Peers", "Dimensions": [["Stage"]], "Metrics": [{"Name": "VisitsBooked", "Unit": "Count"}]}
    head = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [metric]}
    print(json.dumps({"_aws": head, "Stage": stage, "VisitsBooked": 1}))
