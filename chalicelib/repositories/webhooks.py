"""Webhooks in DynamoDB: `W#id / W`, listed through the month index, with their secrets: HMAC needs them plain."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from chalicelib.domain.errors import VersionMismatch, WebhookNotFound
from chalicelib.domain.events import EventType, Position
from chalicelib.domain.webhooks import MOST_WEBHOOKS, Failing, OldSecret, Tested, Webhook, Why
from chalicelib.repositories import items
from chalicelib.repositories.items import Item, Key, loaded, present, stored
from chalicelib.repositories.table import ConditionsFailed, Group, Range, Table, Write

WEBHOOKS: Final = "WS"
"""The partition in which they can be listed."""

ALL: Final = Range(items.BY_MONTH, (Group((WEBHOOKS,), "", items.LAST),), "!", items.LAST)


def webhook_key(webhook_id: str) -> Key:
    return {"pk": f"W#{webhook_id}", "sk": "W"}


def webhook_item(webhook: Webhook) -> Item:
    old, failing, tested = webhook.old_secret, webhook.failing, webhook.tested
    return present(
        {
            **webhook_key(webhook.id),
            "g2pk": WEBHOOKS,
            "g2sk": webhook.id,
            "id": webhook.id,
            "url": webhook.url,
            "types": sorted(webhook.types) or None,
            "secret": webhook.secret,
            "oldSecret": {"value": old.value, "until": stored(old.until)} if old else None,
            "position": str(webhook.position),
            "failing": _failing_item(failing) if failing else None,
            "disabled": webhook.disabled,
            "tested": {"at": stored(tested.at), "answer": tested.answer} if tested else None,
            "version": webhook.version,
            "createdAt": stored(webhook.created_at),
        }
    )


def webhook_of(item: Item) -> Webhook:
    old, failing, tested = item.get("oldSecret"), item.get("failing"), item.get("tested")
    return Webhook(
        id=item["id"],
        url=item["url"],
        types=frozenset(EventType(type) for type in item.get("types", ())),
        secret=bytes(item["secret"]),
        position=Position.parse(item["position"]),
        version=int(item["version"]),
        created_at=loaded(item["createdAt"]),
        old_secret=OldSecret(bytes(old["value"]), loaded(old["until"])) if old else None,
        failing=_failing_of(failing) if failing else None,
        disabled=Why(item["disabled"]) if "disabled" in item else None,
        tested=Tested(loaded(tested["at"]), tested["answer"]) if tested else None,
    )


def _failing_item(failing: Failing) -> Item:
    again = stored(failing.again_at)
    return {"since": stored(failing.since), "tries": failing.tries, "answer": failing.answer, "againAt": again}


def _failing_of(item: Item) -> Failing:
    again = item["againAt"] if "againAt" in item else item["since"]  # the version before this one writes none
    return Failing(loaded(item["since"]), int(item["tries"]), item["answer"], loaded(again))


class DynamoWebhooks:
    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, webhook_id: str) -> Webhook:
        """1 read unit. Raises WebhookNotFound."""
        item = self._table.get(webhook_key(webhook_id))
        if item is None or "url" not in item:
            raise WebhookNotFound
        return webhook_of(item)

    def add(self, webhook: Webhook) -> None:
        """2 write units."""
        self._table.put(Write(webhook_key(webhook.id), item=webhook_item(webhook)))

    def save(self, before: Webhook, after: Webhook) -> None:
        """2 write units. Raises VersionMismatch when it has changed, or is gone."""
        write = Write(
            webhook_key(after.id),
            item=webhook_item(after),
            condition="version = :before",
            values={":before": before.version},
        )
        try:
            self._table.put(write)
        except ConditionsFailed as failed:
            raise VersionMismatch from failed

    def remove(self, webhook_id: str, now: datetime) -> None:
        """2 write units. Nothing that ships may delete an item: an empty one stands in its place until it expires."""
        key = webhook_key(webhook_id)
        gone = Write(key, item={**key, "ttl": int(now.timestamp())}, condition="attribute_exists(version)")
        try:
            self._table.put(gone)
        except ConditionsFailed as failed:
            raise WebhookNotFound from failed

    def all(self) -> Sequence[Webhook]:
        """1 read unit; as the index has them, which may be a moment behind.

        Those who register at once may make some more than there should be: they are told all the same.
        """
        return [webhook_of(item) for item in self._table.page(ALL, None, 5 * MOST_WEBHOOKS).items if "url" in item]
