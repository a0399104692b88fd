"""What comes back from DynamoDB, or does not, while something is wrong."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

import httpx
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from chalicelib.domain.errors import OutcomeUnknown, StoreBusy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


Answer = Callable[[AWSPreparedRequest], AWSResponse | None]


class _Raw(BytesIO):
    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


def refusal(code: str, status: int = 400, **members: object) -> Answer:
    """DynamoDB says no, and has done nothing."""
    body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "injected", **members})
    return lambda request: AWSResponse(request.url, status, HTTPHeaders(), _Raw(body.encode()))


def between(status: int, page: bytes) -> Answer:
    """What is between us and DynamoDB answers in its place."""
    return lambda request: AWSResponse(request.url, status, HTTPHeaders(), _Raw(page))


def cancelled_because(*codes: str) -> Answer:
    """A transaction is cancelled, each member for its reason; the last reason goes for all the rest."""

    def answer(request: AWSPreparedRequest) -> AWSResponse | None:
        members = len(json.loads(_text(request))["TransactItems"])
        given = [*codes, *itertools.repeat(codes[-1], members - len(codes))]
        return refusal("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in given])(request)

    return answer


def silence(fault: Callable[[str], Exception]) -> Answer:
    """Nothing comes back, and nothing was done."""

    def answer(request: AWSPreparedRequest) -> AWSResponse | None:
        raise fault(request.url)

    return answer


def lost(request: AWSPreparedRequest) -> AWSResponse | None:
    """It is done, but the answer is lost on its way."""
    done = httpx.post(request.url, headers=_headers(request), content=_text(request), verify=False)
    assert done.status_code < 500, done.text
    raise read_timeout(request.url)


def read_timeout(url: str) -> Exception:
    return ReadTimeoutError(endpoint_url=url)


def _text(request: AWSPreparedRequest) -> str:
    body: Any = request.body
    return body.decode() if isinstance(body, bytes) else str(body)


def _headers(request: AWSPreparedRequest) -> dict[str, str]:
    given: Any = request.headers  # text and bytes
    return {
        name: value.decode() if isinstance(value, bytes) else str(value)
        for name, value in given.items()
        if name.lower() != "content-length"
    }


@contextlib.contextmanager
def faults(client: DynamoDBClient, operation: str, answers: Iterable[Answer]) -> Iterator[list[dict[str, Any]]]:
    """The first requests get these answers, all further ones DynamoDB's own; gives every request that was sent."""
    waiting = iter(answers)
    seen: list[dict[str, Any]] = []

    def before_send(request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
        seen.append(json.loads(_text(request)))
        answer = next(waiting, None)
        return answer(request) if answer else None

    event = f"before-send.dynamodb.{operation}"
    hook: Any = before_send  # in the stubs a hook answers nothing
    client.meta.events.register(event, hook)
    try:
        yield seen
    finally:
        client.meta.events.unregister(event, hook)


CONFLICT = cancelled_because("TransactionConflict")
CANCELLED = [
    CONFLICT,
    cancelled_because("None", "ThrottlingError", "None"),
    cancelled_because("ProvisionedThroughputExceeded"),
]
NOT_TAKEN = [
    refusal("ThrottlingException"),
    refusal("ProvisionedThroughputExceededException"),
    refusal("RequestLimitExceeded"),
    silence(lambda url: ConnectTimeoutError(endpoint_url=url)),
    silence(lambda url: EndpointConnectionError(endpoint_url=url)),
]
UNDECIDED = [
    refusal("TransactionInProgressException"),
    refusal("InternalServerError", 500),
    refusal("ServiceUnavailable", 503),
    refusal("InternalFailure", 500),
    between(503, b"<html>Service Unavailable</html>"),
    between(502, b""),
    silence(read_timeout),
]
OVERLOADED = [*CANCELLED, *NOT_TAKEN, *UNDECIDED]
TOLD = [*((fault, StoreBusy) for fault in [*CANCELLED, *NOT_TAKEN]), *((fault, OutcomeUnknown) for fault in UNDECIDED)]
