"""`make redrive STAGE=... ACTION=list|replay|discard [DRY_RUN=1]`: looks at dead letters, replays or discards them.

Nothing of what is in a message is shown: rows are personal data. Every action receives the dead letters itself and
sends or deletes them one by one; SQS's own move task would give other producers' messages a new identity.

Replaying sends first and deletes then. A crash in between leaves a message in both queues, which is harmless: it names
its intake and chunk, or carries the id it had at first, so the second finds its outcomes recorded and changes nothing.
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
RELEASED_AT_ONCE: Final = 10

CALLER: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

UNKNOWN: Final = "its intake is not in the table"

OK, FAILED, INTERRUPTED = 0, 2, 130


@dataclass(frozen=True)
class DeadLetter:
    """A message of the dead-letter queue: what may be told of it, and what it takes to act on it."""

    message: "MessageTypeDef" = field(repr=False)
    sending: Sending = field(repr=False)
    """The first one, also after a replay."""
    receives: int
    chunk: Chunk | None = field(repr=False)
    unreadable: str | None
    """Why nobody can work it off, or None."""

    @property
    def id(self) -> str:
        return self.sending.message_id

    @property
    def age(self) -> timedelta:
        return timedelta(seconds=max(0, round(time.time() - int(self.sending.timestamp) / 1000)))

    @property
    def line(self) -> str:
        known = self.chunk
        if known is None:
            what = f"{'-':36}  {'-':>5}  {'-':>4}"
        else:
            what = f"{known.intake_id:36}  {known.number:>5}  {len(known.rows):>4}"
        return f"{self.id:36}  {what}  {self.receives:>8}  {_age(self.age):>7}"


HEADING: Final = (
    f"{'message':36}  {'intake':36}  {'chunk':>5}  {'rows':>4}  {'received':>8}  {'age':>7}  why a replay fails"
)


class DeadLetterQueue:
    """The dead letters of one queue."""

    def __init__(self, sqs: "SQSClient", queue: str, signer: Signer, wait_seconds: int = WAIT_SECONDS) -> None:
        self._sqs = sqs
        self._signer = signer
        self._wait_seconds = wait_seconds
        self._url, self._dead_url = _urls(sqs, queue)

    def look(self, only: Collection[str] = ()) -> list[DeadLetter]:
        """All of them, or those with the given ids. They are released again at once, for others to see."""
        seen: list[DeadLetter] = []
        try:
            for _ in tqdm(self._all(seen), desc="looking", unit="", leave=False, file=sys.stderr):
                pass
        finally:
            self._release(seen)
        return [letter for letter in seen if not only or letter.id in only]

    def act(self, act: Callable[[DeadLetter], bool], only: Collection[str], progress: "tqdm[Any]") -> None:
        """Calls the function for each; those for which it says False stay, and are released."""
        left: list[DeadLetter] = []
        try:
            for letter in self._all([]):
                left.append(letter)  # until it is done
                if only and letter.id not in only:
                    continue
                if act(letter):
                    self._delete(letter)
                    left.pop()
                progress.update()
        finally:
            self._release(left)

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

    def _all(self, seen: list[DeadLetter]) -> Iterator[DeadLetter]:
        """Every message once; what is received is noted in `seen` before it is given."""
        known: set[str] = set()
        while True:
            answer = self._sqs.receive_message(
                QueueUrl=self._dead_url,
                MaxNumberOfMessages=BATCH,
                VisibilityTimeout=HELD_SECONDS,
                WaitTimeSeconds=self._wait_seconds,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            letters = [_letter(message, self._signer) for message in answer.get("Messages", [])]
            fresh = [letter for letter in letters if letter.message["MessageId"] not in known]
            if not fresh:  # none is left, or they come round again
                self._release(letters)
                return
            seen += fresh
            known |= {letter.message["MessageId"] for letter in fresh}
            yield from fresh

    def _delete(self, letter: DeadLetter) -> None:
        self._sqs.delete_message(QueueUrl=self._dead_url, ReceiptHandle=letter.message["ReceiptHandle"])

    def _release(self, letters: Sequence[DeadLetter]) -> None:
        for start in range(0, len(letters), RELEASED_AT_ONCE):
            entries: Any = [
                {"Id": str(n), "ReceiptHandle": letter.message["ReceiptHandle"], "VisibilityTimeout": 0}
                for n, letter in enumerate(letters[start : start + RELEASED_AT_ONCE])
            ]
            # One that cannot be released is visible again by itself, a little later.
            self._sqs.change_message_visibility_batch(QueueUrl=self._dead_url, Entries=entries)


@dataclass
class Tally:
    """What an action came to."""

    done: int = 0
    rows: int = 0
    left: list[str] = field(default_factory=list)
    """Why others stay, a line each."""


def known(intakes: Intakes, id: str) -> bool:
    """Whether the table has the intake."""
    try:
        intakes.look_up(id)
    except IntakeNotFound:
        return False
    return True


def lost(letters: Iterable[DeadLetter], known: Callable[[str], bool]) -> frozenset[str]:
    """The intakes that their messages refer to and the table does not know: it was restored to a time before them."""
    ids = {letter.chunk.intake_id for letter in letters if letter.chunk and not letter.chunk.foreign}
    return frozenset(id for id in sorted(ids) if not known(id))


def replay(queue: DeadLetterQueue, lost: Collection[str], only: Collection[str], progress: "tqdm[Any]") -> Tally:
    """Sends those again that are of use."""
    tally = Tally()

    def act(letter: DeadLetter) -> bool:
        if why := not_replayable(letter, lost):
            tally.left.append(f"{letter.id} stays: {why}")
            return False
        try:
            queue.send_again(letter)
        except Unavailable:
            tally.left.append(f"{letter.id} stays: the table does not respond")
            return False
        tally.done += 1
        tally.rows += len(letter.chunk.rows) if letter.chunk else 0
        return True

    queue.act(act, only, progress)
    return tally


def discard(
    queue: DeadLetterQueue,
    give_up: Callable[[Chunk], bool],
    lost: Collection[str],
    only: Collection[str],
    progress: "tqdm[Any]",
) -> Tally:
    """Records the rows as rejected, so that their intake ends, and deletes the messages.

    Unreadable ones, and those of lost intakes, are just deleted.
    """
    tally = Tally()

    def act(letter: DeadLetter) -> bool:
        if letter.chunk is not None:
            try:
                if give_up(letter.chunk):
                    tally.rows += len(letter.chunk.rows)
            except IntakeNotFound:
                if letter.chunk.intake_id not in lost:
                    tally.left.append(f"{letter.id} stays: the table no longer has its intake; list again")
                    return False
            except ClaimLost:
                tally.left.append(f"{letter.id} stays: a worker is processing it; retry in a minute")
                return False
            except Unavailable:
                tally.left.append(f"{letter.id} stays: the table does not respond")
                return False
        tally.done += 1
        return True

    queue.act(act, only, progress)
    return tally


def not_replayable(letter: DeadLetter, lost: Collection[str]) -> str | None:
    """Why sending it again is of no use, or not right."""
    if letter.chunk is not None and letter.chunk.intake_id in lost:
        return f"{UNKNOWN}, so it would fail again; ask for its rows to be submitted again, and discard it"
    if letter.unreadable:
        return f"unreadable ({letter.unreadable}); discard it, or deploy code that can read it and replay"
    if letter.age > OLDEST:
        return f"first sent more than {OLDEST.days} days ago, the limit for personal data in messages; discard it"
    return None


def _letter(message: "MessageTypeDef", signer: Signer) -> DeadLetter:
    attributes: Any = message.get("Attributes", {})
    own = {name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()}
    sending = Sending.of(message["MessageId"], attributes, own, message["Body"], signer)
    chunk = unreadable = None
    try:
        chunk = read_message(message["Body"], sending)
    except UnreadableMessage as why:
        unreadable = f"{why} (sender {sending.sender})"
    return DeadLetter(
        message=message,
        sending=sending,
        receives=int(attributes.get("ApproximateReceiveCount", 0)),
        chunk=chunk,
        unreadable=unreadable,
    )


def _urls(sqs: "SQSClient", queue: str) -> tuple[str, str]:
    """Of the queue, and of the one that its redrive policy names."""
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    sources = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"]).get("Attributes", {})
    if "RedrivePolicy" not in sources:
        raise CannotGoOn(f"The queue {queue} has no dead-letter queue.")
    policy = json.loads(sources["RedrivePolicy"])
    return url, sqs.get_queue_url(QueueName=policy["deadLetterTargetArn"].rsplit(":", 1)[1])["QueueUrl"]


def _age(age: timedelta) -> str:
    if age.days:
        return f"{age.days} d {age.seconds // 3600:>2} h"
    hours, minutes = divmod(age.seconds // 60, 60)
    return f"{hours} h {minutes:>2} m" if hours else f"{minutes} min"


def _say(letters: Iterable[DeadLetter], lost: Collection[str]) -> None:
    print(HEADING)
    for letter in letters:
        unknown = letter.chunk is not None and letter.chunk.intake_id in lost
        print(f"{letter.line}  {letter.unreadable or (UNKNOWN if unknown else '')}".rstrip())


def _say_lost(letters: Iterable[DeadLetter], lost: Collection[str]) -> None:
    """For those who handed it in: which rows of which intake. Never what is in them."""
    rows: dict[tuple[str, str], set[int]] = {}
    for letter in letters:
        chunk = letter.chunk
        if chunk is not None and chunk.intake_id in lost:
            # In a message of ours it is a key's name; whoever forges one could write anything there.
            producer = chunk.producer if CALLER.fullmatch(chunk.producer) else "somebody"
            rows.setdefault((producer, chunk.intake_id), set()).update(row.number for row in chunk.rows)
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


def _letters(number: int) -> str:
    return _counted(number, "dead letter")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _rows(letters: Iterable[DeadLetter]) -> int:
    return sum(len(letter.chunk.rows) for letter in letters if letter.chunk)


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise CannotGoOn(f"{question} YES=1 skips the question.")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def run(
    queue: DeadLetterQueue,
    given: argparse.Namespace,
    give_up: Callable[[Chunk], bool],
    known: Callable[[str], bool],
) -> int:
    """One action. What is to be done is looked at first, and told."""
    only = given.only
    letters = queue.look(only)
    if missing := set(only) - {letter.id for letter in letters}:
        raise CannotGoOn(f"Not among the dead letters: {', '.join(sorted(missing))}.")
    if not letters:
        print(f"No dead letters in {given.stage}.")
        return OK
    gone: Collection[str] = ()
    try:
        gone = lost(letters, known)
    except (Unavailable, ClientError, BotoCoreError) as fault:
        print(f"The table does not respond ({type(fault).__name__}): whether it has their intakes is unknown.")
    _say(letters, gone)
    _say_lost(letters, gone)
    unreadable = sum(letter.chunk is None for letter in letters)
    total = f"{_letters(len(letters))} with {_counted(_rows(letters), 'row')}, {unreadable} unreadable"
    if gone:
        total += f", {_counted(len(gone), 'intake')} not in the table"
    if given.action == "list":
        print(total)
        return OK
    if given.dry_run:
        _say_dry(given.action, letters, gone)
        return OK
    if given.action == "discard" and not given.yes:
        question = (
            f"Discard {total}? The rows are recorded as rejected; what is unreadable, or of an unknown intake, is gone "
            "for good."
        )
        if not _confirmed(question):
            print("Nothing was discarded.")
            return OK
    with tqdm(total=len(letters), desc=given.action, unit="", file=sys.stderr) as progress:
        if given.action == "replay":
            tally = replay(queue, gone, only, progress)
            told = f"{_letters(tally.done)} with {_counted(tally.rows, 'row')} sent again"
        else:
            tally = discard(queue, give_up, gone, only, progress)
            told = f"{_letters(tally.done)} discarded, the outcome of {_counted(tally.rows, 'row')} recorded"
    for line in tally.left:
        print(line)
    print(f"{told}, {len(tally.left)} left")
    return OK


def _say_dry(action: str, letters: Sequence[DeadLetter], lost: Collection[str]) -> None:
    if action == "discard":
        ended = [letter for letter in letters if letter.chunk is not None and letter.chunk.intake_id not in lost]
        print(
            f"Dry run: would discard {_letters(len(letters))}, record {_counted(_rows(ended), 'row')} as rejected, "
            f"and delete {len(letters) - len(ended)} for good. Nothing was changed."
        )
        return
    sent = [letter for letter in letters if not_replayable(letter, lost) is None]
    for letter in letters:
        if why := not_replayable(letter, lost):
            print(f"{letter.id} would stay: {why}")
    print(f"Dry run: would send {_letters(len(sent))} again, with {_counted(_rows(sent), 'row')}. Nothing was changed.")


def main(arguments: Sequence[str] | None = None) -> int:
    given = _arguments(arguments)
    try:
        settings = enter(given.stage, given.aws_port)
        services = over(table_of(settings), SqsQueue(sqs, settings.queue_name))
        queue = DeadLetterQueue(sqs(), settings.queue_name, services.signer)
        return run(queue, given, services.intake_worker.give_up, lambda id: known(services.intakes, id))
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
