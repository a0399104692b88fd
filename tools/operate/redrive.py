"""`make redrive STAGE=... ACTION=list|replay|discard`: looks at dead letters of all queues, replays or discards them.

Nothing of what is in a message is shown: rows are personal data. Every action receives the dead letters itself and
sends or deletes them one by one; SQS's own move task would give other producers' messages a new identity.

Replaying sends first and deletes then. A crash in between leaves a message in both queues, which is harmless: rows name
their intake and chunk, or carry the id they had at first, so the second finds its outcomes recorded and changes
nothing; the messages of all other queues only say what to look at.

It ends with 0 when all that was asked for is done, with 1 when letters are left, with 2 when it could not work.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from tqdm import tqdm

from chalicelib.container import over
from chalicelib.domain.errors import (
    IntakeNotFound,
    Unavailable,
)
from chalicelib.domain.intakes import (
    Chunk,
    ClaimLost,
)
from chalicelib.domain.spellings import UUID
from chalicelib.events.intake_queue import Sending, UnreadableMessage, read_message
from chalicelib.functions import Queue
from chalicelib.repositories.intake_queue import SqsQueue
from chalicelib.services.intakes import Intakes
from chalicelib.services.signing_keys import Signer
from chalicelib.services.wired import Services
from tools.failure import CannotGoOn
from tools.operate.refusals import out_of_reach
from tools.operate.stages import enter, sqs, table_of

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

OLDEST: Final = timedelta(days=14)
"""What was sent longer ago is not replayed: personal data stays in messages for that long, and intakes for 30 days."""

HELD_SECONDS: Final = 120
"""How long a message that is looked at is hidden, at most: it is released as soon as all have been seen."""
WAIT_SECONDS: Final = 1
BATCH: Final = 10

ABOUT: Final = re.compile(rf'(?:"(?:webhookId|visitId)": ?"|uploads/)({UUID.pattern})')
"""What a message without rows is about."""

CALLER: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

UNKNOWN: Final = "its intake is not in the table"
COLUMNS: Final = "{:36}  {:8}  {:36}  {:>5}  {:>4}  {:>8}  {:>7}  {}"

DONE: Final = {"replay": "{} with {} sent again", "discard": "{} discarded, the outcome of {} recorded"}

OK, LEFT, FAILED, INTERRUPTED = 0, 1, 2, 130


class Stays(Exception):
    """A dead letter stays where it is; the message says why."""


@dataclass(frozen=True)
class DeadLetter:
    """A message of a dead-letter queue: what may be told of it, and what it takes to act on it."""

    queue: Queue
    message: "MessageTypeDef" = field(repr=False)
    sending: Sending = field(repr=False)
    """The first one, also after a replay."""
    chunk: Chunk | None = field(repr=False)
    """The rows of an intake; an unreadable message has none, nor do those of the other queues."""
    unreadable: str
    """Why nobody can work it off, or nothing."""

    @classmethod
    def of(cls, queue: Queue, message: "MessageTypeDef", signer: Signer) -> "DeadLetter":
        attributes: Any = message.get("Attributes", {})
        own = {name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()}
        sending = Sending.of(message["MessageId"], attributes, own, message["Body"], signer)
        try:
            chunk = read_message(message["Body"], sending) if queue is Queue.INTAKES else None
        except UnreadableMessage as why:
            return cls(queue, message, sending, None, f"unreadable: {why} (sender {sending.sender})")
        return cls(queue, message, sending, chunk, "")

    @property
    def id(self) -> str:
        return self.sending.message_id

    @property
    def age(self) -> timedelta:
        return timedelta(seconds=max(0, round(time.time() - int(self.sending.timestamp) / 1000)))

    @property
    def rows(self) -> int:
        return len(self.chunk.rows) if self.chunk else 0

    def lost_in(self, lost: Collection[str]) -> bool:
        """Whether its intake is one of those that the table does not know."""
        return self.chunk is not None and self.chunk.intake_id in lost

    def stays(self, lost: Collection[str]) -> str:
        """Why sending it again is of no use, or not right; or nothing."""
        if self.lost_in(lost):
            return f"{UNKNOWN}: ask for its rows to be submitted again, and discard it"
        if self.unreadable:
            return f"{self.unreadable}; discard it, or deploy code that can read it and replay"
        if self.age > OLDEST:
            return f"first sent more than {OLDEST.days} days ago, the limit for personal data in messages; discard it"
        return ""

    def line(self, lost: Collection[str]) -> str:
        found = ABOUT.search(self.message["Body"])
        about = (found[1] if found else "-", "-", "-")
        chunk = (self.chunk.intake_id, self.chunk.number, self.rows) if self.chunk else about
        receives = self.message.get("Attributes", {}).get("ApproximateReceiveCount", "0")
        age = f"{self.age.total_seconds() / 3600:.1f} h"
        return COLUMNS.format(self.id, self.queue.name.lower(), *chunk, receives, age, self.stays(lost)).rstrip()


Act = Callable[["DeadLetterQueue", DeadLetter], int]
"""Does something to a letter of the queue; gives the number of its rows that it did it to. Raises Stays."""


class DeadLetterQueue:
    """The dead letters of one queue."""

    def __init__(
        self, sqs: "SQSClient", queue: Queue, stage_queue: str, signer: Signer, wait_seconds: int = WAIT_SECONDS
    ) -> None:
        """`stage_queue` is the name of the intakes' queue, with which the others' begin."""
        name = f"{stage_queue}{queue}"
        self._queue = queue
        self._sqs = sqs
        self._signer = signer
        self._wait_seconds = wait_seconds
        self._url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        told = sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["RedrivePolicy"]).get("Attributes", {})
        if "RedrivePolicy" not in told:
            raise CannotGoOn(f"The queue {name} has no dead-letter queue.")
        dead = json.loads(told["RedrivePolicy"])["deadLetterTargetArn"].rsplit(":", 1)[1]
        self._dead_url = sqs.get_queue_url(QueueName=dead)["QueueUrl"]

    def look(self, only: Collection[str] = ()) -> list[DeadLetter]:
        """All of them, or those with the given ids. They are released again at once, for others to see."""
        seen: list[DeadLetter] = []

        def note(_: DeadLetterQueue, letter: DeadLetter) -> int:
            seen.append(letter)
            raise Stays

        self.act(note, only, "looking")
        return seen

    def act(self, act: Act, only: Collection[str], doing: str) -> tuple[list[int], list[str]]:
        """Acts on each, and deletes it; gives the rows of each, and why others stay, which are released."""
        held: list[DeadLetter] = []
        done: list[int] = []
        left: list[str] = []
        try:
            for letter in tqdm(self._all(), desc=doing, unit="", leave=False, file=sys.stderr):
                held.append(letter)  # until it is done
                if only and letter.id not in only:
                    continue
                try:
                    done.append(act(self, letter))
                except (Stays, Unavailable) as why:
                    left.append(f"{letter.id} stays: {why if type(why) is Stays else 'the table does not respond'}")
                    continue
                self._sqs.delete_message(QueueUrl=self._dead_url, ReceiptHandle=letter.message["ReceiptHandle"])
                held.pop()
        finally:
            self._release(held)
        return done, left

    def send_again(self, letter: DeadLetter) -> None:
        """Puts it back on the main queue, as the message it was at first. Raises StoreBusy."""
        body = letter.message["Body"]
        first = letter.sending.attributes(body, self._signer) if letter.chunk else {}
        group = letter.message.get("Attributes", {}).get("MessageGroupId")
        fifo: Any = {"MessageGroupId": group, "MessageDeduplicationId": letter.id} if group else {}
        named: Any = {name: {"DataType": "String", "StringValue": value} for name, value in first.items()}
        self._sqs.send_message(QueueUrl=self._url, MessageBody=body, MessageAttributes=named, **fifo)

    def _all(self) -> Iterator[DeadLetter]:
        """Every message once; of a webhook, whose come one after the other, ten at most while those are held."""
        known: set[str] = set()
        while True:
            messages = self._sqs.receive_message(
                QueueUrl=self._dead_url,
                MaxNumberOfMessages=BATCH,
                VisibilityTimeout=HELD_SECONDS,
                WaitTimeSeconds=self._wait_seconds,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            letters = [DeadLetter.of(self._queue, message, self._signer) for message in messages]
            fresh = [letter for letter in letters if letter.message["MessageId"] not in known]
            if not fresh:  # none is left, or they come round again
                return self._release(letters)
            known |= {letter.message["MessageId"] for letter in fresh}
            yield from fresh

    def _release(self, letters: Sequence[DeadLetter]) -> None:
        for start in range(0, len(letters), BATCH):
            entries: Any = [
                {"Id": str(n), "ReceiptHandle": letter.message["ReceiptHandle"], "VisibilityTimeout": 0}
                for n, letter in enumerate(letters[start : start + BATCH])
            ]
            # One that cannot be released is visible again by itself, a little later.
            self._sqs.change_message_visibility_batch(QueueUrl=self._dead_url, Entries=entries)


def lost(letters: Iterable[DeadLetter], intakes: Intakes) -> frozenset[str]:
    """The intakes that their messages refer to and the table does not know: it was restored to a time before them."""
    ids = {letter.chunk.intake_id for letter in letters if letter.chunk and not letter.chunk.foreign}
    return frozenset(id for id in ids if not _known(intakes, id))


def _known(intakes: Intakes, id: str) -> bool:
    try:
        intakes.look_up(id)
    except IntakeNotFound:
        return False
    return True


def replay(lost: Collection[str], queue: DeadLetterQueue, letter: DeadLetter) -> int:
    """Sends it again; says how many rows it has. Raises Stays."""
    if why := letter.stays(lost):
        raise Stays(why)
    queue.send_again(letter)
    return letter.rows


def discard(services: Services, lost: Collection[str], _: DeadLetterQueue, letter: DeadLetter) -> int:
    """Records its rows as rejected, so that their intake ends; says how many. Raises Stays.

    Those of an unreadable one, or of a lost intake, are gone.
    """
    if letter.chunk is None:
        return 0
    try:
        return letter.rows if services.intake_worker.give_up(letter.chunk) else 0
    except IntakeNotFound:
        if not letter.lost_in(lost):
            raise Stays("the table no longer has its intake; list again") from None
        return 0
    except ClaimLost:
        raise Stays("a worker is processing it; retry in a minute") from None


def _say_lost(letters: Iterable[DeadLetter], lost: Collection[str]) -> None:
    """For those who handed it in: which rows of which intake. Never what is in them."""
    rows: dict[tuple[str, str], set[int]] = {}
    for letter in letters:
        if letter.chunk is not None and letter.lost_in(lost):
            # In a message of ours it is a key's name; whoever forges one could write anything there.
            producer = letter.chunk.producer if CALLER.fullmatch(letter.chunk.producer) else "somebody"
            numbers = rows.setdefault((producer, letter.chunk.intake_id), set())
            numbers |= {row.number for row in letter.chunk.rows}
    if rows:
        print("Rows to be submitted again, by producer and intake (docs/operations.md):")
    for (producer, intake), numbers in sorted(rows.items()):
        print(f"  {producer}: {intake}, {_counted(len(numbers), 'row')}: {_ranges(numbers)}")


def _ranges(numbers: Collection[int]) -> str:
    """Whole numbers as people write them: 0-24, 50-59."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ", ".join(f"{first}-{last}" if last > first else str(first) for first, last in ranges)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _total(letters: Collection[DeadLetter]) -> str:
    return f"{_counted(len(letters), 'dead letter')} with {_counted(sum(it.rows for it in letters), 'row')}"


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise CannotGoOn(f"{question} YES=1 skips the question.")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def run(queues: Sequence[DeadLetterQueue], given: argparse.Namespace, services: Services) -> int:
    """One action. What is to be done is looked at first, and told."""
    letters = [letter for queue in queues for letter in queue.look(given.only)]
    if missing := set(given.only) - {letter.id for letter in letters}:
        raise CannotGoOn(f"Not among the dead letters: {', '.join(sorted(missing))}.")
    if not letters:
        print(f"No dead letters in {given.stage}.")
        return OK
    gone: Collection[str] = ()
    try:
        gone = lost(letters, services.intakes)
    except (Unavailable, ClientError, BotoCoreError) as fault:
        print(f"The table does not respond ({type(fault).__name__}): whether it has their intakes is unknown.")
    print(COLUMNS.format("message", "queue", "about", "chunk", "rows", "received", "age", "why a replay fails"))
    for letter in letters:
        print(letter.line(gone))
    _say_lost(letters, gone)
    total = f"{_total(letters)}, {sum(bool(it.unreadable) for it in letters)} unreadable"
    if gone:
        total += f", {_counted(len(gone), 'intake')} not in the table"
    if given.action == "list":
        print(total)
        return OK
    if given.dry_run:
        sent = letters if given.action == "discard" else [letter for letter in letters if not letter.stays(gone)]
        print(f"Dry run: would {given.action} {_total(sent)}. Nothing was changed.")
        return OK
    question = f"Discard {total}? Rows are recorded as rejected, but for those of an unknown intake; the rest is gone."
    if given.action == "discard" and not given.yes and not _confirmed(question):
        print("Nothing was discarded.")
        return LEFT
    act = partial(replay if given.action == "replay" else partial(discard, services), gone)
    rows: list[int] = []
    left: list[str] = []
    for queue in queues:
        done, stay = queue.act(act, given.only, given.action)
        rows, left = rows + done, left + stay
    print(*left, sep="\n", end="\n" if left else "")
    print(
        f"{DONE[given.action].format(_counted(len(rows), 'dead letter'), _counted(sum(rows), 'row'))}, {len(left)} left"
    )
    return LEFT if left else OK


