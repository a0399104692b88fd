"""What the use cases need of the world outside. Repositories and the fakes of the tests fulfil it alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from chalicelib.domain.errors import Refused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from chalicelib import functions
    from chalicelib.domain.agents import Agent
    from chalicelib.domain.api_keys import ApiKey
    from chalicelib.domain.availability import Availability, Span
    from chalicelib.domain.calendars import Owner, Rendering, Shared
    from chalicelib.domain.events import Change, Event, Position, Stretch
    from chalicelib.domain.idempotency import IdempotencyRecord
    from chalicelib.domain.intakes import Chunk, Claim, Intake, Manifest, RowOutcome
    from chalicelib.domain.listing import Page, PropertyFilter, VisitFilter, Window
    from chalicelib.domain.notices import Notice, Stopped, Told
    from chalicelib.domain.premises import Premises
    from chalicelib.domain.properties import Property
    from chalicelib.domain.public import Ahead, Rationed
    from chalicelib.domain.sheets import Reading, Sheet, SheetRow, StoredRow, Upload
    from chalicelib.domain.signing_keys import Keyring
    from chalicelib.domain.visitors import Contact
    from chalicelib.domain.visits import Visit
    from chalicelib.domain.webhooks import Answer, Webhook

Clock = Callable[[], datetime]
"""The present instant in UTC, in whole seconds."""

NewId = Callable[[], str]
"""A fresh id that sorts by the time it was made (UUIDv7, RFC 9562)."""


class PropertyStore(Protocol):
    """The agency's properties. Reads by id are strongly consistent, lists eventually."""

    def get(self, property_id: str) -> Property:
        """Raises PropertyNotFound."""

    def add(self, property: Property, once: IdempotencyRecord | None = None) -> None:
        """Raises PropertyExists; AlreadyDone when `once` was written before."""

    def save(self, before: Property, after: Property) -> None:
        """Raises VersionMismatch when the property is no longer as it was `before`."""

    def list(self, filter: PropertyFilter, after: str | None, limit: int) -> Page[Property]:
        """By id, from the position `after`. A page that is filtered may be short though more follow."""


class AvailabilityStore(Protocol):
    """When properties may be visited. Reads are strongly consistent."""

    def premises(self, property_id: str) -> Premises:
        """The property with its availability, at the price of either. Raises PropertyNotFound."""

    def add(self, availability: Availability) -> None:
        """Raises VersionMismatch when there is one already."""

    def save(self, before: Availability, after: Availability) -> None:
        """Raises VersionMismatch when it is no longer as it was `before`."""


class AgentStore(Protocol):
    """Who conducts visits. Reads by id are strongly consistent."""

    def get(self, agent_id: str) -> Agent | None:
        """None for one that nobody registered."""

    def list(self, after: str | None, limit: int) -> Page[Agent]:
        """By id, from the position `after`. Eventually consistent."""

    def add(self, agent: Agent) -> Agent:
        """As it is now: with a later version where one of this id was erased. Raises VersionMismatch."""

    def save(self, before: Agent, after: Agent) -> None:
        """Raises VersionMismatch when the agent is no longer as it was `before`."""

    def erase(self, agent: Agent, now: datetime) -> None:
        """Nothing of the person stays. Raises VersionMismatch when the agent has changed."""


class VisitStore(Protocol):
    """The visits and the slots they hold, written together or not at all.

    Every write raises StoreBusy when the store stays contended: then nothing was written; and OutcomeUnknown when the
    store does not say whether it wrote.
    """

    def get(self, visit_id: str) -> Visit:
        """Strongly consistent. Raises VisitNotFound."""

    def add(self, visit: Visit, capacity: int, once: IdempotencyRecord | None = None) -> None:
        """Books: raises SlotTaken, VisitExists, or AlreadyDone when `once` was written before."""

    def add_rationed(
        self, visit: Visit, capacity: int, once: IdempotencyRecord | None, rationed: Sequence[Rationed]
    ) -> None:
        """Books, and uses that up: raises LimitReached too, and VersionMismatch where one is not as it was read."""

    def save(self, before: Visit, after: Visit) -> None:
        """Writes a change that holds no new slots; frees those no longer held. Raises VersionMismatch."""

    def move(self, before: Visit, after: Visit, capacity: int) -> None:
        """Writes a change of time or agent: holds new slots, frees old ones. Raises SlotTaken, VersionMismatch."""

    def list(self, filter: VisitFilter, after: str | None, limit: int) -> Page[Visit]:
        """By start and id. A page that filters by status or agent may be short though more follow."""

    def of_contact(self, contact: Contact, after: str | None, limit: int) -> Page[str]:
        """The ids of the visits whose visitor has this contact, by id.

        Eventually consistent: what was written in the last moments may be missing, or be another's by now.
        """

    def held_quarters(self, property_id: str, window: Window) -> Mapping[datetime, int]:
        """How many visits hold each of the property's quarter hours that the window touches; free ones are absent."""

    def taken_quarters(self, property_id: str, spans: Sequence[Span]) -> Mapping[datetime, int]:
        """The same of the quarters in these spans, at half the price: writes of the last moments may be missing."""

    def whereabouts(self, agent_id: str, spans: Sequence[Span]) -> Mapping[datetime, str]:
        """The property that holds the agent in each quarter of these spans; free ones are absent.

        Writes of the last moments may be missing.
        """


