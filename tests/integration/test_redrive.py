"""`make redrive`: what the person on call sees of dead letters, and what replaying and discarding them comes to."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

import app as entry
from chalicelib.domain.errors import StoreBusy
from chalicelib.domain.intakes import intake_id
from chalicelib.events.intake_queue import Sending
from chalicelib.functions import Queue
from chalicelib.repositories.intakes import manifest_key
from devstack.worker import QueueWorker
from tests.integration.api import Api, serve
from tests.integration.intake import Mailbox, hooked, instance, mailbox, partner_message
from tools.failure import CannotGoOn
from tools.operate import redrive
from tools.operate.redrive import DeadLetterQueue
from tools.project import ROOT

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

    from tests.integration.conftest import FreshTable

DATE = "2028-04-{:02}T{:02}:00:00Z"
SECRET = "Ada Lovelace"
EMULATED_SENDER = "AIDAEXAMPLE"


@dataclass(frozen=True)
class Site:
    """The API, its queues, and the person on call."""

    api: Api
    box: Mailbox

    def redrive(self, action: str, *only: str, dry_run: bool = False, yes: bool = True) -> int:
        given = argparse.Namespace(action=action, stage="test", only=only, dry_run=dry_run, yes=yes)
        return redrive.run([self.letters], given, self.api.services)

    @property
    def letters(self) -> DeadLetterQueue:
        return DeadLetterQueue(
            self.box.sqs,
            Queue.INTAKES,
            self.box.table.environment["QUEUE_NAME"],
            self.api.services.signer,
            wait_seconds=0,
        )

    def dead(self, body: str, **attributes: str) -> str:
        """A message that has come to rest among the dead letters; gives its id."""
        named: Any = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
        sent = self.box.sqs.send_message(QueueUrl=self.box.dead_url, MessageBody=body, MessageAttributes=named)
        return sent["MessageId"]

    def work(self) -> None:
        worker = QueueWorker(
            entry.app.handler_map["work_off_queue"], self.box.sqs, self.box.table.environment["QUEUE_NAME"]
        )
        while worker.work_once():
            pass

    def hand_in(self, *rows: dict[str, Any]) -> tuple[str, list[str]]:
        """An intake whose messages all became dead letters; gives its id and their bodies."""
        answer = self.api.post("/intakes", {"visits": rows})
        assert answer.status_code == 202, answer.text
        messages = self.box.receive(100)
        self.box.delete(messages)
        return answer.json()["id"], [message["Body"] for message in messages]

    def intake(self, id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(f"/intakes/{id}").json()
        return found

    def results(self, id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.get(f"/intakes/{id}/results").json()["items"]
        return found

    def booked(self, property_id: str) -> int:
        return len(self.api.get("/visits", propertyId=property_id, from_=DATE.format(1, 0)).json()["items"])


@pytest.fixture
def site(table: FreshTable) -> Iterator[Site]:
    with mailbox(table) as box, serve(box.table) as api:
        yield Site(api, box)


def visit(property_id: str, day: int = 3, hour: int = 9, **more: object) -> dict[str, Any]:
    return {"propertyId": property_id, "date": DATE.format(day, hour), "visitor": {"name": SECRET}, **more}


def sent(site: Site, body: str, id: str, timestamp: str = "") -> dict[str, str]:
    """The attributes of a message that `make redrive` sent again before."""
    now = timestamp or str(round(time.time() * 1000))
    return dict(Sending(id, EMULATED_SENDER, now).attributes(body, site.api.services.signer))


def test_the_list_says_everything_but_what_is_in_the_messages(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.api.property("list-1")
    intake, (body,) = site.hand_in(visit("list-1"), visit("list-1", hour=10))
    ours, foreign = site.dead(body), site.dead(partner_message(visit("list-1", notes=SECRET)))
    broken, wrong = site.dead(f"{SECRET}!"), site.dead(json.dumps({"version": 9, "source": SECRET, "visits": [SECRET]}))

    assert site.redrive("list") == redrive.OK

    told = capsys.readouterr().out
    assert SECRET not in told
    assert "Lovelace" not in told
    lines = {line[:36].strip(): line.split() for line in told.splitlines()}
    assert lines[ours][:7] == [ours, "intakes", intake, "0", "2", "1", "0.0"]
    assert lines[foreign][1:5] == ["intakes", intake_id("source", "partner", foreign), "0", "1"]
    assert "not valid JSON" in " ".join(lines[broken])
    assert "#/version" in " ".join(lines[wrong])
    assert "4 dead letters with 3 rows, 2 unreadable" in told


def test_what_was_looked_at_is_there_for_others_at_once(site: Site) -> None:
    for _ in range(12):
        site.dead("x")
    site.redrive("list")
    assert len(site.box.receive(12, dead=True)) == 12


def test_a_replay_completes_the_intake(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.api.property("replay-1")
    intake, bodies = site.hand_in(*[visit("replay-1", day=1 + n // 8, hour=8 + n % 8) for n in range(60)])
    for body in bodies:
        site.dead(body)
    site.dead("unreadable")
    assert site.intake(intake)["status"] == "queued"

    assert site.redrive("replay") == redrive.LEFT
    told = capsys.readouterr().out
    assert "3 dead letters with 60 rows sent again, 1 left" in told
    assert "stays: unreadable" in told
    assert site.box.waiting(dead=True) == 1

    site.work()
    assert site.intake(intake)["status"] == "done"
    assert site.intake(intake)["counts"] == {"total": 60, "created": 60, "duplicate": 0, "rejected": 0}


def test_a_replayed_message_of_a_producer_is_the_same_intake_and_books_nothing_twice(site: Site) -> None:
    """It was worked off though it became a dead letter; the room holds two, so a new identity would book again."""
    site.api.property("same-1", capacity=2)
    body = partner_message(visit("same-1"))
    (id,) = site.box.send(body)
    site.work()
    site.dead(body, **sent(site, body, id))

    site.redrive("replay")
    site.work()

    assert site.booked("same-1") == 1
    assert site.intake(intake_id("source", "partner", id))["counts"]["created"] == 1


def test_a_message_that_is_in_both_queues_after_a_crash_is_harmless(site: Site) -> None:
    site.api.property("crash-1", capacity=2)
    _, (ours,) = site.hand_in(visit("crash-1"))
    site.dead(ours)
    foreign = site.dead(partner_message(visit("crash-1", hour=12)))
    letters = site.letters
    for letter in letters.look():  # sent again, but then not deleted
        letters.send_again(letter)
    site.work()

    site.redrive("replay")
    site.work()

    assert site.booked("crash-1") == 2
    assert site.intake(intake_id("source", "partner", foreign))["status"] == "done"
    assert site.box.waiting(dead=True) == 0


def test_what_is_too_old_is_not_replayed(
    site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.dead(partner_message(visit("old-1")))
    monkeypatch.setattr(redrive, "OLDEST", timedelta(seconds=-1))
    assert site.redrive("replay") == redrive.LEFT
    assert "sent again, 1 left" in capsys.readouterr().out
    assert site.box.waiting() == 0


def test_a_replay_keeps_the_time_of_the_first_sending(site: Site) -> None:
    body = partner_message(visit("age-1"))
    first = sent(site, body, "first", "1000000000000")
    site.dead(body, **first)
    (letter,) = site.letters.look()
    assert letter.age > timedelta(days=365)
    site.letters.send_again(letter)
    (again,) = site.box.sqs.receive_message(QueueUrl=site.box.url, MessageAttributeNames=["All"])["Messages"]
    kept = {name: value["StringValue"] for name, value in again["MessageAttributes"].items()}
    assert kept == first


def test_what_a_producer_says_of_an_earlier_sending_is_not_signed_for_it(site: Site) -> None:
    """Or it could have its own rows replayed as those of another's message."""
    id = site.dead(
        partner_message(visit("forged-1")),
        originalMessageId="another",
        originalSender="AROAANOTHER",
        firstSentTimestamp="1",
        replaySignature="k1:00",
    )
    (letter,) = site.letters.look()
    assert letter.id == id
    assert letter.sending.sender != "AROAANOTHER"
    assert letter.age < timedelta(days=1)


