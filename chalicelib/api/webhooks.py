"""Webhooks over HTTP: receivers of events, their secrets, and how far each has come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from chalice.app import Request, Response
from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

from chalicelib.api.events import LONGEST_CURSOR, NOW, cursor_of, position_of
from chalicelib.domain import webhooks
from chalicelib.domain.events import EventType
from chalicelib.domain.webhooks import LONGEST_URL, Webhook, Why
from chalicelib.http import parsing
from chalicelib.http.answers import json_answer
from chalicelib.http.fields import IfAny, Input, InstantOut, Output
from chalicelib.http.queries import no_query
from chalicelib.http.urls import url

if TYPE_CHECKING:
    from chalicelib.services.wired import Services

RETRY_AFTER_SECONDS: Final = 2


def _type(text: str) -> str:
    if text not in TYPES:
        raise ValueError("is not a type of event we know here")
    return text


TYPES: Final = tuple(type.value for type in EventType)
TypeName = Annotated[str, AfterValidator(_type), WithJsonSchema({"type": "string", "enum": list(TYPES)})]


class WebhookInput(Input):
    """A receiver to be. Without `types` it gets every event."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_URL)]
    types: Annotated[list[TypeName], Field(max_length=len(TYPES))] | None = None


class FailingOutput(Output):
    """A receiver that does not take its next event. `answer` is its status, or why there is none."""

    since: InstantOut
    tries: int
    answer: str


class TestedOutput(Output):
    at: InstantOut
    answer: str


class WebhookOutput(Output):
    """A webhook as it stands. It goes on behind `cursor`, unless it is disabled."""

    id: str
    url: str
    types: list[EventType]
    status: Literal["active", "failing", "disabled"]
    cursor: str
    created_at: InstantOut
    failing: FailingOutput | None = IfAny
    disabled: Why | None = IfAny
    tested: TestedOutput | None = IfAny

    @classmethod
    def of(cls, webhook: Webhook) -> WebhookOutput:
        return cls(**_members(webhook))

    def about(self) -> Mapping[str, str]:
        return {"webhookId": self.id}


class WebhookSecretOutput(WebhookOutput):
    """With its secret, which is shown this once; receivers verify the signatures with it (Standard Webhooks)."""

    secret: str

    @classmethod
    def of(cls, webhook: Webhook) -> WebhookSecretOutput:
        return cls(**_members(webhook), secret=webhooks.shown(webhook.secret))


class WebhookList(Output):
    items: list[WebhookOutput]


def _cursor(text: str) -> str:
    if text != NOW:
        position_of(text)
    return text


class PositionInput(Input):
    """Where to go on: the `nextCursor` of a page of `GET /events`, or `now`."""

    after: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_CURSOR), AfterValidator(_cursor)]


def register(request: Request, services: Services) -> Response:
    body = parsing.parse_body(WebhookInput, request)
    types = frozenset(EventType(type) for type in body.types or ())
    webhook = services.webhooks.register(body.url, types)
    where = {"Location": url(request, "webhooks", webhook.id)}
    return json_answer(WebhookSecretOutput.of(webhook), where, status=201)


def list_all(request: Request, services: Services) -> Response:
    no_query(parsing.query_values(request))
    return json_answer(WebhookList(items=[WebhookOutput.of(webhook) for webhook in services.webhooks.all()]))


def get(request: Request, services: Services, webhook_id: str) -> Response:
    no_query(parsing.query_values(request))
    return json_answer(WebhookOutput.of(services.webhooks.get(parsing.webhook_id(webhook_id))))


def remove(request: Request, services: Services, webhook_id: str) -> Response:
    no_query(parsing.query_values(request))
    services.webhooks.remove(parsing.webhook_id(webhook_id))
    return Response("", status_code=204)


def go_on(request: Request, services: Services, webhook_id: str) -> Response:
    chosen = parsing.webhook_id(webhook_id)
    after = parsing.parse_body(PositionInput, request).after
    position = services.events.end() if after == NOW else position_of(after)
    return json_answer(WebhookOutput.of(services.webhooks.go_on_from(chosen, position)))


def renew_secret(request: Request, services: Services, webhook_id: str) -> Response:
    no_query(parsing.query_values(request))
    return json_answer(WebhookSecretOutput.of(services.webhooks.renew_secret(parsing.webhook_id(webhook_id))))


def ask_for_test(request: Request, services: Services, webhook_id: str) -> Response:
    no_query(parsing.query_values(request))
    webhook = services.webhooks.ask_for_test(parsing.webhook_id(webhook_id))
    where = {"Location": url(request, "webhooks", webhook.id), "Retry-After": str(RETRY_AFTER_SECONDS)}
    return json_answer(WebhookOutput.of(webhook), where, status=202)


def _members(webhook: Webhook) -> dict[str, Any]:
    failing, tested = webhook.failing, webhook.tested
    return {
        "id": webhook.id,
        "url": webhook.url,
        "types": sorted(webhook.types),
        "status": "disabled" if webhook.disabled else "failing" if failing else "active",
        "cursor": cursor_of(webhook.position),
        "created_at": webhook.created_at,
        "failing": FailingOutput(since=failing.since, tries=failing.tries, answer=failing.answer) if failing else None,
        "disabled": webhook.disabled,
        "tested": TestedOutput(at=tested.at, answer=tested.answer) if tested else None,
    }