class PublicStore(Protocol):
    """What bookings without a key use up, and what waits for an answer. Reads are consistent."""

    def ahead(self, contact: str) -> Ahead:
        """Of the contact with this digest."""

    def count(self, ahead: Ahead) -> None:
        """What the contact has ahead from now on. Raises VersionMismatch when a booking came in between."""

    def due(self, since: datetime, until: datetime) -> Iterable[str]:
        """The ids of visits whose answer was due between the two; some may have been answered."""

    def declined_until(self) -> datetime | None: ...

    def has_declined(self, last: datetime | None, until: datetime) -> None:
        """Does nothing when another has since."""


class IdempotencyStore(Protocol):
    def find(self, record_id: str, now: datetime) -> IdempotencyRecord | None:
        """Strongly consistent; None once expired."""

    def add(self, record: IdempotencyRecord, now: datetime) -> None:
        """For a request whose work is done later. Raises AlreadyDone when there is a record that has not expired."""


class TokenKeys(Protocol):
    """The public keys of the user pool, which people's tokens are signed with."""

    def find(self, name: str) -> RSAPublicKey | None:
        """The key that a token names. Raises StoreBusy when it is not known whether there is one."""


class ApiKeyStore(Protocol):
    """The keys that callers present."""

    def find(self, key_id: str) -> ApiKey | None:
        """Strongly consistent."""

    def add(self, key: ApiKey) -> None: ...

    def end(self, key: ApiKey, at: datetime) -> None:
        """Lets the key end then, unless it ends sooner or is revoked; changes nothing else of it.

        Raises InvalidKeyRequest when it is no longer the key that was read.
        """

    def revoke(self, key: ApiKey, at: datetime) -> ApiKey:
        """Ends the key, unless it was revoked before; changes nothing else of it. Gives it as it stands.

        Raises InvalidKeyRequest when it is no longer the key that was read.
        """

    def ids(self) -> Sequence[str]:
        """By name and age. A hint: one made a moment ago may be missing, and what a key is, `find` alone knows."""


class CalendarStore(Protocol):
    """The hashed tokens of calendar feeds, at most one for an owner, and the last rendering of each feed."""

    def find(self, owner: Owner) -> Shared | None:
        """Strongly consistent; None where none was kept, or it was removed."""

    def keep(self, owner: Owner, shared: Shared, now: datetime) -> None:
        """In place of the one before, with nothing kept of the feed."""

    def remove(self, owner: Owner, now: datetime) -> None:
        """Does nothing where there is none. What was kept of the feed goes with it."""

    def claim(self, owner: Owner, shared: Shared, now: datetime) -> bool:
        """Whether the caller, and for some seconds nobody else, is to render the feed again."""

    def keep_rendering(self, owner: Owner, shared: Shared, rendering: Rendering) -> None:
        """Does nothing when a newer one is kept, or the token is no longer in force.

        Of a feed that names visitors only the tag is kept: nothing of a person is anywhere but in the visit.
        """

    def rendering(self, owner: Owner, tag: str) -> bytes | None:
        """The content with this tag; None when it is no longer there."""


class SigningKeyStore(Protocol):
    def load(self) -> Keyring:
        """The keys that all instances share; made on first use."""


class Store(Protocol):
    def ping(self) -> None:
        """Raises when the store cannot be reached."""


