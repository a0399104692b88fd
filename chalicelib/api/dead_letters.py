"""Dead letters over HTTP: how many there are. What is in them is for operators, by `make redrive`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from chalice.app import Request, Response
from pydantic import WithJsonSchema

from chalicelib.functions import Queue
from chalicelib.http import parsing
from chalicelib.http.answers import json_answer
from chalicelib.http.fields import Output
from chalicelib.http.queries import no_query

if TYPE_CHECKING:
    from chalicelib.services.wired import Services

QUEUES: Final = tuple(queue.name.lower() for queue in Queue)
QueueName = Annotated[str, WithJsonSchema({"type": "string", "enum": list(QUEUES)})]


class DeadLettersOutput(Output):
    """About how many messages of a queue were given up after all their tries."""

    queue: QueueName
    count: int


class DeadLettersList(Output):
    items: list[DeadLettersOutput]


def list_all(request: Request, services: Services) -> Response:
    no_query(parsing.query_values(request))
    counts = services.dead_letters.count()
    return json_answer(
        DeadLettersList(
            items=[DeadLettersOutput(queue=queue.name.lower(), count=count) for queue, count in counts.items()]
        )
    )
