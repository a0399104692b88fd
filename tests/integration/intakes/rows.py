"""Rows of intakes, and what is told of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from botocore.awsrequest import AWSPreparedRequest
from botocore.httpsession import EndpointConnectionError

from chalicelib.domain.intakes import intake_id
from chalicelib.http.instants import instant_text
from chalicelib.repositories.intake_queue import SqsQueue
from chalicelib.repositories.intakes import manifest_key
from tests.integration.api import Api
from tests.integration.intake import hooked

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


FIRST_DAY = datetime(2027, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
NDJSON = {"Content-Type": "application/x-ndjson"}

Row = dict[str, Any]


def row(house: str, hour: int, **details: object) -> Row:
    """A visit of half an hour; equal hours meet."""
    return {"propertyId": house, "date": instant_text(FIRST_DAY + hour * HOUR), **details}


def rows(house: str, count: int, first: int = 0) -> list[Row]:
    return [row(house, first + n, externalId=f"{house}-{first + n}") for n in range(count)]


def hand_in(api: Api, visits: list[Row], key: str | None = None) -> str:
    """Where the intake is."""
    answer = api.post("/intakes", {"visits": visits}, key)
    assert answer.status_code == 202, answer.text
    return answer.headers["Location"]


def intake(api: Api, location: str) -> dict[str, Any]:
    answer = api.get(location)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def counts(api: Api, location: str) -> tuple[str, int, int, int, int]:
    found = intake(api, location)
    return (found["status"], *(found["counts"][name] for name in ("total", "created", "duplicate", "rejected")))


def results(api: Api, location: str) -> list[dict[str, Any]]:
    answer = api.get(f"{location}/results", limit=100)
    assert answer.status_code == 200, answer.text
    assert answer.json()["nextCursor"] is None
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def problem_of(result: dict[str, Any]) -> str:
    kind: str = result["problem"]["type"]
    return kind.removeprefix("urn:visits:problem:")


def visits_at(api: Api, house: str) -> list[dict[str, Any]]:
    found = api.get("/visits", propertyId=house, from_=instant_text(FIRST_DAY), limit=100)
    assert found.status_code == 200, found.text
    visits: list[dict[str, Any]] = found.json()["items"]
    return visits


def partners(message_id: str, source: str = "partner") -> str:
    """Where the intake of another producer's message is."""
    return f"/intakes/{intake_id('source', source, message_id)}"


def sqs_of(api: Api) -> SQSClient:
    """The app's own client, for faults to be put in."""
    return cast(SqsQueue, api.services.queue)._client


def sent_to(client: Any, operation: str) -> Any:
    """While open, the list of an operation's requests."""
    return _Recording(client, operation)


class _Recording:
    def __init__(self, client: Any, operation: str) -> None:
        self.requests: list[Any] = []
        self._hook = hooked(client, operation, self._note)

    def _note(self, request: AWSPreparedRequest, **_: object) -> None:
        body: Any = request.body
        self.requests.append(json.loads(body))

    def __enter__(self) -> list[Any]:
        self._hook.__enter__()
        return self.requests

    def __exit__(self, *exception: Any) -> None:
        self._hook.__exit__(*exception)


def down(request: AWSPreparedRequest, **_: object) -> None:
    """A hook: the service cannot be reached."""
    raise EndpointConnectionError(endpoint_url=request.url)


def failing_after(calls: int) -> Any:
    """A hook: the service takes so many calls and then cannot be reached."""
    seen = 0

    def hook(request: AWSPreparedRequest, **_: object) -> None:
        nonlocal seen
        seen += 1
        if seen > calls:
            down(request)

    return hook


def manifest_pk(location: str) -> str:
    return manifest_key(location.rsplit("/", 1)[-1])["pk"]
