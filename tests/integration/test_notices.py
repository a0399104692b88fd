"""What is known of mail, held against the fake and DynamoDB alike; mail through SES; from the stream to the mailbox.

The mail service is the emulator's: it checks senders as SES does, and shows what it was given.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError
from chalice.app import DynamoDBEvent, SQSEvent

from chalicelib.aws.clients import client
from chalicelib.container import OverTable, compose
from chalicelib.domain.errors import StoreBusy
from chalicelib.domain.notices import CLAIMED_FOR, Kind, Letter, NoMoreMail, Notice, Stopped, Told, recipient_of
from chalicelib.domain.visits import Status, Visit, Visitor
from chalicelib.events import notice_queue, table_stream
from chalicelib.repositories.notices import DynamoNotices
from chalicelib.repositories.outbox import OutboxOnThisMachine, SesOutbox
from chalicelib.repositories.properties import DynamoProperties
from chalicelib.repositories.table import Table
from chalicelib.services.ports import NoticeStore
from chalicelib.services.wired import Services
from devstack.gateway import Answer, Call
from devstack.mailbox import Mailbox
from devstack.stream import StreamPoller
from tests.agency import SENDER
from tests.builders import NOW, Clock, a_property, a_visit, booking, property_id
from tests.fakes import FakeNotices, FakeQueue
from tests.integration.conftest import FreshTable, fresh_table
from tools.deliver.data_stack import credentials
from tools.project import ROOT

ADA = Visitor("Ada Lovelace", "ada@agency.example", language="de")
SECOND = timedelta(seconds=1)

# What is known


@pytest.fixture(params=["fake", "DynamoDB"])
def notices(request: pytest.FixtureRequest, table: FreshTable) -> NoticeStore:
    if request.param == "fake":
        return FakeNotices()
    return DynamoNotices(Table(table.client, table.name))


@pytest.fixture
def visit() -> Visit:
    return a_visit(visitor=ADA, notify=True)


def told(visit: Visit) -> Told:
    return Told.of(visit, "ada@agency.example", NOW)


def test_nothing_is_known_of_a_visit_that_nobody_was_written_about(notices: NoticeStore, visit: Visit) -> None:
    assert notices.find(visit.id) == Notice()


def test_what_was_told_is_known_as_it_was(notices: NoticeStore, visit: Visit) -> None:
    assert notices.claim(visit, Notice(), "one", NOW)
    assert notices.find(visit.id).claimed
    notices.record(visit, "one", told(visit))
    assert notices.find(visit.id) == Notice(told=told(visit), version=1)


def test_a_visit_is_one_claimants_until_it_is_over(notices: NoticeStore, visit: Visit) -> None:
    assert notices.claim(visit, Notice(), "one", NOW)
    assert not notices.claim(visit, Notice(), "two", NOW + CLAIMED_FOR)
    assert notices.claim(visit, Notice(), "two", NOW + CLAIMED_FOR + SECOND)
    with pytest.raises(StoreBusy):
        notices.record(visit, "one", told(visit))
    notices.record(visit, "two", told(visit))
    assert notices.find(visit.id).told == told(visit)


def test_who_saw_it_before_it_changed_cannot_claim_it(notices: NoticeStore, visit: Visit) -> None:
    notices.switch_reminders(visit, False)
    assert not notices.claim(visit, Notice(), "one", NOW)
    assert notices.claim(visit, notices.find(visit.id), "one", NOW)


def test_an_address_and_reminders_stay_as_they_were_set(notices: NoticeStore, visit: Visit) -> None:
    stopped = Stopped("hash", NoMoreMail.BOUNCED)
    notices.stop(visit, stopped)
    notices.switch_reminders(visit, False)
    assert replace(notices.find(visit.id), version=0) == Notice(stopped=stopped, reminders=False)
    notices.switch_reminders(visit, True)
    assert notices.find(visit.id).reminders


def test_what_is_forgotten_is_gone_with_the_claim_of_who_is_at_it(notices: NoticeStore, visit: Visit) -> None:
    notices.forget(visit.id)
    assert notices.find(visit.id) == Notice()
    notices.claim(visit, Notice(), "one", NOW)
    notices.stop(visit, Stopped("hash", NoMoreMail.BOUNCED))
    notices.forget(visit.id)
    assert not notices.find(visit.id).names_somebody
    with pytest.raises(StoreBusy):
        notices.record(visit, "one", told(visit))
    assert not notices.find(visit.id).names_somebody


def test_of_two_ticks_at_once_one_advances_the_clock(notices: NoticeStore) -> None:
    before = notices.looked_ahead_until()
    notices.has_looked_ahead(before, NOW)
    notices.has_looked_ahead(before, NOW + SECOND)
    assert notices.looked_ahead_until() == NOW


def test_the_item_expires_and_has_no_address(table: FreshTable, visit: Visit) -> None:
    notices = DynamoNotices(Table(table.client, table.name))
    notices.claim(visit, Notice(), "one", NOW)
    notices.record(visit, "one", told(visit))
    key: Any = {"pk": {"S": f"T#{visit.id}"}, "sk": {"S": "T"}}
    item = table.client.get_item(TableName=table.name, Key=key)["Item"]
    assert int(item["ttl"]["N"]) == int((visit.date + timedelta(days=30)).timestamp())
    assert "ada" not in json.dumps(item, default=str).lower()


# Through SES


@pytest.fixture(scope="module")
def ses(table: FreshTable) -> Any:
    """A client of the emulator's, whose account may send from and to the agency's domain alone."""
    keys = credentials(table.environment["AWS_ENDPOINT_URL"], table.environment["AWS_ACCESS_KEY_ID"])
    make: Any = boto3.client
    make("ses", **keys).verify_domain_identity(Domain="agency.example")
    return client("ses", **table.access)


def written(visit: Visit, **sender: Any) -> bytes:
    shown = replace(SENDER, **sender)
    return compose(Letter(Kind.CONFIRMED, visit, "Haus am See", "ada@agency.example", shown, None, None))


def test_mail_is_handed_to_ses(ses: Any, table: FreshTable, visit: Visit) -> None:
    outbox = SesOutbox(lambda: ses)
    outbox.send("ada@agency.example", written(visit), {"visit": visit.id, "recipient": "hash"})
    account = table.environment["AWS_ACCESS_KEY_ID"]
    kept = httpx.get(f"{table.environment['AWS_ENDPOINT_URL']}/_ministack/ses/messages", verify=False).json()[
        "messages"
    ]
    found = [mail for mail in kept[account] if mail["To"] == ["ada@agency.example"]]
    assert [mail["Subject"] for mail in found] == ["Bestätigt: Haus am See, 12. März, 11:00 Uhr"]


def test_what_is_wrong_with_the_account_is_a_fault_and_not_the_addresses(ses: Any, visit: Visit) -> None:
    with pytest.raises(ClientError):
        SesOutbox(lambda: ses).send(
            "ada@agency.example", written(visit, address="visits@elsewhere.example"), {"visit": visit.id}
        )


def test_a_mail_service_that_is_not_there_is_busy(table: FreshTable, visit: Visit) -> None:
    nowhere = client("ses", **table.access | {"endpoint_url": "http://127.0.0.1:9"})
    with pytest.raises(StoreBusy):
        SesOutbox(lambda: nowhere).send("ada@agency.example", written(visit), {"visit": visit.id})


# From the stream to the mailbox


class Office:
    """The functions between a change in the table and a mail in a folder, driven by hand."""

    def __init__(self, table: FreshTable, folder: Path) -> None:
        self.clock = Clock()
        self.queue, self.folder = FakeQueue(), folder
        store = Table(table.client, table.name)
        given = OverTable(store, FakeQueue(), self.clock)
        given.notice_queue, given.sender = self.queue, SENDER
        given.outbox = OutboxOnThisMachine(folder, self.queue.send)
        self.services = Services(given)
        self.house = a_property()
        DynamoProperties(store).add(self.house)
        keys = credentials(table.environment["AWS_ENDPOINT_URL"], table.environment["AWS_ACCESS_KEY_ID"])
        make: Any = boto3.client
        streams = make("dynamodbstreams", **keys)
        self._poller = StreamPoller(self._relay, table.client, streams, table.name)

    def _relay(self, event: dict[str, Any], context: Any) -> None:
        table_stream.relay(DynamoDBEvent(event, context), self.services)

    def relay(self) -> list[str]:
        """Reads the stream to its end; gives the messages that came of it."""
        while self._poller.work_once():
            pass
        bodies, self.queue.messages = self.queue.messages, []
        return bodies

    def work(self) -> None:
        bodies = self.relay()
        assert all(json.loads(body).keys() == {"visitId"} for body in bodies), "a message names nobody"
        records = [{"messageId": str(n), "body": body} for n, body in enumerate(bodies)]
        assert notice_queue.notify(SQSEvent({"Records": records}, None), self.services)["batchItemFailures"] == []

    def subjects(self) -> list[str]:
        files = sorted(self.folder.glob("*.eml"), key=lambda file: file.stat().st_mtime_ns)
        return [str(message_from_bytes(file.read_bytes(), policy=default)["Subject"]) for file in files]


@pytest.fixture
def office(aws: str, account: str, tmp_path: Path) -> Office:
    return Office(fresh_table(aws, account, property_id()), tmp_path / "mail")


def test_several_changes_of_a_visit_are_one_message_and_one_mail(office: Office) -> None:
    booked = office.services.visits.book(booking(property_id=office.house.id, visitor=ADA)).result
    office.services.visits.change_status(booked.id, Status.CANCELLED, None)
    office.work()
    assert len(office.subjects()) == 1
    assert office.subjects()[0].startswith("Abgesagt: House")


def test_of_a_silent_visit_nothing_is_queued_but_its_erasure(office: Office) -> None:
    command = booking(property_id=office.house.id, visitor=ADA, notify=False)
    booked = office.services.visits.book(command).result
    office.services.visits.change_status(booked.id, Status.CANCELLED, None)
    assert office.relay() == []
    office.services.visits.erase_visitor(booked.id)
    assert office.relay() == [json.dumps({"visitId": booked.id})]


@pytest.mark.parametrize(("kind", "why"), [("bounce", NoMoreMail.BOUNCED), ("complaint", NoMoreMail.COMPLAINED)])
def test_the_simulators_recipients_send_mail_back_also_on_this_machine(
    office: Office, kind: str, why: NoMoreMail
) -> None:
    returning = Visitor("Ada", f"{kind}@simulator.amazonses.com")
    booked = office.services.visits.book(booking(property_id=office.house.id, visitor=returning)).result
    office.work()
    assert len(office.subjects()) == 1
    bodies, office.queue.messages = office.queue.messages, []
    records = [{"messageId": str(n), "body": body} for n, body in enumerate(bodies)]
    assert notice_queue.notify(SQSEvent({"Records": records}, None), office.services)["batchItemFailures"] == []
    known = office.services.notices.about(booked.id)
    assert known.stopped is not None
    assert known.stopped.why is why
    office.services.visits.change_status(booked.id, Status.CANCELLED, None)
    office.work()
    assert len(office.subjects()) == 1


# From SES to the queue


def returned(kind: str, visit: Visit, of: str, bounce: str = "Permanent") -> dict[str, Any]:
    """What SES tells EventBridge
    (https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html)."""
    tags = {
        "ses:configuration-set": [of],
        "visit": [visit.id],
        "recipient": [recipient_of(visit.id, "ada@agency.example")],
        "ses:operation": ["SendRawEmail"],
    }
    mail = {"messageId": "1", "destination": ["ada@agency.example"], "tags": tags}
    about = {"bouncedRecipients": [{"emailAddress": "ada@agency.example"}]}
    if kind == "Complaint":
        return {"eventType": kind, "complaint": {"complainedRecipients": about["bouncedRecipients"]}, "mail": mail}
    return {"eventType": kind, "bounce": {"bounceType": bounce, **about}, "mail": mail}


def rules_of(stage: str) -> dict[str, dict[str, Any]]:
    """The rules of `.chalice/mail.json`, its references filled in."""
    text = (ROOT / ".chalice" / "mail.json").read_text(encoding="utf-8")
    text = text.replace('{"Ref": "Mail"}', f'"visits-{stage}"')
    resources = json.loads(text)["Resources"].items()
    return {name: made["Properties"] for name, made in resources if made["Type"] == "AWS::Events::Rule"}


def told_by(rule: dict[str, Any], happened: dict[str, Any]) -> str:
    """What the rule sends of an event: the emulator's transformer knows no elements of lists."""
    transformer = rule["Targets"][0]["InputTransformer"]
    text: str = transformer["InputTemplate"]
    for name, path in transformer["InputPathsMap"].items():
        value: Any = {"detail": happened}
        for step in re.findall(r"\w+", path):
            value = value[int(step)] if step.isdigit() else value[step]
        text = text.replace(f"<{name}>", json.dumps(value))
    return text


