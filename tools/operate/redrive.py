"""`make redrive STAGE=... ACTION=list|replay|discard [DRY_RUN=1]`: looks at dead letters, replays or discards them.

Nothing of what is in a message is shown: rows are personal data. Every action receives the dead letters itself and
sends or deletes them one by one; SQS's own move task would give other producers' messages a new identity.

Replaying sends first and deletes then. A crash in between leaves a message in both queues, which is harmless: it names
its intake and chunk, or carries the id it had at first, so the second finds its outcomes recorded and changes nothing.

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
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from tqdm import tqdm

from chalicelib.container import over
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.intakes import Chunk, ClaimLost, IntakeNotFound
from chalicelib.events.intake_queue import Sending, UnreadableMessage, read_message
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
WAIT_SECONDS: Final = 2
BATCH: Final = 10

CALLER: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

UNKNOWN: Final = "its intake is not in the table"
COLUMNS: Final = "{:36}  {:36}  {:>5}  {:>4}  {:>8}  {:>7}  {}"

OK, LEFT, FAILED, INTERRUPTED = 0, 1, 2, 130


class Stays(Exception):
    """A dead letter stays where it is; the message says why."""


@dataclass(frozen=True)
class DeadLetter:
    """A message of the dead-letter queue: what may be told of it, and what it takes to act on it."""

    message: "MessageTypeDef" = field(repr=False)
    sending: Sending = field(repr=False)
    """The first one, also after a replay."""
    chunk: Chunk | None = field(repr=False)
    unreadable: str
    """Why nobody can work it off, or nothing."""

    @classmethod
    def of(cls, message: "MessageTypeDef", signer: Signer) -> "DeadLetter":
        attributes: Any = message.get("Attributes", {})
        own = {name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()}
        sending = Sending.of(message["MessageId"], attributes, own, message["Body"], signer)
        try:
            return cls(message, sending, read_message(message["Body"], sending), "")
        except UnreadableMessage as why:
            return cls(message, sending, None, f"{why} (sender {sending.sender})")

    @property
    def id(self) -> str:
        return self.sending.message_id

    @property
    def age(self) -> timedelta:
        return timedelta(seconds=max(0, round(time.time() - int(self.sending.timestamp) / 1000)))

    @property
    def rows(self) -> int:
        return len(self.chunk.rows) if self.chunk else 0

    @property
    def line(self) -> str:
        chunk = (self.chunk.intake_id, self.chunk.number, self.rows) if self.chunk else ("-", "-", "-")
        receives = self.message.get("Attributes", {}).get("ApproximateReceiveCount", "0")
        hours, minutes = divmod(self.age.seconds // 60, 60)
        age = f"{self.age.days} d {hours:>2} h" if self.age.days else f"{hours} h {minutes:>2} m" if hours else None
        return COLUMNS.format(self.id, *chunk, receives, age or f"{minutes} min", self.unreadable).rstrip()

    def lost_in(self, lost: Collection[str]) -> bool:
        """Whether its intake is one of those that the table does not know."""
        return self.chunk is not None and self.chunk.intake_id in lost


class DeadLetterQueue:
    """The dead letters of one queue."""

    def __init__(self, sqs: "SQSClient", queue: str, signer: Signer, wait_seconds: int = WAIT_SECONDS) -> None:
        self._sqs = sqs
        self._signer = signer
        self._wait_seconds = wait_seconds
        self._url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        told = sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["RedrivePolicy"]).get("Attributes", {})
        if "RedrivePolicy" not in told:
            raise CannotGoOn(f"The queue {queue} has no dead-letter queue.")
        dead = json.loads(told["RedrivePolicy"])["deadLetterTargetArn"].rsplit(":", 1)[1]
        self._dead_url = sqs.get_queue_url(QueueName=dead)["QueueUrl"]

    def look(self, only: Collection[str] = ()) -> list[DeadLetter]:
        """All of them, or those with the given ids. They are released again at once, for others to see."""
        seen: list[DeadLetter] = []

        def note(letter: DeadLetter) -> None:
            seen.append(letter)
            raise Stays

        self.act(note, only, "looking")
        return seen

    def act(self, act: Callable[[DeadLetter], None], only: Collection[str], doing: str) -> list[str]:
        """Calls the function for each, and deletes it; gives why others stay, a line each. Those are released."""
        held: list[DeadLetter] = []
        left: list[str] = []
        try:
            for letter in tqdm(self._all(), desc=doing, unit="", leave=False, file=sys.stderr):
                held.append(letter)  # until it is done
                if only and letter.id not in only:
                    continue
                try:
                    act(letter)
                except (Stays, Unavailable) as why:
                    left.append(f"{letter.id} stays: {why if type(why) is Stays else 'the table does not respond'}")
                    continue
                self._sqs.delete_message(QueueUrl=self._dead_url, ReceiptHandle=letter.message["ReceiptHandle"])
                held.pop()
        finally:
            self._release(held)
        return left

    def send_again(self, letter: DeadLetter) -> None:
        """Puts it back on the main queue, as the message it was at first. Raises StoreBusy."""
        body = letter.message["Body"]
        self._sqs.send_message(
            QueueUrl=self._url,
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in letter.sending.attributes(body, self._signer).items()
            },
        )

    def _all(self) -> Iterator[DeadLetter]:
        """Every message once."""
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
            letters = [DeadLetter.of(message, self._signer) for message in messages]
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


def refuse_useless(letter: DeadLetter, lost: Collection[str]) -> None:
    """Raises Stays when sending it again is of no use, or not right."""
    if letter.lost_in(lost):
        raise Stays(f"{UNKNOWN}, so it would fail again; ask for its rows to be submitted again, and discard it")
    if letter.unreadable:
        raise Stays(f"unreadable ({letter.unreadable}); discard it, or deploy code that can read it and replay")
    if letter.age > OLDEST:
        days = OLDEST.days
        raise Stays(f"first sent more than {days} days ago, the limit for personal data in messages; discard it")


def give_up(letter: DeadLetter, services: Services, lost: Collection[str]) -> int:
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


def _say(letters: Iterable[DeadLetter], lost: Collection[str]) -> None:
    print(COLUMNS.format("message", "intake", "chunk", "rows", "received", "age", "why a replay fails"))
    for letter in letters:
        print(f"{letter.line}  {UNKNOWN}" if letter.lost_in(lost) else letter.line)


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


def run(queue: DeadLetterQueue, given: argparse.Namespace, services: Services) -> int:
    """One action. What is to be done is looked at first, and told."""
    letters = queue.look(given.only)
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
    _say(letters, gone)
    _say_lost(letters, gone)
    total = f"{_total(letters)}, {sum(letter.chunk is None for letter in letters)} unreadable"
    if gone:
        total += f", {_counted(len(gone), 'intake')} not in the table"
    if given.action == "list":
        print(total)
        return OK
    if given.dry_run:
        return _say_dry(given.action, letters, gone)
    if given.action == "replay":
        return _replay(queue, given.only, gone)
    return _discard(queue, given, services, gone, total)


def _replay(queue: DeadLetterQueue, only: Collection[str], lost: Collection[str]) -> int:
    sent: list[DeadLetter] = []

    def act(letter: DeadLetter) -> None:
        refuse_useless(letter, lost)
        queue.send_again(letter)
        sent.append(letter)

    left = queue.act(act, only, "replay")
    return _say_done(f"{_total(sent)} sent again", left)


def _discard(
    queue: DeadLetterQueue, given: argparse.Namespace, services: Services, lost: Collection[str], total: str
) -> int:
    question = (
        f"Discard {total}? The rows are recorded as rejected; what is unreadable, or of an unknown intake, is gone "
        "for good."
    )
    if not given.yes and not _confirmed(question):
        print("Nothing was discarded.")
        return LEFT
    recorded: list[int] = []
    left = queue.act(lambda letter: recorded.append(give_up(letter, services, lost)), given.only, "discard")
    done = f"{_counted(len(recorded), 'dead letter')} discarded"
    return _say_done(f"{done}, the outcome of {_counted(sum(recorded), 'row')} recorded", left)


def _say_done(told: str, left: Collection[str]) -> int:
    for line in left:
        print(line)
    print(f"{told}, {len(left)} left")
    return LEFT if left else OK


def _say_dry(action: str, letters: Sequence[DeadLetter], lost: Collection[str]) -> int:
    if action == "discard":
        ended = [letter for letter in letters if letter.chunk is not None and not letter.lost_in(lost)]
        print(
            f"Dry run: would discard {_counted(len(letters), 'dead letter')}, "
            f"record {_counted(sum(letter.rows for letter in ended), 'row')} as rejected, "
            f"and delete {len(letters) - len(ended)} for good. Nothing was changed."
        )
        return OK
    sent = []
    for letter in letters:
        try:
            refuse_useless(letter, lost)
            sent.append(letter)
        except Stays as why:
            print(f"{letter.id} would stay: {why}")
    print(f"Dry run: would send again {_total(sent)}. Nothing was changed.")
    return OK


def main(arguments: Sequence[str] | None = None) -> int:
    given = _arguments(arguments)
    try:
        settings = enter(given.stage, given.aws_port)
        services = over(table_of(settings), SqsQueue(sqs, settings.queue_name))
        return run(DeadLetterQueue(sqs(), settings.queue_name, services.signer), given, services)
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
    parser.add_argument("--only", type=_ids, default=(), help="ids of messages, separated by commas; otherwise all")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be done")
    parser.add_argument("--yes", action="store_true", help="discard without asking")
    parser.add_argument("--aws-port", type=int, default=4566, help="port of the embedded AWS, for the stage local")
    return parser.parse_args(arguments)


def _ids(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (id.strip() for id in text.split(","))))


if __name__ == "__main__":
    sys.exit(main())