def main(arguments: Sequence[str] | None = None) -> int:
    given = _arguments(arguments)
    try:
        settings = enter(given.stage, given.aws_port)
        services = over(table_of(settings), SqsQueue(sqs, settings.queue_name))
        queues = [DeadLetterQueue(sqs(), queue, settings.queue_name, services.signer) for queue in given.queue]
        return run(queues, given, services)
    except CannotGoOn as why:
        print(why, file=sys.stderr)
    except (BotoCoreError, ClientError) as fault:
        print(out_of_reach("queue", given.stage, fault), file=sys.stderr)
    except Unavailable:
        print("The table does not respond. Finished work remains; retry.", file=sys.stderr)
    except KeyboardInterrupt:
        print("Stopped. Finished work remains; the rest is unchanged.", file=sys.stderr)
        return INTERRUPTED
    return FAILED


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make redrive", description="Lists, replays or discards dead letters.")
    parser.add_argument("action", choices=("list", "replay", "discard"), help="what to do")
    parser.add_argument("--stage", required=True, help="a stage of .chalice/config.json")
    parser.add_argument("--queue", type=_queues, default=tuple(Queue), help="one of the stage's queues; otherwise all")
    parser.add_argument("--only", type=_ids, default=(), help="ids of messages, separated by commas; otherwise all")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be done")
    parser.add_argument("--yes", action="store_true", help="discard without asking")
    parser.add_argument("--aws-port", type=int, default=4566, help="port of the embedded AWS, for the stage local")
    return parser.parse_args(arguments)


def _queues(text: str) -> tuple[Queue, ...]:
    if text and text.upper() not in Queue.__members__:
        raise argparse.ArgumentTypeError(f"there are: {', '.join(Queue.__members__).lower()}")
    return (Queue[text.upper()],) if text else tuple(Queue)


def _ids(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (id.strip() for id in text.split(","))))


if __name__ == "__main__":
    sys.exit(main())
