"""Visitors over HTTP: everything of one person. Whose it is travels in the body, never in an address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from chalice.app import Request, Response
from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from chalicelib.api.listing import VisitPage
from chalicelib.api.visits import VisitOutput
from chalicelib.domain.visitors import Contact
from chalicelib.http import parsing
from chalicelib.http.answers import json_answer
from chalicelib.http.callers import caller_name
from chalicelib.http.cursors import Cursors
from chalicelib.http.fields import Email, Input, Output, Phone, never, whole
from chalicelib.http.queries import DEFAULT_LIMIT, HIGHEST_LIMIT, LONGEST_CURSOR
from chalicelib.journal import note

if TYPE_CHECKING:
    from chalicelib.services.wired import Services


class ContactInput(Input):
    """Who it is about: an e-mail address or a telephone number."""

    model_config = ConfigDict(
        json_schema_extra=never(
            {
                "anyOf": [
                    {"properties": {name: {"type": kind} for name in ("email", "phone")}, "required": required}
                    for kind, required in (("null", []), ("string", ["email", "phone"]))
                ]
            }
        )
    )

    email: Email | None = None
    phone: Phone | None = None

    @model_validator(mode="after")
    def is_one(self) -> ContactInput:
        if (self.email is None) == (self.phone is None):
            raise ValueError("must have either an e-mail address or a telephone number")
        return self

    def to_contact(self) -> Contact:
        return Contact.of_email(self.email) if self.email is not None else Contact.of_phone(self.phone or "")


class SearchInput(ContactInput):
    """The body of POST /visitors/search."""

    limit: Annotated[int, Field(ge=1, le=HIGHEST_LIMIT, description="Page size."), BeforeValidator(whole)] = (
        DEFAULT_LIMIT
    )
    cursor: Annotated[
        str | None,
        StringConstraints(min_length=1, max_length=LONGEST_CURSOR),
        Field(description="The `nextCursor` of the previous page, with the same person; valid for a day."),
    ] = None


class EraseInput(ContactInput):
    """The body of POST /visitors/erase."""


class ErasureOutput(Output):
    erased: Annotated[int, Field(description="How many visits this request erased the visitor of.")]
    more: Annotated[bool, Field(description="Some may be left: repeat the request.")]


def search(request: Request, services: Services) -> Response:
    """By id."""
    body = parsing.parse_body(SearchInput, request)
    contact = body.to_contact()
    cursors = Cursors(services.signer, "visitors", {contact.kind: contact.digest})
    page = services.visitors.search(contact, cursors.after(body.cursor), body.limit)
    found = [VisitOutput.of(visit) for visit in page.items]
    return json_answer(VisitPage(items=found, next_cursor=cursors.following(page)))


def erase(request: Request, services: Services) -> Response:
    body = parsing.parse_body(EraseInput, request)
    done = services.visitors.erase(body.to_contact(), caller_name(request))
    # Whoever restores the table from a backup has to erase these again.
    note(visitIds=",".join(done.erased))
    return json_answer(ErasureOutput(erased=len(done.erased), more=done.more))