def test_what_came_back_stops_the_mail_of_its_stage_and_nobody_sends_the_address_along(
    office: Office, aws: str, account: str
) -> None:
    make: Any = boto3.client
    bridge, rules = make("events", **credentials(aws, account)), rules_of("beta")

    def messages(happened: dict[str, Any]) -> list[str]:
        """What the rules that match send on."""
        whole = {"id": "1", "account": account, "source": "aws.ses", "detail-type": "Email", "detail": happened}
        return [
            told_by(rule, happened)
            for rule in rules.values()
            if bridge.test_event_pattern(EventPattern=json.dumps(rule["EventPattern"]), Event=json.dumps(whole))[
                "Result"
            ]
        ]

    visit = office.services.visits.book(booking(property_id=office.house.id, visitor=ADA)).result
    for harmless in (
        returned("Bounce", visit, "visits-prod"),
        returned("Bounce", visit, "visits-beta", "Transient"),
        returned("Delivery", visit, "visits-beta"),
    ):
        assert messages(harmless) == []
    for kind, stop in (("Bounce", NoMoreMail.BOUNCED), ("Complaint", NoMoreMail.COMPLAINED)):
        (message,) = messages(returned(kind, visit, "visits-beta"))
        assert "@" not in message
        record = {"messageId": "1", "body": message}
        assert notice_queue.notify(SQSEvent({"Records": [record]}, None), office.services)["batchItemFailures"] == []
        stopped = office.services.notices.about(visit.id).stopped
        assert stopped is not None
        assert stopped.why is stop