class IntakeStore(Protocol):
    """Manifests of intakes and the outcomes of their chunks."""

    def get(self, intake_id: str, now: datetime) -> Manifest:
        """Strongly consistent. Raises IntakeNotFound, also once expired."""

    def open(self, manifest: Manifest) -> Manifest:
        """Stores a manifest unless there is one under its id already; gives the one that stands."""

    def mark_sent(self, intake_id: str) -> None:
        """Every chunk is in the queue."""

    def claim(self, chunk: Chunk, manifest: Manifest, claimant: str, now: datetime, until: datetime) -> Claim:
        """Makes the chunk the claimant's alone until the given instant, unless it is finished or another's."""

    def release(self, chunk: Chunk, claimant: str) -> None:
        """Lets others work on the chunk at once. Raises ClaimLost."""

    def finish(self, chunk: Chunk, manifest: Manifest, claimant: str, outcomes: Sequence[RowOutcome]) -> None:
        """Records what became of a chunk's rows, all at once. Raises ClaimLost."""

    def give_up(self, chunk: Chunk, manifest: Manifest, claimant: str, outcomes: Sequence[RowOutcome]) -> None:
        """Records the rows of a discarded dead letter, all at once. Raises ClaimLost."""

    def progress(self, intake_id: str, now: datetime) -> Intake:
        """How far an intake is. Strongly consistent. Raises IntakeNotFound, also once expired."""

    def outcomes(self, intake_id: str, after: str | None, limit: int) -> Page[RowOutcome]:
        """By row, of the chunks that are finished."""


class SheetStore(Protocol):
    """Sheets and their rows. Every write but `add` raises VersionMismatch when the sheet is no longer as it was."""

    def get(self, sheet_id: str, now: datetime) -> Sheet:
        """Strongly consistent. Raises SheetNotFound, also once expired or deleted."""

    def add(self, sheet: Sheet) -> None: ...

    def save(self, before: Sheet, after: Sheet) -> None: ...

    def list(self, after: str | None, limit: int) -> Page[Sheet]:
        """The newest first."""

    def claim(self, sheet: Sheet, claimant: str, now: datetime) -> bool:
        """Whether the claimant, and for some minutes nobody else, is to read it."""

    def release(self, sheet: Sheet, claimant: str) -> None:
        """Lets others read it at once."""

    def write(self, before: Sheet, after: Sheet, reading: Reading) -> Sheet:
        """The sheet with its rows, all or nothing. Raises CannotRead when they say more than is kept."""

    def rows(self, sheet: Sheet, after: int, limit: int) -> Page[StoredRow]:
        """By number, as they stand. Raises StoreBusy when the sheet was read anew in the meantime."""

    def row(self, sheet: Sheet, number: int) -> StoredRow | None:
        """As it stands."""

    def review(self, sheet: Sheet, before: StoredRow, after: SheetRow) -> StoredRow:
        """A row as a person leaves it, unless it, or the state or the reading of the sheet, has changed."""

    def corrections(self, sheet: Sheet) -> frozenset[int]:
        """The numbers of the rows that persons have left in some way."""

    def begin(self, before: Sheet, after: Sheet, rows: Mapping[int, str]) -> None:
        """Names the rows that are to be registered, with their externalIds."""

    def pending(self, sheet: Sheet) -> Mapping[int, str]:
        """What `begin` named, in its order."""

    def settle(self, before: Sheet, after: Sheet, outcomes: Mapping[int, RowOutcome]) -> None:
        """Adds what became of rows that were registered."""

    def first_with(self, digest: str, sheet: Sheet, now: datetime) -> str:
        """The sheet that had these bytes first: from now on this one, if there was none."""

    def known(self, digest: str, now: datetime) -> str | None:
        """The sheet that had these bytes first, if there is one."""

    def forget(self, digest: str, sheet_id: str, now: datetime) -> None:
        """That the sheet had these bytes, if it was the first."""

    def confirm(self, written: str, property_id: str, now: datetime) -> None:
        """Remembers which property is meant by what was written."""

    def confirmed(self) -> Mapping[str, str]:
        """What `confirm` remembers."""

    def delete(self, sheet_id: str, now: datetime) -> None:
        """All of it; goes on where it was interrupted. Raises SheetNotFound."""


class SheetFiles(Protocol):
    """The files of sheets: what was uploaded, its clean copy, and what the recognition answered."""

    def upload_form(self, sheet: Sheet) -> Upload:
        """For exactly this type, key and size at most. Asks nobody."""

    def uploaded(self, sheet: Sheet) -> bytes | None:
        """What was uploaded, while it is there. Raises CannotRead when it is larger than announced kinds may be."""

    def clean(self, sheet: Sheet) -> bytes | None:
        """The copy without metadata, while it is kept."""

    def keep_clean(self, sheet: Sheet, content: bytes) -> None: ...

    def answer(self, sheet_id: str) -> Mapping[str, object] | None:
        """What the recognition answered, while it is kept."""

    def keep_answer(self, sheet_id: str, answer: Mapping[str, object]) -> None: ...

    def keeps(self, sheet: Sheet, now: datetime) -> bool:
        """Whether the clean copy should be there still."""

    def link(self, sheet: Sheet) -> str:
        """To the clean copy, good for some minutes. Asks nobody."""

    def discard_upload(self, sheet_id: str) -> None: ...

    def delete(self, sheet_id: str) -> None:
        """All files of the sheet."""


