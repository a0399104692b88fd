"""The use cases of webhooks: register, replay, renew a secret, test; and deliver what the feed has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from chalicelib.domain import webhooks
from chalicelib.domain.errors import PositionLost, TooManyWebhooks, VersionMismatch, WebhookNotFound
from chalicelib.domain.events import EventType, Position, Told
from chalicelib.domain.patience import CHANCE
from chalicelib.domain.webhooks import MOST_WEBHOOKS, Answer, Tested, Webhook, Why
from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.services.events import Events
    from chalicelib.services.ports import Clock, NewId, Receivers, WebhookQueue, WebhookStore

Render = Callable[[Told], bytes]
"""An event to the body that receivers get."""

EVENTS_READ_AT_ONCE = 50


class Round(Record):
    """How a round of deliveries ended: with nothing left to do, or to go on after a pause."""

    pause: timedelta | None = None
    disabled: Why | None = None
    """Set where this round disabled the webhook."""


class Webhooks:
    def __init__(
        self,
        webhooks: WebhookStore,
        events: Events,
        queue: WebhookQueue,
        receivers: Receivers,
        clock: Clock,
        new_id: NewId,
        new_secret: Callable[[], bytes] = webhooks.new_secret,
    ) -> None:
        self._webhooks = webhooks
        self._events = events
        self._queue = queue
        self._receivers = receivers
        self._clock = clock
        self._new_id = new_id
        self._new_secret = new_secret

    def register(self, url: str, types: frozenset[EventType]) -> Webhook:
        """A webhook that gets what happens from now on. Raises InvalidInput for an address that is never called."""
        self._receivers.check(url)
        if len(self._webhooks.all()) >= MOST_WEBHOOKS:
            raise TooManyWebhooks
        now = self._clock()
        webhook = Webhook(self._new_id(), url, types, self._new_secret(), self._events.end(), 1, now)
        self._webhooks.add(webhook)
        return webhook

    def all(self) -> Sequence[Webhook]:
        return self._webhooks.all()

    def get(self, webhook_id: str) -> Webhook:
        """Raises WebhookNotFound."""
        return self._webhooks.get(webhook_id)

    def remove(self, webhook_id: str) -> None:
        """Raises WebhookNotFound."""
        self._webhooks.remove(webhook_id, self._clock())

    def go_on_from(self, webhook_id: str, position: Position) -> Webhook:
        """Delivers again, or at last, what follows the position; a disabled webhook is enabled.

        Raises WebhookNotFound, or PositionLost for a position that the feed does not have.
        """
        self._events.read(position, 1)
        webhook = self._saved(webhook_id, lambda stands: stands.resumed(position))
        self._queue.wake([webhook.id])
        return webhook

    def renew_secret(self, webhook_id: str) -> Webhook:
        """A new secret; the one before signs beside it for a day. Raises WebhookNotFound."""
        secret, now = self._new_secret(), self._clock()
        return self._saved(webhook_id, lambda stands: stands.renewed(secret, now))

    def ask_for_test(self, webhook_id: str) -> Webhook:
        """Has a test sent; how it went is told by `get`. Raises WebhookNotFound."""
        webhook = self._webhooks.get(webhook_id)
        self._queue.test(webhook.id)
        return webhook

    def wake(self) -> None:
        """Has what is new delivered to all who are due: one that fails gets it when it is tried again."""
        if due := self._due():
            self._queue.wake([webhook.id for webhook in due])

    def wake_those_behind(self) -> None:
        """Has tried again who was left alone long enough, and delivered what a lost message would have: does nothing
        while all have everything.
        """
        if due := self._due():
            end = self._events.end()
            self._queue.wake([webhook.id for webhook in due if webhook.position < end])

    def _due(self) -> Sequence[Webhook]:
        now = self._clock()
        return [webhook for webhook in self._webhooks.all() if webhook.is_due(now)]

    def test(self, webhook_id: str, body: bytes) -> None:
        """Posts a test, and remembers what the receiver answered."""
        webhook = self._webhooks.get(webhook_id)
        answer = self._post(webhook, f"test.{self._new_id()}", body)
        tested = Tested(self._clock(), answer.said)
        self._saved(webhook_id, lambda stands: stands.answered(tested))

    def deliver(self, webhook_id: str, render: Render, until: datetime) -> Round:
        """Posts what the feed has for a receiver, one event after the other, until it has all or does not take one.

        Goes on at once when it ends because `until` is reached. Does nothing while the receiver is left alone, though
        a message that was late, or came twice, asks for it.
        """
        while True:
            try:
                webhook = self._webhooks.get(webhook_id)
                return self._delivered(webhook, render, until)
            except WebhookNotFound:
                return Round()
            except VersionMismatch:  # replayed, renewed or removed meanwhile: from where it stands now
                continue

    def _delivered(self, webhook: Webhook, render: Render, until: datetime) -> Round:
        if webhook.disabled is None and (pause := webhook.pause_at(self._clock())):
            return Round(pause)
        while webhook.disabled is None:
            try:
                stretch = self._events.read(webhook.position, EVENTS_READ_AT_ONCE)
            except PositionLost:
                self._webhooks.save(webhook, after := webhook.lost())
                return Round(disabled=after.disabled)
            if not stretch.told:
                return Round()
            for told in stretch.told:
                if not webhook.wants(told.event.type):
                    continue
                if self._clock() >= until:
                    return Round(pause=timedelta(0))
                answer = self._post(webhook, told.event.id, render(told))
                now = self._clock()
                failed = None if answer.took else webhook.failed(answer, now, CHANCE.random())
                after = failed or webhook.delivered(told.position)
                self._webhooks.save(webhook, after)
                webhook = after
                if after.disabled:
                    return Round(disabled=after.disabled)
                if failed:
                    return Round(failed.pause_at(now))
            if webhook.position != stretch.next:
                after = webhook.delivered(stretch.next)
                self._webhooks.save(webhook, after)
                webhook = after
        return Round()

    def _post(self, webhook: Webhook, id: str, body: bytes) -> Answer:
        now = self._clock()
        headers = webhooks.signed(id, now, body, webhook.secrets_at(now))
        return self._receivers.post(webhook.url, {"content-type": "application/json", **headers}, body)

    def _saved(self, webhook_id: str, change: Callable[[Webhook], Webhook]) -> Webhook:
        """The change made to the webhook as it stands, however often it changes in between."""
        while True:
            stands = self._webhooks.get(webhook_id)
            try:
                self._webhooks.save(stands, after := change(stands))
            except VersionMismatch:
                continue
            return after