def test_a_discarded_intake_ends_and_its_rows_are_told(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.api.property("discard-1")
    intake, (body,) = site.hand_in(visit("discard-1"), visit("discard-1", hour=10, externalId="x"))
    foreign = site.dead(partner_message(visit("discard-1", hour=11)))
    site.dead(body)
    site.dead("unreadable")

    assert site.redrive("discard") == redrive.OK

    assert "3 dead letters discarded, the outcome of 3 rows recorded, 0 left" in capsys.readouterr().out
    assert site.box.waiting(dead=True) == 0
    for id, total in ((intake, 2), (intake_id("source", "partner", foreign), 1)):
        assert site.intake(id)["status"] == "failed"
        assert site.intake(id)["counts"]["rejected"] == total
        assert {row["problem"]["type"] for row in site.results(id)} == {"urn:visits:problem:given-up"}
    assert site.booked("discard-1") == 0


def test_a_chunk_that_a_worker_is_at_is_not_discarded(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Its message is in both queues after a crash. The worker would book what was told as rejected."""
    site.api.property("both-1", capacity=2)
    intake, (body,) = site.hand_in(visit("both-1"), visit("both-1", hour=10))
    site.dead(body)
    (letter,) = site.letters.look()
    site.letters.send_again(letter)
    batch = site.box.receive()
    told: list[str] = []

    def discard(request: AWSPreparedRequest, **_: object) -> None:
        if not told:
            told.append("")
            assert site.redrive("discard") == redrive.LEFT
            told.append(capsys.readouterr().out)

    with instance(site.box) as worker, hooked(worker.dynamodb, "TransactWriteItems", discard):
        worker.handle(batch)
    assert f"{letter.id} stays: a worker is processing it" in told[1]
    assert site.intake(intake)["status"] == "done"
    assert [row["status"] for row in site.results(intake)] == ["created", "created"]
    assert site.booked("both-1") == 2

    assert site.redrive("discard") == redrive.OK
    assert site.box.waiting(dead=True) == 0
    assert site.intake(intake)["status"] == "done"


def restored_to_before(site: Site, intake: str) -> None:
    """The table is what it was before the intake was handed in; messages are where they are."""
    table = site.box.table
    key = {name: {"S": value} for name, value in manifest_key(intake).items()}
    table.client.delete_item(TableName=table.name, Key=key)


def test_after_a_restore_the_rows_to_hand_in_again_are_told_and_nothing_else_of_them(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.api.property("restore-1")
    gone, bodies = site.hand_in(*[visit("restore-1", day=1 + n // 8, hour=8 + n % 8) for n in range(60)])
    first, _, last = [site.dead(body) for body in sorted(bodies, key=lambda body: json.loads(body)["intake"]["chunk"])]
    stands, (body,) = site.hand_in(visit("restore-1", day=20))
    standing = site.dead(body)
    restored_to_before(site, gone)

    site.redrive("list", first, last, standing)

    told = capsys.readouterr().out
    assert SECRET not in told
    lines = {line[:36].strip(): line for line in told.splitlines()}
    assert lines[first].endswith(
        "its intake is not in the table: ask for its rows to be submitted again, and discard it"
    )
    assert "its intake is not in the table" in lines[last]
    assert "not in the table" not in lines[standing]
    assert f"  tests: {gone}, 35 rows: 0-24, 50-59\n" in told
    assert "3 dead letters with 36 rows, 0 unreadable, 1 intake not in the table" in told

    site.redrive("replay")

    told = capsys.readouterr().out
    assert f"{first} stays: its intake is not in the table: ask for its rows" in told
    assert "1 dead letter with 1 row sent again, 3 left" in told
    site.work()
    assert site.intake(stands)["status"] == "done"

    site.redrive("discard", dry_run=True)
    assert "would discard 3 dead letters with 60 rows" in capsys.readouterr().out
    site.redrive("discard")
    told = capsys.readouterr().out
    assert f"  tests: {gone}, 60 rows: 0-59\n" in told
    assert "3 dead letters discarded, the outcome of 0 rows recorded, 0 left" in told
    assert site.box.waiting(dead=True) == 0


def test_a_forged_message_tells_nothing_of_what_is_in_it(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    reference = {"id": "0" * 8 + "-0000-5000-8000-" + "0" * 12, "producer": SECRET, "chunk": 0, "firstRow": 0}
    site.dead(json.dumps({"version": 1, "source": "api", "intake": reference, "visits": [visit("p1")]}))
    assert site.redrive("discard") == redrive.OK
    assert SECRET not in capsys.readouterr().out
    assert site.box.waiting(dead=True) == 0


def test_nothing_is_deleted_whose_loss_was_not_told(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table did not answer when the dead letters were looked at, and then does not know the intake."""
    gone, (body,) = site.hand_in(visit("restore-2"))
    site.dead(body)
    restored_to_before(site, gone)

    def away(id: str) -> bool:
        raise StoreBusy

    monkeypatch.setattr(site.api.services.intakes, "look_up", away)
    assert site.redrive("discard") == redrive.LEFT
    told = capsys.readouterr().out
    assert "The table does not respond (StoreBusy)" in told
    assert "stays: the table no longer has its intake" in told
    assert site.box.waiting(dead=True) == 1


def test_a_message_that_refers_to_no_intake_of_the_table_ends_among_the_dead_letters(site: Site) -> None:
    """What waited when the table was restored: it comes to rest, and tells a person; `site` receives twice."""
    site.api.property("restore-3")
    gone, (body,) = site.hand_in(visit("restore-3"))
    restored_to_before(site, gone)
    site.box.sqs.set_queue_attributes(QueueUrl=site.box.url, Attributes={"VisibilityTimeout": "1"})
    site.box.send(body)
    deadline = time.monotonic() + 60
    while not site.box.waiting(dead=True):
        assert time.monotonic() < deadline, "it is neither finished nor given up"
        site.work()
    assert site.booked("restore-3") == 0
    (letter,) = site.letters.look()
    assert redrive.lost([letter], site.api.services.intakes) == {gone}


@pytest.mark.parametrize("action", ["replay", "discard"])
def test_a_dry_run_changes_nothing(site: Site, action: str, capsys: pytest.CaptureFixture[str]) -> None:
    site.api.property(f"dry-{action}")
    intake, (body,) = site.hand_in(visit(f"dry-{action}"))
    site.dead(body)
    site.dead("unreadable")

    assert site.redrive(action, dry_run=True) == redrive.OK

    assert "Dry run: would" in capsys.readouterr().out
    assert (site.box.waiting(), site.box.waiting(dead=True)) == (0, 2)
    assert site.intake(intake)["status"] == "queued"
    assert len(site.box.receive(2, dead=True)) == 2


def test_one_dead_letter_can_be_chosen(site: Site) -> None:
    first, second = site.dead(partner_message(visit("p1"))), site.dead(partner_message(visit("p1")))
    site.redrive("discard", second)
    assert [message["MessageId"] for message in site.box.receive(2, dead=True)] == [first]
    with pytest.raises(CannotGoOn, match="Not among the dead letters: nowhere"):
        site.redrive("discard", "nowhere")


def test_discarding_needs_a_yes(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site.dead("unreadable")
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    with pytest.raises(CannotGoOn, match="YES=1"):
        site.redrive("discard", yes=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert site.redrive("discard", yes=False) == redrive.LEFT
    assert "Nothing was discarded" in capsys.readouterr().out
    assert site.box.waiting(dead=True) == 1
    monkeypatch.setattr("builtins.input", lambda question: "y")
    site.redrive("discard", yes=False)
    assert site.box.waiting(dead=True) == 0


ID = "01989c3e-7c0a-7b52-9d2e-3f1c0a9b8e77"
OTHERS = {
    Queue.WEBHOOKS: json.dumps({"webhookId": ID}),
    Queue.NOTICES: json.dumps({"visitId": ID, "recipient": "0" * 32, "stop": "bounced"}),
    Queue.SHEETS: json.dumps({"Records": [{"s3": {"object": {"key": f"uploads/{ID}"}}}]}),
}
"""What becomes a dead letter without any rows."""


@dataclass(frozen=True)
class Other:
    """Another queue of the stage with one dead letter, as the person on call has them all."""

    site: Site
    queue: Queue

    def __post_init__(self) -> None:
        fifo = {"FifoQueue": "true"} if self.queue.endswith(".fifo") else {}
        dead = self._made(self.queue.dead_letters, {"VisibilityTimeout": "30", **fifo})
        arn = self.site.box.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5})
        self._made(self.queue, {"VisibilityTimeout": "30", "RedrivePolicy": policy, **fifo})
        group: Any = {"MessageGroupId": ID, "MessageDeduplicationId": ID} if fifo else {}
        self.site.box.sqs.send_message(QueueUrl=dead, MessageBody=OTHERS[self.queue], **group)

    @property
    def letters(self) -> DeadLetterQueue:
        return DeadLetterQueue(
            self.site.box.sqs, self.queue, self._stage, self.site.api.services.signer, wait_seconds=0
        )

    def redrive(self, action: str) -> int:
        given = argparse.Namespace(action=action, stage="test", only=(), dry_run=False, yes=True)
        return redrive.run([self.site.letters, self.letters], given, self.site.api.services)

    def waiting(self) -> list[Any]:
        url = self.site.box.sqs.get_queue_url(QueueName=f"{self._stage}{self.queue}")["QueueUrl"]
        names: Any = {"MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"]}
        return self.site.box.sqs.receive_message(QueueUrl=url, **names).get("Messages", [])

    @property
    def _stage(self) -> str:
        return self.site.box.table.environment["QUEUE_NAME"]

    def _made(self, name: str, attributes: Any) -> str:
        return self.site.box.sqs.create_queue(QueueName=f"{self._stage}{name}", Attributes=attributes)["QueueUrl"]


@pytest.mark.parametrize("queue", OTHERS)
def test_dead_letters_of_every_queue_are_listed_and_replayed(
    site: Site, queue: Queue, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Other(site, queue)
    site.dead(partner_message(visit("every-1")))
    assert other.redrive("list") == redrive.OK
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[1:5] for line in lines if line[1] == queue.name.lower()] == [[queue.name.lower(), ID, "-", "-"]]

    assert other.redrive("replay") == redrive.OK

    assert "2 dead letters with 1 row sent again, 0 left" in capsys.readouterr().out
    (message,) = other.waiting()
    assert message["Body"] == OTHERS[queue]
    assert "MessageAttributes" not in message
    assert message["Attributes"].get("MessageGroupId") == (ID if queue is Queue.WEBHOOKS else None)
    assert (other.letters.look(), site.box.waiting()) == ([], 1)


@pytest.mark.parametrize("queue", OTHERS)
def test_a_discarded_letter_without_rows_is_gone(site: Site, queue: Queue, capsys: pytest.CaptureFixture[str]) -> None:
    other = Other(site, queue)
    assert other.redrive("discard") == redrive.OK
    assert "1 dead letter discarded, the outcome of 0 rows recorded, 0 left" in capsys.readouterr().out
    assert (other.letters.look(), other.waiting()) == ([], [])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--stage", "nowhere"], "There is no stage 'nowhere' in .chalice/config.json; there are: local"),
        (["--stage", "local", "--aws-port", "9"], "is `make run` running"),
        (["--stage", "local", "--queue", "mails"], "there are: intakes, webhooks, sheets, notices"),
    ],
)
def test_what_cannot_be_worked_with_is_told_in_a_sentence(options: list[str], told: str) -> None:
    command = [sys.executable, "-m", "tools.operate.redrive", "list", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == redrive.FAILED
    assert told in done.stderr
    assert "Traceback" not in done.stderr