class Recognition(Protocol):
    def analyse(self, picture: bytes) -> Mapping[str, object]:
        """The tables of a picture. Raises CannotRead, or StoreBusy when it is asked too often or does not answer."""


class EventStore(Protocol):
    """The feed of events. Reads are consistent."""

    def append(self, changes: Sequence[Change], now: datetime) -> int:
        """Appends their events as one page, unless a page begins with the first of them; up to which change that goes.

        Raises StoreBusy or OutcomeUnknown.
        """

    def read(self, after: Position, limit: int, now: datetime) -> Stretch:
        """Raises PositionLost."""

    def oldest(self, now: datetime) -> Position: ...

    def end(self) -> Position: ...


class EventBus(Protocol):
    """Where events go besides the feed."""

    def put(self, events: Sequence[tuple[Event, str]]) -> Sequence[str]:
        """Events with what is told of each, at least once and in no order. Gives why some are refused for good.

        Raises StoreBusy when it does not take them now.
        """


class WebhookStore(Protocol):
    """The receivers of events and how far each has come. Reads by id are consistent, the list eventually."""

    def get(self, webhook_id: str) -> Webhook:
        """Raises WebhookNotFound."""

    def add(self, webhook: Webhook) -> None: ...

    def save(self, before: Webhook, after: Webhook) -> None:
        """Raises VersionMismatch."""

    def remove(self, webhook_id: str, now: datetime) -> None:
        """Raises WebhookNotFound."""

    def all(self) -> Sequence[Webhook]: ...


class WebhookQueue(Protocol):
    """Wakes those who deliver; what wakes one webhook is handed out in order, one at a time, and so are its tests."""

    def wake(self, webhook_ids: Sequence[str]) -> None:
        """Raises StoreBusy."""

    def test(self, webhook_id: str) -> None:
        """Raises StoreBusy."""

    def hide(self, receipt: str, seconds: int) -> None:
        """Has a message handed out again only then."""


class DeadLetters(Protocol):
    """What queues gave up."""

    def count(self) -> Mapping[functions.Queue, int]:
        """About how many messages of each queue. Raises StoreBusy."""


class Receivers(Protocol):
    """The addresses out there that events are posted to."""

    def check(self, url: str) -> None:
        """Raises InvalidInput for an address that is never called."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer: ...


class NoticeStore(Protocol):
    """What is known of the mail about each visit, and up to when reminders were looked for. Reads are consistent.

    It is kept for some time after the visit.
    """

    def find(self, visit_id: str) -> Notice: ...

    def claim(self, visit: Visit, seen: Notice, claimant: str, now: datetime) -> bool:
        """Whether the visitor's mail is the claimant's alone for a while; not if it is no longer as it was seen."""

    def record(self, visit: Visit, claimant: str, told: Told) -> None:
        """The claimant has told this, and is done. Raises StoreBusy when the claim was lost."""

    def stop(self, visit: Visit, stopped: Stopped) -> None: ...

    def forget(self, visit_id: str) -> None:
        """Nothing is left of whom mail was for. A mail under way is not recorded any more."""

    def switch_reminders(self, visit: Visit, on: bool) -> None: ...

    def looked_ahead_until(self) -> datetime | None: ...

    def has_looked_ahead(self, last: datetime | None, until: datetime) -> None:
        """Does nothing when another has looked ahead since."""


class Outbox(Protocol):
    """Where mail leaves."""

    def send(self, address: str, mail: bytes, tags: Mapping[str, str]) -> None:
        """Hands over a mail to one recipient. What comes back names the tags. Raises Undeliverable or StoreBusy."""


class Queue(Protocol):
    def send(self, messages: Sequence[str]) -> None:
        """Returns once every message is durably in the queue; raises StoreBusy otherwise, though some may be."""

    def delete(self, receipts: Sequence[str]) -> None:
        """Acknowledges messages. One that could not be is handed out again, which does no harm."""


Describe = Callable[[Refused], Mapping[str, object]]
"""The problem document of a refusal, without personal data."""
