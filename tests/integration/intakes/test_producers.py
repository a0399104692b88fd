"""Messages of other producers: whose externalIds they use, and what is no message."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from chalicelib.events.intake_queue import Sending, UnreadableMessage, read_message
from tests.integration.api import Api
from tests.integration.intake import Mailbox, Message, handle, partner_message
from tests.integration.intakes.rows import counts, hand_in, partners, problem_of, results, row, rows, visits_at

if TYPE_CHECKING:
    pass


def test_equal_external_ids_of_different_producers_are_different_rows(api: Api, box: Mailbox, house: str) -> None:
    ids = box.send(
        partner_message(row(house, 0, externalId="1"), source="north"),
        partner_message(row(house, 1, externalId="1"), source="south"),
    )
    box.work()
    assert [counts(api, partners(id, s))[2] for id, s in zip(ids, ("north", "south"), strict=True)] == [1, 1]
    assert len(visits_at(api, house)) == 2


def test_a_producer_cannot_occupy_the_external_ids_of_an_api_caller(api: Api, box: Mailbox, house: str) -> None:
    """Whatever source it names: `tests` is the caller's name."""
    (id,) = box.send(partner_message(row(house, 0, externalId="1"), source="tests"))
    box.work()
    assert counts(api, partners(id, "tests"))[2] == 1
    location = hand_in(api, [row(house, 1, externalId="1")])
    box.work()
    assert counts(api, location) == ("done", 1, 1, 0, 0)


def sent_by(message: Message, sender: str) -> Message:
    return {**message, "Attributes": {**message["Attributes"], "SenderId": sender}}


def test_a_producer_cannot_occupy_the_external_ids_of_another(api: Api, box: Mailbox, house: str) -> None:
    """The source is the message's word; the sender is SQS's."""
    ids = box.send(*(partner_message(row(house, n, externalId="1"), source="north") for n in (0, 1, 1)))
    by_id = {message["MessageId"]: message for message in box.receive(3)}
    senders = ("AROATHIEF:north", "AROANORTH:monday", "AROANORTH:tuesday")
    for id, sender in zip(ids, senders, strict=True):
        handle([sent_by(by_id[id], sender)])
    # Another session of the same role is the same producer.
    assert [counts(api, partners(id, "north"))[2:4] for id in ids] == [(1, 0), (1, 0), (0, 1)]


def test_who_sent_a_message_first_cannot_be_made_up(api: Api, box: Mailbox, house: str) -> None:
    """Not with another's attributes, and not with those that we signed for another message."""
    theirs, mine = (partner_message(row(house, n, externalId="1"), source="north") for n in (0, 1))
    signed = Sending("first", "AROANORTH", "1000").attributes(theirs, api.services.signer)
    (id,) = box.send(mine)
    (message,) = box.receive(1)
    for attributes in (signed, {**signed, "replaySignature": ""}, {**signed, "replaySignature": "k:zz"}):
        sending = Sending.of(id, message["Attributes"], attributes, mine, api.services.signer)
        assert sending == Sending.of(id, message["Attributes"], {}, mine, api.services.signer)
        assert sending.message_id == id
    again = Sending.of("again", message["Attributes"], signed, theirs, api.services.signer)
    assert again == Sending("first", "AROANORTH", "1000")


def test_rejections_of_another_producers_message_can_be_looked_up(api: Api, box: Mailbox, house: str) -> None:
    api.visit(house, row(house, 5)["date"])
    (id,) = box.send(
        partner_message(
            row(house, 0, externalId="a"),
            row("nowhere", 1, externalId="b"),
            {"externalId": "c", "propertyId": house, "date": "tomorrow"},
            row(house, 5, externalId="d"),
        )
    )
    box.work()
    assert counts(api, partners(id)) == ("done", 4, 1, 0, 3)
    found = results(api, partners(id))
    assert [(r["row"], r["externalId"], r["status"]) for r in found] == [
        (0, "a", "created"),
        (1, "b", "rejected"),
        (2, "c", "rejected"),
        (3, "d", "rejected"),
    ]
    assert [problem_of(r) for r in found[1:]] == ["property-not-found", "invalid-input", "slot-taken"]
    assert found[2]["problem"]["errors"][0]["pointer"] == "#/date"


def test_the_message_of_a_producer_that_runs_ahead_is_understood(api: Api, box: Mailbox, house: str) -> None:
    ahead = json.loads(partner_message(row(house, 0))) | {"traceId": "of a later version"}
    (id,) = box.send(json.dumps(ahead))
    box.work()
    assert counts(api, partners(id)) == ("done", 1, 1, 0, 0)


def test_forged_messages_go_to_the_dead_letters_alone(api: Api, box: Mailbox, house: str) -> None:
    hand_in(api, rows(house, 1))
    (genuine,) = box.receive()
    handle([genuine])
    box.delete([genuine])
    ours = json.loads(genuine["Body"])
    reference = ours["intake"]

    def forged(**changed: object) -> str:
        return json.dumps(ours | {"intake": reference | changed, "visits": [row(house, 9)]})

    no_manifest = forged(id="6f2f4b5e-0000-5000-8000-000000000000")
    forgeries = [
        no_manifest,
        forged(id="x" * 3000),
        forged(id=""),
        forged(producer="somebody else"),
        forged(chunk=1),
        json.dumps(ours | {"source": "partner"}),
        json.dumps({name: value for name, value in ours.items() if name != "intake"}),
        json.dumps(ours | {"version": 2}),
    ]
    ids = box.send(*forgeries, partner_message(row(house, 3)))
    box.work(until=lambda: box.waiting(dead=True) == len(forgeries) and box.waiting() == 0)
    assert Counter(message["Body"] for message in box.receive(20, dead=True)) == Counter(forgeries)
    assert counts(api, partners(ids[-1])) == ("done", 1, 1, 0, 0)
    assert len(visits_at(api, house)) == 2
    assert api.get("/intakes/6f2f4b5e-0000-5000-8000-000000000000").status_code == 404


SENDING = Sending("0", "AIDAEXAMPLE", "0")


@pytest.mark.parametrize(
    "body",
    ["", "null", "[]", "{}", "NaN", '{"version": 1}', partner_message(), '{"version":1,"source":"a b","visits":[{}]}'],
)
def test_what_is_no_message_is_unreadable(body: str) -> None:
    with pytest.raises(UnreadableMessage):
        read_message(body, SENDING)


def test_a_message_of_more_rows_than_allowed_is_unreadable() -> None:
    assert len(read_message(partner_message(*[{}] * 100), SENDING).rows) == 100
    with pytest.raises(UnreadableMessage):
        read_message(partner_message(*[{}] * 101), SENDING)


def test_messages_are_read_by_their_id(api: Api, box: Mailbox, house: str) -> None:
    """Sent again by its producer, a message has another id and an intake of its own; its rows are duplicates."""
    body = partner_message(row(house, 0, externalId="again"))
    ids = box.send(body, body)
    messages: list[Message] = box.receive()
    handle(messages)
    assert sorted(counts(api, partners(id))[2:] for id in ids) == [(0, 1, 0), (1, 0, 0)]
