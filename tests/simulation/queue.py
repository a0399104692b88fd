"""An SQS standard queue as the boto client shows it, and Lambda's event source that hands its messages out.

- At least once, in any order, now and then twice; a batch may be taken in part:
  https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues-at-least-once-delivery.html
  https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
- What a handler raises on comes back whole when its visibility timeout ends, what it names in `batchItemFailures`
  alone, if the mapping asks for that; after `maxReceiveCount` a message is a dead letter:
  https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from tests.simulation.store import Line
from tests.simulation.world import Actor, World

BATCH: Final = 10
VISIBILITY_SECONDS: Final = 360.0
RECEIVES: Final = 5
LAMBDA_SECONDS: Final = 60.0


@dataclass
class Message:
    id: str
    body: str
    sent: float
    visible_at: float
    receives: int = 0


@dataclass
class Queue:
    world: World
    watch: Callable[[Actor | None], None]
    """Sees every message that is taken."""
    waiting: dict[str, Message] = field(default_factory=dict)
    dead: list[Message] = field(default_factory=list)
    sent: int = 0

    def add(self, body: str) -> None:
        self.sent += 1
        self.watch(self.world.actor)
        id = f"00000000-0000-4000-8000-{self.sent:012d}"
        self.waiting[id] = Message(id, body, self.world.now, self.world.now)

    def receive(self, rng: Random) -> list[Message]:
        """A batch in any order; a message may also be handed out again while somebody has it."""
        ready = [m for m in self.waiting.values() if m.visible_at <= self.world.now or rng.random() < 0.05]
        rng.shuffle(ready)
        for message in ready:
            if message.receives >= RECEIVES and message.visible_at <= self.world.now:
                del self.waiting[message.id]
                self.dead.append(message)
        batch = [m for m in ready if m.id in self.waiting][:BATCH]
        for message in batch:
            message.receives += 1
            message.visible_at = self.world.now + VISIBILITY_SECONDS
        return batch

    def redrive(self) -> None:
        """What an operator does with dead letters. All are ours, and name their intake themselves."""
        for message in self.dead:
            self.add(message.body)
        self.dead.clear()

    def settle(self, batch: Sequence[Message], failed: Sequence[str]) -> None:
        """What Lambda does once the handler has returned."""
        for message in batch:
            if message.id not in failed:
                self.waiting.pop(message.id, None)


def event_of(batch: Sequence[Message]) -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": message.id,
                "receiptHandle": message.id,
                "body": message.body,
                "attributes": {
                    "SenderId": "AROAVISITS:api",
                    "SentTimestamp": str(int(message.sent * 1000)),
                    "ApproximateReceiveCount": str(message.receives),
                },
                "messageAttributes": {},
            }
            for message in batch
        ]
    }


class SqsClient:
    """What `repositories.intake_queue` calls of boto3's client."""

    def __init__(self, queue: Queue, line: Line) -> None:
        self._queue = queue
        self._line = line

    def get_queue_url(self, **_: str) -> dict[str, str]:
        return {"QueueUrl": "https://sqs.invalid/visits"}

    def send_message_batch(self, **request: Any) -> dict[str, Any]:
        return self._line.call("send", lambda: self._send(request["Entries"]), lambda: lambda: None)

    def delete_message_batch(self, **request: Any) -> dict[str, Any]:
        return self._line.call("delete", lambda: self._delete(request["Entries"]), lambda: lambda: None)

    def _send(self, entries: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        world = self._queue.world
        assert len(entries) <= BATCH
        assert world.actor is not None
        # Out of a whole batch SQS may take a part.
        refused = entries[1:] if len(entries) > 1 and world.actor.rng.random() < 0.1 else ()
        taken = [entry for entry in entries if entry not in refused]
        for entry in taken:
            self._queue.add(entry["MessageBody"])
        return {
            "Successful": [{"Id": entry["Id"]} for entry in taken],
            "Failed": [{"Id": entry["Id"], "SenderFault": False, "Code": "InternalError"} for entry in refused],
        }

    def _delete(self, entries: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        for entry in entries:
            self._queue.waiting.pop(entry["ReceiptHandle"], None)
        return {"Successful": [{"Id": entry["Id"]} for entry in entries], "Failed": []}
