"""The shape of the table: keys, attribute names, and domain objects to items and back. Nothing else knows them.

item         pk / sk                          byProperty          byMonth             byAgent
property     P#id / P                                             PS#shard / id
visit        V#id / V                         P#pid / start#vid   M#yyyy-mm#shard / start#vid   A#agent / start#vid
slot         S#P#pid#day / HH:MM, S#A#agent#day / HH:MM
calendar     P#id / T, P#id / F#nn
intake       N#id / N
chunk        N#id / C#number
outcomes     N#id / O#number#writer
idempotency  I#hash / I
API key      K#id / K                                             KS / name#createdAt#id
signing keys K#:signing / K
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from chalicelib.domain.api_keys import ApiKey, Scope
from chalicelib.domain.calendars import KEPT, Kept, Rendering, Shared
from chalicelib.domain.idempotency import IdempotencyRecord
from chalicelib.domain.intakes import RESULTS, ChunkSummary, Manifest, RowOutcome
from chalicelib.domain.listing import Window
from chalicelib.domain.properties import Property, PropertyDetails
from chalicelib.domain.signing_keys import Keyring, Signature
from chalicelib.domain.slots import QUARTER
from chalicelib.domain.visits import Cancellation, Origin, Status, Visit, Visitor

Item = dict[str, Any]
"""An item in plain Python; `table` puts it into DynamoDB's own form and back."""

Key = dict[str, str]

BY_PROPERTY: Final = "byProperty"
BY_MONTH: Final = "byMonth"
BY_AGENT: Final = "byAgent"

PARTITION_KEYS: Final[Mapping[str, str]] = {BY_PROPERTY: "g1pk", BY_MONTH: "g2pk", BY_AGENT: "g3pk"}
SORT_KEYS: Final[Mapping[str, str]] = {BY_PROPERTY: "g1sk", BY_MONTH: "g2sk", BY_AGENT: "g3sk"}

SHARDS: Final = 4
"""Partitions that a month, and the list of properties, is spread over: each takes 1,000 writes a second."""

SLOT_KEPT: Final = timedelta(days=30)

WRITTEN_BY: Final = "writtenBy"
"""Names the call that put an item, so that a call knows its own work again when the answer was lost."""

LAST: Final = "\x7f"
"""Sorts after everything that an id or an instant is made of."""


