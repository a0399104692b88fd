"""`make redrive STAGE=... ACTION=list|replay|discard [DRY_RUN=1]`: looks at dead letters, replays or discards them.

Nothing of what is in a message is shown: rows are personal data. Every action receives the dead letters itself and
sends or deletes them one by one; SQS's own move task would give other producers' messages a new identity.

Replaying sends first and deletes then. A crash in between leaves a message in both queues, which is harmless: it names
its intake and chunk, or carries the id it had at first, so the second finds its outcomes recorded and changes nothing.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from tqdm import tqdm

from chalicelib.container import services
from chalicelib.domain.errors import StoreBusy
from chalicelib.domain.intakes import Chunk, IntakeNotFound
from chalicelib.edge.messages import Sending, UnreadableMessage, read_message
from chalicelib.services.signing import Signer
from chalicelib.settings import Settings
from devstack.failure import CannotGoOn
from tools.refusals import out_of_reach
from tools.stages import environment_of

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
        return f"{self.id:36}  {what}  {self.receives:>8}  {_age(self.age):>7}  {self.unreadable or ''}".rstrip()


HEADING: Final = (
    f"{'message':36}  {'intake':36}  {'chunk':>5}  {'rows':>4}  {'received':>8}  {'age':>7}  unreadable because"
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


def replay(queue: DeadLetterQueue, only: Collection[str], progress: "tqdm[Any]") -> Tally:
    """Sends the readable ones again."""
    tally = Tally()

    def act(letter: DeadLetter) -> bool:
        if why := not_replayable(letter):
            tally.left.append(f"{letter.id} stays: {why}")
            return False
        try:
            queue.send_again(letter)
        except StoreBusy:
            tally.left.append(f"{letter.id} stays: the table does not answer now")
            return False
        tally.done += 1
        tally.rows += len(letter.chunk.rows) if letter.chunk else 0
        return True

    queue.act(act, only, progress)
    return tally


def discard(
    queue: DeadLetterQueue, give_up: Callable[[Chunk], bool], only: Collection[str], progress: "tqdm[Any]"
) -> Tally:
    """Records the rows as rejected, so that their intake ends, and deletes the messages; unreadable ones just so."""
    tally = Tally()

    def act(letter: DeadLetter) -> bool:
        if letter.chunk is not None:
            try:
                if give_up(letter.chunk):
                    tally.rows += len(letter.chunk.rows)
            except IntakeNotFound:
                pass  # no intake waits for it: it is over 30 days old, or never was
            except StoreBusy:
                tally.left.append(f"{letter.id} stays: the table does not answer now")
                return False
        tally.done += 1
        return True

    queue.act(act, only, progress)
    return tally


def not_replayable(letter: DeadLetter) -> str | None:
    """Why sending it again is of no use, or not right."""
    if letter.unreadable:
        return f"unreadable ({letter.unreadable}); discard it, or replay with the code that can read it"
    if letter.age > OLDEST:
        return f"first sent over {OLDEST.days} days ago, as long as personal data stays in messages; discard it"
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


def _say(letters: Iterable[DeadLetter]) -> None:
    print(HEADING)
    for letter in letters:
        print(letter.line)


def _letters(number: int) -> str:
    return _counted(number, "dead letter")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _rows(letters: Iterable[DeadLetter]) -> int:
    return sum(len(letter.chunk.rows) for letter in letters if letter.chunk)


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise CannotGoOn(f"{question} To say yes without being asked: YES=1.")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def run(queue: DeadLetterQueue, given: argparse.Namespace, give_up: Callable[[Chunk], bool]) -> int:
    """One action. What is to be done is looked at first, and told."""
    only = given.only
    letters = queue.look(only)
    if missing := set(only) - {letter.id for letter in letters}:
        raise CannotGoOn(f"Not among the dead letters: {', '.join(sorted(missing))}.")
    if not letters:
        print(f"There are no dead letters in {given.stage}.")
        return OK
    _say(letters)
    unreadable = sum(letter.chunk is None for letter in letters)
    total = f"{_letters(len(letters))} with {_counted(_rows(letters), 'row')}, {unreadable} unreadable"
    if given.action == "list":
        print(total)
        return OK
    if given.dry_run:
        _say_dry(given.action, letters)
        return OK
    if given.action == "discard" and not given.yes:
        question = f"Discard {total}? The rows are recorded as rejected, what is unreadable is gone for good."
        if not _confirmed(question):
            print("Nothing was discarded.")
            return OK
    with tqdm(total=len(letters), desc=given.action, unit="", file=sys.stderr) as progress:
        if given.action == "replay":
            tally = replay(queue, only, progress)
            told = f"{_letters(tally.done)} with {_counted(tally.rows, 'row')} sent again"
        else:
            tally = discard(queue, give_up, only, progress)
            told = f"{_letters(tally.done)} discarded, the outcome of {_counted(tally.rows, 'row')} recorded"
    for line in tally.left:
        print(line)
    print(f"{told}, {len(tally.left)} left")
    return OK


def _say_dry(action: str, letters: Sequence[DeadLetter]) -> None:
    if action == "discard":
        unreadable = sum(letter.chunk is None for letter in letters)
        print(
            f"Dry run: would discard {_letters(len(letters))}, record {_counted(_rows(letters), 'row')} as rejected, "
            f"and delete {unreadable} unreadable for good. Nothing was changed."
        )
        return
    sent = [letter for letter in letters if not_replayable(letter) is None]
    for letter in letters:
        if why := not_replayable(letter):
            print(f"{letter.id} would stay: {why}")
    print(f"Dry run: would send {_letters(len(sent))} again, with {_counted(_rows(sent), 'row')}. Nothing was changed.")


def main(arguments: Sequence[str] | None = None) -> int:
    given = _arguments(arguments)
    try:
        os.environ.update(environment_of(given.stage, given.aws_port))
        settings = Settings.from_environment(os.environ)
        quick = Config(connect_timeout=3, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 3})
        queue = DeadLetterQueue(boto3.client("sqs", config=quick), settings.queue_name, services().signer)
        return run(queue, given, lambda chunk: services().worker.give_up(chunk))
    except CannotGoOn as why:
        print(why, file=sys.stderr)
    except (BotoCoreError, ClientError) as fault:
        print(out_of_reach("queue", given.stage, fault), file=sys.stderr)
    except StoreBusy:
        print("The table does not answer now. What was done stays done; try again.", file=sys.stderr)
    except KeyboardInterrupt:
        print("Stopped. What was done stays done; the rest is as it was.", file=sys.stderr)
        return INTERRUPTED
    return FAILED


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make redrive", description="Looks at dead letters, replays or discards them."
    )
    parser.add_argument("action", choices=("list", "replay", "discard"), help="what to do")
    parser.add_argument("--stage", required=True, help="a stage of .chalice/config.json")
    parser.add_argument("--only", type=_ids, default=(), help="ids of messages, separated by commas; otherwise all")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    parser.add_argument("--yes", action="store_true", help="discard without asking")
    parser.add_argument("--aws-port", type=int, default=4566, help="of the embedded AWS, for the stage local")
    return parser.parse_args(arguments)


def _ids(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (id.strip() for id in text.split(","))))


if __name__ == "__main__":
    sys.exit(main())
