"""Faults at the boundary to AWS, drawn from a seed: for every call, whether it fails, how, and whether it took effect.

What befalls a call depends on the seed, on what the call is about, and on how often that was asked before; not on
time or on which thread came first. So the same seed hits the same rows again. A few fates are sure.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from enum import StrEnum
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from botocore.httpsession import URLLib3Session

from chalicelib.aws.clients import SENDER

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

OUTAGE_CALLS = 16
"""An outage fails so many calls about the same thing in a row: more than botocore and we try at once."""


class Fate(StrEnum):
    THROTTLED = "throttled"
    BROKEN = "broken before it took effect"
    UNREACHABLE = "unreachable"
    OUTAGE = "outage"
    BROKEN_AFTER = "broken after it took effect"
    NO_ANSWER = "took effect, no answer came"
    TWICE = "took effect twice"
    PARTLY = "a batch taken in part"
    PARTLY_DENIED = "a batch taken, in part denied"
    KILLED = "worker killed before"
    KILLED_AFTER = "worker killed after it took effect"


Odds = Mapping[Fate, float]

ODDS: Odds = {
    Fate.THROTTLED: 0.01,
    Fate.BROKEN: 0.005,
    Fate.UNREACHABLE: 0.005,
    Fate.BROKEN_AFTER: 0.01,
    Fate.NO_ANSWER: 0.01,
    Fate.TWICE: 0.01,
}
BATCH_ODDS: Odds = {Fate.PARTLY: 0.2, Fate.PARTLY_DENIED: 0.2}
OUTAGE_ODDS: Mapping[str, float] = {"SendMessageBatch": 0.12, "PutItem": 0.02}
LEAST_OUTAGE_ODDS = 0.002
KILL_ODDS: Mapping[str, float] = {"TransactWriteItems": 0.0006, "UpdateItem": 0.01, "DeleteMessageBatch": 0.02}

DOWN_AT_FIRST = 32
"""So many calls of four callers: one of them is refused, who tries eight times."""
SURE: Mapping[str, Mapping[int, Fate]] = {
    "SendMessageBatch": {
        **dict.fromkeys(range(DOWN_AT_FIRST), Fate.OUTAGE),
        DOWN_AT_FIRST + 1: Fate.PARTLY,
        DOWN_AT_FIRST + 2: Fate.PARTLY_DENIED,
    },
    "DeleteMessageBatch": {5: Fate.KILLED, 10: Fate.KILLED_AFTER},
}
"""By the number of the call among all of its kind: what is rare, and befalls somebody in every run."""


class Killed(BaseException):
    """The process ends here: no `except Exception` sees it, and nothing that it holds is given back."""


class Chaos:
    """Draws fates, and counts them."""

    def __init__(self, seed: int, kill_more: int = 1) -> None:
        self.seed = seed
        self.seen: Counter[Fate] = Counter()
        self._kill_more = kill_more
        self._calls: Counter[str] = Counter()
        self._lock = threading.Lock()

    def fate(self, operation: str, about: str, mortal: bool) -> Fate | None:
        """What befalls the next call about this."""
        with self._lock:
            number = self._calls[f"{operation} {about}"]
            self._calls[f"{operation} {about}"] += 1
            among_all = self._calls[operation]
            self._calls[operation] += 1
        sure = SURE.get(operation, {}).get(among_all)
        fate = sure or self._draw(operation, about, number, mortal)
        if fate is not None:
            with self._lock:
                self.seen[fate] += 1
        return fate

    def chance(self, *about: object) -> random.Random:
        """A generator for whatever else is left to chance."""
        return random.Random(f"{self.seed} {about}")

    def _draw(self, operation: str, about: str, number: int, mortal: bool) -> Fate | None:
        outage = OUTAGE_ODDS.get(operation, LEAST_OUTAGE_ODDS)
        if self.chance("outage", operation, about, number // OUTAGE_CALLS).random() < outage:
            return Fate.OUTAGE
        drawn = self.chance(operation, about, number).random()
        kill = KILL_ODDS.get(operation, 0) * self._kill_more if mortal else 0
        odds = {**(BATCH_ODDS if operation == "SendMessageBatch" else {}), **ODDS}
        for fate, share in {**odds, Fate.KILLED: kill / 2, Fate.KILLED_AFTER: kill / 2}.items():
            if drawn < share:
                return fate
            drawn -= share
        return None


class Process:
    """A process whose calls go through the chaos; once it is killed, none of its calls gets through any more."""

    def __init__(self, chaos: Chaos, name: str, mortal: bool) -> None:
        self.dead = False
        self._chaos = chaos
        self._name = name
        self._mortal = mortal
        self._wire = URLLib3Session(max_pool_connections=50)

    def watch(self, *clients: DynamoDBClient | SQSClient) -> None:
        for client in clients:
            # What gets through is sent here.
            client.meta.events.unregister("before-send", unique_id=SENDER)
            client.meta.events.register(f"before-send.{client.meta.service_model.service_name}", self._befall)

    def spare(self, *clients: DynamoDBClient | SQSClient) -> None:
        for client in clients:
            client.meta.events.unregister(f"before-send.{client.meta.service_model.service_name}", self._befall)
        self._wire.close()

    def _befall(self, request: AWSPreparedRequest, event_name: str, **_: object) -> Any:
        if self.dead:
            raise Killed
        operation = event_name.rsplit(".", 1)[-1]
        body = cast(bytes, request.body)
        about = _about(operation, body, self._name)
        match self._chaos.fate(operation, about, self._mortal) if about else None:
            case None:
                return None
            case Fate.THROTTLED:
                return answer(request, 400, {"__type": "x#ThrottlingException", "message": "injected"})
            case Fate.BROKEN | Fate.OUTAGE:
                return answer(request, 500, {"__type": "x#InternalServerError", "message": "injected"})
            case Fate.UNREACHABLE:
                raise EndpointConnectionError(endpoint_url=request.url)
            case Fate.BROKEN_AFTER:
                self._send(request)
                return answer(request, 500, {"__type": "x#InternalServerError", "message": "injected"})
            case Fate.NO_ANSWER:
                self._send(request)
                raise ReadTimeoutError(endpoint_url=request.url)
            case Fate.TWICE:
                self._send(request)
                return None
            case Fate.PARTLY:
                return self._in_part(request, body, denied_ones_too=False)
            case Fate.PARTLY_DENIED:
                return self._in_part(request, body, denied_ones_too=True)
            case Fate.KILLED:
                self.dead = True
                raise Killed
            case Fate.KILLED_AFTER:
                self._send(request)
                self.dead = True
                raise Killed

    def _send(self, request: AWSPreparedRequest) -> AWSResponse:
        return self._wire.send(request)

    def _in_part(self, request: AWSPreparedRequest, body: bytes, denied_ones_too: bool) -> AWSResponse:
        """SQS answers for every message by itself; what it denies it may have taken nevertheless."""
        batch = json.loads(body)
        denied = {entry["Id"] for entry in batch["Entries"][1::2]}
        if not denied_ones_too:
            batch["Entries"] = [entry for entry in batch["Entries"] if entry["Id"] not in denied]
            request.body = json.dumps(batch).encode()
            del request.headers["Content-Length"]
            request.headers["Content-Length"] = str(len(request.body))
        taken = json.loads(self._send(request).content)
        taken["Successful"] = [entry for entry in taken["Successful"] if entry["Id"] not in denied]
        taken["Failed"] = [{"Id": id, "Code": "InternalError", "SenderFault": False} for id in sorted(denied)]
        return answer(request, 200, taken)


def answer(request: AWSPreparedRequest, status: int, body: object) -> AWSResponse:
    """An answer that no service gave."""
    headers: Any = {"Content-Type": "application/x-amz-json-1.0"}
    return AWSResponse(request.url, status, headers, cast(Any, _Raw(body)))


class _Raw(BytesIO):
    def __init__(self, body: object) -> None:
        super().__init__(json.dumps(body).encode())

    def stream(self) -> Iterator[bytes]:
        yield self.read()


_THINGS = re.compile(rb'"([VPNI]#[^"]+)"')


def _about(operation: str, body: bytes, process: str) -> str | None:
    """What a call is about: the row, the chunk, the messages. None for what the chaos leaves alone."""
    if operation in ("SendMessageBatch", "SendMessage"):
        return hashlib.sha256(body).hexdigest()
    if operation in ("DeleteMessageBatch", "ReceiveMessage", "GetQueueUrl"):
        return process
    # The visit of a transaction, the key of anything else; API keys and the like are not what this is about.
    found = sorted(_THINGS.findall(body), reverse=True)
    if not found:
        return None
    kind = re.search(rb'"UpdateExpression":\s*"(\w+ \w+)', body)
    return f"{found[0].decode()} {kind[1].decode() if kind else ''}"
