"""When properties may be visited, as items beside their properties; one public method is one call to DynamoDB.

The item sorts right behind its property's, and before nothing that is not small: a query of the two never reads the
pieces of a calendar feed, which lie in the same partition.
"""

from __future__ import annotations

from datetime import date

from chalicelib.domain.availability import WEEKDAYS, Availability, Dates, Hours, Opening, Rules
from chalicelib.domain.errors import PropertyNotFound, VersionMismatch
from chalicelib.domain.premises import Premises
from chalicelib.repositories.items import Item, Key, loaded, present, stored
from chalicelib.repositories.properties import property_key, property_of
from chalicelib.repositories.table import ConditionsFailed, Table, Write


def availability_key(property_id: str) -> Key:
    return {"pk": f"P#{property_id}", "sk": "P#A"}


def hours_attributes(hours: Hours) -> Item:
    """Hours as attributes, for whatever has them."""
    weekly = None
    if hours.weekly is not None:
        weekly = {day: _openings(open) for day, open in zip(WEEKDAYS, hours.weekly, strict=True) if open}
    dates = [
        {"from": dates.first.isoformat(), "to": dates.last.isoformat(), "open": _openings(dates.open)}
        for dates in hours.dates
    ]
    return present({"weekly": weekly, "dates": dates})


def hours_of(item: Item) -> Hours:
    weekly = None
    if "weekly" in item:
        weekly = tuple(_openings_of(item["weekly"].get(day, [])) for day in WEEKDAYS)
    return Hours(
        weekly,
        tuple(
            Dates(date.fromisoformat(d["from"]), date.fromisoformat(d["to"]), _openings_of(d["open"]))
            for d in item["dates"]
        ),
    )


def _openings(openings: tuple[Opening, ...]) -> list[str]:
    """As 540-720: short, since the whole of it is read with every booking."""
    return [f"{opening.opens}-{opening.closes}" for opening in openings]


def _openings_of(texts: list[str]) -> tuple[Opening, ...]:
    return tuple(Opening(*map(int, text.split("-"))) for text in texts)


def availability_item(availability: Availability) -> Item:
    rules = availability.rules
    item: Item = {
        **availability_key(availability.property_id),
        **hours_attributes(rules.hours),
        "propertyId": availability.property_id,
        "stepMinutes": rules.step_minutes,
        "noticeMinutes": rules.notice_minutes,
        "horizonDays": rules.horizon_days,
        "gapMinutes": rules.gap_minutes,
        "version": availability.version,
        "createdAt": stored(availability.created_at),
        "updatedAt": stored(availability.updated_at),
    }
    return present(item)


def availability_of(item: Item) -> Availability:
    return Availability(
        property_id=item["propertyId"],
        rules=Rules(
            hours=hours_of(item),
            step_minutes=int(item["stepMinutes"]),
            notice_minutes=int(item["noticeMinutes"]),
            horizon_days=int(item["horizonDays"]) if "horizonDays" in item else None,
            gap_minutes=int(item["gapMinutes"]),
        ),
        version=int(item["version"]),
        created_at=loaded(item["createdAt"]),
        updated_at=loaded(item["updatedAt"]),
    )


class DynamoAvailability:
    def __init__(self, table: Table) -> None:
        self._table = table

    def premises(self, property_id: str) -> Premises:
        """One strongly consistent query: 1 read unit, or more for rules with hundreds of dates."""
        own, beside = property_key(property_id), availability_key(property_id)
        found = {item["sk"]: item for item in self._table.query(own["pk"], own["sk"], beside["sk"])}
        if own["sk"] not in found:
            raise PropertyNotFound(property_id)
        rules = found.get(beside["sk"])
        return Premises(property_of(found[own["sk"]]), availability_of(rules) if rules is not None else None)

    def add(self, availability: Availability) -> None:
        """1 write unit a kilobyte."""
        self._put(availability, "attribute_not_exists(pk)", {})

    def save(self, before: Availability, after: Availability) -> None:
        """1 write unit a kilobyte."""
        self._put(after, "version = :before", {":before": before.version})

    def _put(self, availability: Availability, condition: str, values: Item) -> None:
        put = Write(
            key=availability_key(availability.property_id),
            item=availability_item(availability),
            condition=condition,
            values=values,
        )
        try:
            self._table.put(put)
        except ConditionsFailed as failed:
            raise VersionMismatch from failed