class Nothing:
    def answer(self, call: Call) -> Answer:
        return Answer(404, [], b"")


def test_the_mailbox_lists_and_shows_mails_and_runs_nothing_that_is_in_them(office: Office, visit: Visit) -> None:
    mailbox = Mailbox(Nothing(), office.folder)

    def get(path: str) -> Answer:
        path, _, query = path.partition("?")
        return mailbox.answer(Call("GET", path, query, {}, b""))

    assert b"No mail" in get("/mailbox").body
    hostile = replace(visit, place="<script>alert(1)</script>")
    outbox = OutboxOnThisMachine(office.folder, office.queue.send)
    outbox.send("ada@agency.example", written(hostile), {"visit": visit.id})
    (name,) = (file.name for file in office.folder.iterdir())
    assert name.encode() in get("/mailbox").body
    shown = get(f"/mailbox/{name}")
    assert b"BEGIN:VCALENDAR" in shown.body
    assert b"<script" not in shown.body
    assert "script-src" not in dict(shown.headers)["Content-Security-Policy"]
    assert get(f"/mailbox/{name}?raw").body == (office.folder / name).read_bytes()
    for elsewhere in ("/mailbox/../secrets.eml", "/mailbox/none.eml", "/mailboxes"):
        assert get(elsewhere).status == 404
