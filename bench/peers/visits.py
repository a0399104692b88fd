"""What every peer stores and answers. They differ in how a request comes in and an answer goes out, and in no call.

Plain Python, copied into each peer's package. The items are those of `chalicelib.repositories.items`, written out.
"""

import hashlib
import json
import os
import time
import uuid
import zlib
from datetime import UTC, datetime, timedelta

FIVE_YEARS = timedelta(days=5 * 365)
TABLE = os.environ["TABLE_NAME"]
STAGE = os.environ["STAGE"]
KEYS = ("pk", "sk", "g1pk", "g1sk", "g2pk", "g2sk")
CONTACTS = {"email": ("g4pk", "E"), "phone": ("g5pk", "T")}
UNSHOWN = {*KEYS, *(key for key, _ in CONTACTS.values())}
"""Attributes that only the store is for."""


class Refused(Exception):
    """There is no such property or visit, or it takes none."""


def utc_text(instant):
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def book(wanted, get, transact):
    """Books through two functions: one reads an item by its key, one writes a transaction."""
    property = get({"pk": f"P#{wanted['propertyId']}", "sk": "P"})
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
    visit |= {"version": 1, "createdAt": now, "updatedAt": now}
    transact(TransactItems=members(visit, int(property["capacity"])), ClientRequestToken=str(uuid.uuid4()))
    return visit


def read(visit_id, get):
    visit = {name: value for name, value in get({"pk": f"V#{visit_id}", "sk": "V"}).items() if name not in UNSHOWN}
    return visit | {"durationMinutes": int(visit["durationMinutes"]), "version": int(visit["version"])}


def members(visit, capacity):
    """Of the transaction that books a visit: itself, and every quarter hour that it touches."""
    id, property_id, date = visit["id"], visit["propertyId"], visit["date"]
    sort = f"{date}#{id}"
    keys = (f"V#{id}", "V", f"P#{property_id}", sort, f"M#{date[:7]}#{zlib.crc32(id.encode()) % 4}", sort)
    item = dict(zip(KEYS, keys, strict=True)) | visit
    for kind, (key, letter) in CONTACTS.items():
        if contact := visit.get("visitor", {}).get(kind):
            item[key] = f"{letter}#{hashlib.sha256(contact.casefold().encode()).hexdigest()[:32]}"
    found = [{"Put": {"TableName": TABLE, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}}]
    start = datetime.fromisoformat(date)
    quarter = start.replace(minute=start.minute - start.minute % 15, second=0)
    while quarter < start + timedelta(minutes=visit["durationMinutes"]):
        expires = int((quarter + timedelta(days=30, minutes=15)).timestamp())
        slot = {
            "TableName": TABLE,
            "Key": {"pk": f"S#P#{property_id}#{quarter:%Y-%m}", "sk": f"{quarter:%dT%H:%M}"},
            "UpdateExpression": "SET #ttl = :ttl ADD holders :visit",
            "ConditionExpression": "attribute_not_exists(holders) OR size(holders) < :capacity",
            "ExpressionAttributeNames": {"#ttl": "ttl"},
            "ExpressionAttributeValues": {":ttl": expires, ":visit": {id}, ":capacity": capacity},
        }
        found.append({"Update": slot})
        quarter += timedelta(minutes=15)
    return found


def through(client):
    """Both over a client of boto3, which wants every value with its type."""

    def get(key):
        found = client.get_item(TableName=TABLE, Key=typed(key)["M"], ConsistentRead=True)
        if "Item" not in found:
            raise Refused
        return plain({"M": found["Item"]})

    def transact(**request):
        for part in (part for member in request["TransactItems"] for part in member.values()):
            for values in part.keys() & {"Item", "Key", "ExpressionAttributeValues"}:
                part[values] = typed(part[values])["M"]
        client.transact_write_items(**request)

    return get, transact


def typed(value):
    if isinstance(value, dict):
        return {"M": {name: typed(member) for name, member in value.items()}}
    if isinstance(value, set):
        return {"SS": list(value)}
    return {"S": value} if isinstance(value, str) else {"N": str(value)}


def plain(value):
    ((kind, content),) = value.items()
    if kind == "N":
        return int(content) if content.isdigit() else float(content)
    return {name: plain(member) for name, member in content.items()} if kind == "M" else content


def line(what, visit, request_id):
    """What is logged of a request."""
    said = {"level": "INFO", "event": what, "requestId": request_id, "visitId": visit["id"]}
    return json.dumps(said | {"propertyId": visit["propertyId"], "time": datetime.now(UTC).isoformat()})


def count_booking():
    """One metric in CloudWatch's embedded format, for those whose framework has none."""
    metric = {"Namespace": "Peers", "Dimensions": [["Stage"]], "Metrics": [{"Name": "VisitsBooked", "Unit": "Count"}]}
    head = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [metric]}
    print(json.dumps({"_aws": head, "Stage": STAGE, "VisitsBooked": 1}))


def headers(visit):
    return {"Location": f"/api/visits/{visit['id']}", "ETag": f'"{visit["version"]}"'}