def stored(instant: datetime) -> str:
    """An instant as it is in an item; in the order of time."""
    # Not strftime: it writes the year 999 with three digits, which sorts after 2027.
    return instant.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _loaded(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _shard(id: str) -> int:
    return zlib.crc32(id.encode()) % SHARDS


def _present(item: Item) -> Item:
    return {name: value for name, value in item.items() if value is not None}


def _signature_attributes(signature: Signature) -> Item:
    return {"keyId": signature.key_id, "fingerprint": signature.value}


def _signature(item: Item) -> Signature:
    return Signature(item["keyId"], bytes(item["fingerprint"]))


# Properties


def property_key(property_id: str) -> Key:
    return {"pk": f"P#{property_id}", "sk": "P"}


def property_shards() -> tuple[str, ...]:
    return tuple(f"PS#{shard}" for shard in range(SHARDS))


def property_item(property: Property) -> Item:
    details = property.details
    item: Item = {
        **property_key(property.id),
        "g2pk": f"PS#{_shard(property.id)}",
        "g2sk": property.id,
        "id": property.id,
        "name": details.name,
        "address": details.address,
        "price": details.price,
        "currency": details.currency,
        "timeZone": details.time_zone,
        "capacity": details.capacity,
        "visitsAllowed": details.visits_allowed,
        "version": property.version,
        "createdAt": stored(property.created_at),
        "updatedAt": stored(property.updated_at),
    }
    return _present(item)


def property_of(item: Item) -> Property:
    return Property(
        id=item["id"],
        details=PropertyDetails(
            name=item["name"],
            address=item["address"],
            price=Decimal(item["price"]) if "price" in item else None,
            currency=item.get("currency"),
            time_zone=item["timeZone"],
            capacity=int(item["capacity"]),
            visits_allowed=item["visitsAllowed"],
        ),
        version=int(item["version"]),
        created_at=_loaded(item["createdAt"]),
        updated_at=_loaded(item["updatedAt"]),
    )


def calendar_token_key(property_id: str) -> Key:
    return {"pk": f"P#{property_id}", "sk": "T"}


def calendar_token_item(property_id: str, token_hash: bytes, now: datetime) -> Item:
    return {**calendar_token_key(property_id), "secretHash": token_hash, "createdAt": stored(now)}


def shared_feed_of(item: Item) -> Shared | None:
    """None once the token is withdrawn."""
    if "secretHash" not in item:
        return None
    kept = None
    if "feedTag" in item:
        kept = Kept(item["feedTag"], _loaded(item["feedAsOf"]), _loaded(item["feedUntil"]))
    return Shared(bytes(item["secretHash"]), kept)


FEED_PIECES: Final = ("F#", "F#~")
"""The sort keys between which the pieces of a kept rendering lie."""

MOST_BYTES_OF_PIECE: Final = 350_000
"""An item may have 400 KB."""


def feed_pieces(property_id: str, rendering: Rendering) -> list[Item]:
    packed = zlib.compress(rendering.content)
    pieces = [packed[start : start + MOST_BYTES_OF_PIECE] for start in range(0, len(packed), MOST_BYTES_OF_PIECE)]
    return [
        {
            "pk": f"P#{property_id}",
            "sk": f"F#{number:02}",
            "feedTag": rendering.tag,
            "feedAsOf": stored(rendering.as_of),
            "pieces": len(pieces),
            "packed": piece,
            "ttl": int((rendering.as_of + KEPT).timestamp()),
        }
        for number, piece in enumerate(pieces)
    ]


def feed_content_of(pieces: Sequence[Item], tag: str) -> bytes | None:
    """The content with this tag, unless a piece of it is missing. Others may be left of a longer one before it."""
    wanted = [piece for piece in pieces if piece.get("feedTag") == tag]
    if not wanted or len(wanted) != int(wanted[0]["pieces"]):
        return None
    return zlib.decompress(b"".join(bytes(piece["packed"]) for piece in wanted))


# Visits


def visit_key(visit_id: str) -> Key:
    return {"pk": f"V#{visit_id}", "sk": "V"}


def visits_of_property(property_id: str) -> str:
    return f"P#{property_id}"


def visits_of_agent(agent_id: str) -> str:
    return f"A#{agent_id}"


def month_shards(month: str) -> tuple[str, ...]:
    return tuple(f"M#{month}#{shard}" for shard in range(SHARDS))


def window_bounds(window: Window) -> tuple[str, str]:
    """The sort keys between which the window's visits lie; at its end, which is not part of it, lies none."""
    return stored(window.start), stored(window.end)


def months_between(low: str, high: str) -> Iterator[str]:
    """Every yyyy-mm that a range of visits' sort keys touches, in order."""
    first, last = (int(bound[:4]) * 12 + int(bound[5:7]) - 1 for bound in (low, high))
    for month in range(first, last + 1):
        yield f"{month // 12:04d}-{month % 12 + 1:02d}"


def visit_item(visit: Visit) -> Item:
    position = f"{stored(visit.date)}#{visit.id}"
    item: Item = {
        **visit_key(visit.id),
        "g1pk": visits_of_property(visit.property_id),
        "g1sk": position,
        "g2pk": f"M#{stored(visit.date)[:7]}#{_shard(visit.id)}",
        "g2sk": position,
        "id": visit.id,
        "propertyId": visit.property_id,
        "date": stored(visit.date),
        "durationMinutes": visit.duration_minutes,
        "timeZone": visit.time_zone,
        "place": visit.place,
        "atAddress": visit.at_address or None,
        "status": str(visit.status),
        "agentId": visit.agent_id,
        "notes": visit.notes,
        "version": visit.version,
        "createdAt": stored(visit.created_at),
        "updatedAt": stored(visit.updated_at),
    }
    if visit.agent_id is not None:
        item |= {"g3pk": visits_of_agent(visit.agent_id), "g3sk": position}
    if visit.visitor is not None:
        who = visit.visitor
        item["visitor"] = _present({"name": who.name, "email": who.email, "phone": who.phone})
    if visit.origin is not None:
        item["origin"] = {
            "intakeId": visit.origin.intake_id,
            "row": visit.origin.row,
            **(_signature_attributes(visit.origin.content) if visit.origin.content else {}),
        }
    if visit.cancellation is not None:
        item["cancellation"] = _present({"reason": visit.cancellation.reason, "at": stored(visit.cancellation.at)})
    return _present(item)


def visit_of(item: Item) -> Visit:
    visitor, cancellation, origin = item.get("visitor"), item.get("cancellation"), item.get("origin")
    return Visit(
        id=item["id"],
        property_id=item["propertyId"],
        date=_loaded(item["date"]),
        duration_minutes=int(item["durationMinutes"]),
        time_zone=item["timeZone"],
        place=item["place"],
        status=Status(item["status"]),
        agent_id=item.get("agentId"),
        visitor=Visitor(visitor.get("name"), visitor.get("email"), visitor.get("phone")) if visitor else None,
        notes=item.get("notes"),
        cancellation=Cancellation(cancellation.get("reason"), _loaded(cancellation["at"])) if cancellation else None,
        version=int(item["version"]),
        created_at=_loaded(item["createdAt"]),
        updated_at=_loaded(item["updatedAt"]),
        origin=_origin(origin) if origin else None,
        at_address=item.get("atAddress", False),
    )


def _origin(item: Item) -> Origin:
    return Origin(item["intakeId"], int(item["row"]), _signature(item) if "fingerprint" in item else None)


# Slots


def property_slot_day(property_id: str, day: str) -> str:
    return f"S#P#{property_id}#{day}"


def property_slot(property_id: str, quarter: datetime) -> Key:
    return {"pk": property_slot_day(property_id, f"{quarter:%Y-%m-%d}"), "sk": f"{quarter:%H:%M}"}


def agent_slot(agent_id: str, quarter: datetime) -> Key:
    return {"pk": f"S#A#{agent_id}#{quarter:%Y-%m-%d}", "sk": f"{quarter:%H:%M}"}


def slot_quarter(key: Key) -> datetime:
    return datetime.fromisoformat(f"{key['pk'][-10:]}T{key['sk']}:00+00:00")


def slot_ttl(quarter: datetime) -> int:
    return int((quarter + QUARTER + SLOT_KEPT).timestamp())


# Intakes


def manifest_key(intake_id: str) -> Key:
    return {"pk": f"N#{intake_id}", "sk": "N"}


def chunk_key(intake_id: str, number: int) -> Key:
    return {"pk": f"N#{intake_id}", "sk": f"C#{number:04d}"}


def chunk_number(item: Item) -> int:
    return int(item["sk"].split("#")[1])


CHUNKS: Final = ("C#", "C#~")
"""The sort keys between which the chunks of an intake lie."""

PROGRESS: Final = ("C#", "N")
"""Likewise its chunks and, last, its manifest, but none of what became of its rows."""


def outcomes_key(intake_id: str, number: int, writer: str) -> Key:
    """What a worker, or whoever gave a chunk up, has to say of its rows; it counts once the chunk names the writer."""
    return {"pk": f"N#{intake_id}", "sk": f"O#{number:04d}#{writer}"}


def outcomes_from(number: int) -> tuple[str, str]:
    """The sort keys between which the outcomes of a chunk, and of all after it, lie."""
    return f"O#{number:04d}#", "O#~"


def outcomes_writer(item: Item) -> str:
    return str(item["sk"].split("#", 2)[2])


def manifest_item(manifest: Manifest) -> Item:
    return _present(
        {
            **manifest_key(manifest.id),
            "producer": manifest.producer,
            "rows": manifest.rows,
            "chunks": manifest.chunks,
            "sent": manifest.sent,
            "createdAt": stored(manifest.created_at),
            "ttl": int(manifest.expires_at.timestamp()),
        }
    )


def manifest_of(item: Item) -> Manifest:
    return Manifest(
        id=item["pk"].removeprefix("N#"),
        producer=item["producer"],
        rows=int(item["rows"]),
        chunks=int(item["chunks"]),
        sent=item["sent"],
        created_at=_loaded(item["createdAt"]),
    )


def summary_of(item: Item) -> ChunkSummary | None:
    """None until the chunk is finished."""
    if "finishedBy" not in item:
        return None
    created, duplicate, rejected = (int(item[result]) for result in RESULTS)
    return ChunkSummary(created, duplicate, rejected, given_up=item.get("givenUp", False))


def outcomes_item(key: Key, outcomes: Sequence[RowOutcome], expires_at: datetime) -> Item:
    told = [
        _present(
            {
                "row": outcome.row,
                "externalId": outcome.external_id,
                "result": outcome.result,
                "visitId": outcome.visit_id,
                "problem": json.dumps(outcome.problem) if outcome.problem is not None else None,
            }
        )
        for outcome in outcomes
    ]
    return {**key, "outcomes": told, "ttl": int(expires_at.timestamp())}


def outcomes_of(item: Item) -> list[RowOutcome]:
    return [
        RowOutcome(
            row=int(outcome["row"]),
            external_id=outcome.get("externalId"),
            result=outcome["result"],
            visit_id=outcome.get("visitId"),
            problem=json.loads(outcome["problem"]) if "problem" in outcome else None,
        )
        for outcome in item["outcomes"]
    ]


# Idempotency and keys


def idempotency_key(record_id: str) -> Key:
    return {"pk": f"I#{record_id}", "sk": "I"}


def idempotency_item(record: IdempotencyRecord) -> Item:
    return _present(
        {
            **idempotency_key(record.id),
            "resourceId": record.resource_id,
            "intakeId": record.intake_id,
            **_signature_attributes(record.fingerprint),
            "ttl": int(record.expires_at.timestamp()),
        }
    )


def idempotency_of(item: Item) -> IdempotencyRecord:
    return IdempotencyRecord(
        id=item["pk"].removeprefix("I#"),
        resource_id=item["resourceId"],
        fingerprint=_signature(item),
        expires_at=datetime.fromtimestamp(int(item["ttl"]), UTC),
        intake_id=item.get("intakeId"),
    )


def signing_keys_key() -> Key:
    return {"pk": "K#:signing", "sk": "K"}


def signing_keys_item(keyring: Keyring) -> Item:
    following, since = keyring.waiting or (None, None)
    return _present(
        {
            **signing_keys_key(),
            "current": keyring.current,
            "secrets": dict(keyring.secrets),
            "waiting": following,
            "waitingUntil": stored(since) if since else None,
            "retired": {id: stored(when) for id, when in keyring.retired.items()},
        }
    )


def signing_keys_of(item: Item) -> Keyring:
    return Keyring(
        current=item["current"],
        secrets={id: bytes(secret) for id, secret in item["secrets"].items()},
        waiting=(item["waiting"], _loaded(item["waitingUntil"])) if "waiting" in item else None,
        retired={id: _loaded(when) for id, when in item.get("retired", {}).items()},
    )


API_KEYS: Final = "KS"
"""The partition in which the API keys can be listed."""

_API_KEY_PARTITION: Final = re.compile(r"K#([0-9a-f]{16})")


def api_key_key(key_id: str) -> Key:
    return {"pk": f"K#{key_id}", "sk": "K"}


def listed_api_key_id(item: Item) -> str | None:
    """The id of the key that the listing leads to: by where the item is, for the rest may be out of date or planted."""
    found = _API_KEY_PARTITION.fullmatch(item["pk"])
    return found[1] if found and item["sk"] == "K" else None


def api_key_item(key: ApiKey) -> Item:
    """Without a TTL: who could call, and until when, stays known."""
    return _present(
        {
            **api_key_key(key.id),
            "g2pk": API_KEYS,
            "g2sk": f"{key.name}#{stored(key.created_at)}#{key.id}",
            "id": key.id,
            "name": key.name,
            "secretHash": key.secret_hash,
            "scopes": sorted(key.scopes),
            "createdAt": stored(key.created_at),
            "expiresAt": stored(key.expires_at) if key.expires_at else None,
            "revokedAt": stored(key.revoked_at) if key.revoked_at else None,
            # None is said too: without it, an end is taken for what the key was made for.
            "lifetime": int(key.lifetime.total_seconds()) if key.lifetime else 0,
        }
    )


def api_key_of(item: Item) -> ApiKey:
    created_at = _loaded(item["createdAt"])
    expires_at = _loaded(item["expiresAt"]) if "expiresAt" in item else None
    made_for = timedelta(seconds=int(item.get("lifetime", 0)))
    if "lifetime" not in item and expires_at is not None:  # of a key that is older than this attribute
        made_for = expires_at - created_at
    return ApiKey(
        id=item["id"],
        name=item["name"],
        secret_hash=bytes(item["secretHash"]),
        scopes=frozenset(Scope(scope) for scope in item["scopes"]),
        created_at=created_at,
        expires_at=expires_at,
        revoked_at=_loaded(item["revokedAt"]) if "revokedAt" in item else None,
        lifetime=made_for or None,
    )
