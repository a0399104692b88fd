"""The published schema of messages is the one that the worker keeps to."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from chalicelib.domain.errors import InvalidInput
from chalicelib.domain.intakes import intake_id
from chalicelib.events.intake_queue import Sending, UnreadableMessage, read_message
from tools.generate import schemas
from tools.project import ROOT

DATE = "2029-03-14T10:30:00+01:00"
ROW: dict[str, Any] = {"propertyId": "p1", "date": DATE}
SENDING = Sending("id", "AIDAEXAMPLE", "0")

MESSAGE: dict[str, Any] = {"version": 1, "source": "partner", "visits": [ROW]}

VALIDATOR = jsonschema_rs.Draft202012Validator(schemas.intake_message_schema(), validate_formats=True)


def with_row(**fields: object) -> dict[str, Any]:
    return MESSAGE | {"visits": [{**ROW, **fields}]}


GOOD = [
    MESSAGE,
    MESSAGE | {"visits": [ROW] * 100},
    MESSAGE | {"sentBy": "a later version of the producer"},
    with_row(date="2029-03-14T09:30:00Z"),
    with_row(date="2029-03-14T09:30:00.000Z"),
    with_row(date="2029-03-14T10:30:00.5Z"),
    with_row(durationMinutes=45, place="Gate", status="requested", agentId="a1", notes="Two\nlines", externalId="x"),
    with_row(visitor={"name": "Ada", "email": "ada@example.com", "phone": "+49 30 901820"}),
    with_row(visitor=None, place=None, notes=None, externalId=None),
]

UNREADABLE = [
    {},
    MESSAGE | {"version": 2},
    MESSAGE | {"version": "1"},
    MESSAGE | {"source": "api"},
    MESSAGE | {"source": "with blanks"},
    MESSAGE | {"source": ""},
    MESSAGE | {"visits": []},
    MESSAGE | {"visits": [ROW] * 101},
    MESSAGE | {"visits": ["p1"]},
    MESSAGE | {"intake": {"id": "0", "producer": "p", "chunk": 0, "firstRow": 0}},
]

REJECTED = [
    with_row(propertyId=".."),
    with_row(propertyId="a/b"),
    with_row(date="2029-03-14"),
    with_row(date="2029-03-14T10:30:00"),
    with_row(durationMinutes=4),
    with_row(durationMinutes="30"),
    with_row(status="cancelled"),
    with_row(place=" "),
    with_row(place="two\nlines"),
    with_row(notes="\u0000"),
    with_row(externalId="x" * 129),
    with_row(visitor={}),
    with_row(visitor={"name": "Ada", "email": "nobody"}),
    with_row(visitor={"name": "Ada", "phone": "call me"}),
    with_row(colour="red"),
    MESSAGE | {"visits": [{"date": DATE}]},
]


@pytest.mark.parametrize("file", schemas.FILES, ids=lambda file: file.name)
def test_the_committed_schemas_are_those_that_the_code_makes(file: Path) -> None:
    assert file.read_text(encoding="utf-8") == schemas.text(schemas.FILES[file]()), "run make schemas"


def test_the_schema_is_a_schema() -> None:
    jsonschema_rs.meta.validate(schemas.intake_message_schema())


@pytest.mark.parametrize("message", GOOD)
def test_the_worker_takes_what_validates(message: dict[str, Any]) -> None:
    assert not list(VALIDATOR.iter_errors(message))
    chunk = read_message(json.dumps(message), SENDING)
    assert not [row for row in chunk.rows if isinstance(row.wish, InvalidInput)]


@pytest.mark.parametrize("message", UNREADABLE)
def test_what_the_worker_cannot_read_does_not_validate(message: dict[str, Any]) -> None:
    with pytest.raises(UnreadableMessage):
        read_message(json.dumps(message), SENDING)
    assert not VALIDATOR.is_valid(message)


@pytest.mark.parametrize("message", REJECTED)
def test_a_row_that_would_be_rejected_does_not_validate(message: dict[str, Any]) -> None:
    (row,) = read_message(json.dumps(message), SENDING).rows
    assert isinstance(row.wish, InvalidInput)
    assert not VALIDATOR.is_valid(message)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("Ada Lovelace, +49 30 901820", "not valid JSON"),
        ('{"version": 2, "source": "partner", "visits": [{"name": "Ada"}]}', "#/version"),
        ('{"version": 1, "source": "Ada Lovelace", "visits": [{}]}', "#/source"),
        ('{"version": 1, "source": "p", "visits": ["Ada"]}', "#/visits/0"),
        ('{"version": 1, "source": "api", "visits": [{}], "intake": {"Ada": 1}}', "#/intake"),
    ],
)
def test_an_unreadable_message_says_why_and_nothing_of_what_is_in_it(body: str, why: str) -> None:
    with pytest.raises(UnreadableMessage) as told:
        read_message(body, SENDING)
    assert why in str(told.value)
    assert "Ada" not in str(told.value)


def examples_of(language: str) -> list[str]:
    """The blocks of docs/intake.md in a language."""
    text = (ROOT / "docs" / "intake.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_documented_message_is_one() -> None:
    message = json.loads(examples_of("json")[0])
    assert not list(VALIDATOR.iter_errors(message))
    (row,) = read_message(json.dumps(message), SENDING).rows
    assert not isinstance(row.wish, InvalidInput)


def test_the_documented_way_to_an_intakes_id_is_ours() -> None:
    (code,) = examples_of("python")
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    (printed,) = told.stdout.split()
    called = re.search(r'print\(intake_id\("(.*)", "(.*)"\)\)\n# (.*)\n', code)
    assert called
    assert printed == called[3] == intake_id("source", called[1], called[2])
