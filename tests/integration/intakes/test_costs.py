"""What a row and a poll cost, and that no outcome outgrows an item."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from chalicelib.repositories.table import serialized
from tests.integration.api import Api
from tests.integration.audit import everything
from tests.integration.intake import Mailbox, partner_message
from tests.integration.intakes.rows import counts, hand_in, manifest_pk, partners, results, row
from tests.integration.metering import contents, metered

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable


def test_a_row_costs_what_a_booking_costs_and_its_part_of_the_chunk(
    api: Api, box: Mailbox, house: str, table: FreshTable
) -> None:
    # The keys that sign a row's origin are made once for a table, and read once by an instance.
    hand_in(api, [row(house, 100)])
    box.work()
    hand_in(api, [row(house, hour) | {"durationMinutes": 30} for hour in range(25)])
    before = contents(table.client, table.name)
    with metered(api.dynamodb) as meter:
        box.work()
    after = contents(table.client, table.name)
    bookings = [call for call in meter.calls if call.operation == "TransactWriteItems"]
    # Two for the visit and for each quarter, and one for each of two indexes: as in test_units.
    assert [call.write_units(before, after) for call in bookings] == [2 * (1 + 2) + 2] * 25
    others = Counter(call.operation for call in meter.calls if call not in bookings)
    reads = {"GetItem": 1, "Query": 1}  # the manifest; the property and its hours
    writes = {"UpdateItem": 2, "PutItem": 1}  # the claim and its end; the outcomes of all rows
    assert others == reads | writes


def test_a_poll_of_an_intake_costs_a_few_units_however_much_there_is_to_tell(
    api: Api, box: Mailbox, house: str
) -> None:
    location = hand_in(api, [row(house, 0) | {"durationMinutes": 0, "notes": 0, "place": 0}] * 1000)
    box.work()
    with metered(api.dynamodb) as poll:
        assert counts(api, location) == ("done", 1000, 0, 0, 1000)
    assert poll.operations() == ["Query"]
    assert poll.read_units <= 3
    with metered(api.dynamodb) as page:
        api.get(f"{location}/results", limit="100")
    assert page.read_units > 5 * poll.read_units, "what is told of a tenth of the rows"


LARGEST_ITEM = 400 * 1024


def test_a_row_with_hundreds_of_wrong_fields_has_a_result_of_bounded_size(api: Api, box: Mailbox, house: str) -> None:
    wrong = {f"{n:03}\U0001f3e0" * 25: n for n in range(300)}
    (id,) = box.send(partner_message(*([row(house, 0, **wrong)] * 4)))
    box.work()
    assert counts(api, partners(id)) == ("done", 4, 0, 0, 4)
    problem = results(api, partners(id))[0]["problem"]
    assert problem["type"] == "urn:visits:problem:invalid-input"
    assert 1 <= len(problem["errors"]) <= 5
    assert len(json.dumps(problem)) < 3000


def test_the_outcomes_of_the_fullest_message_fit_into_an_item(api: Api, box: Mailbox, house: str) -> None:
    """A hundred rows, the most that another producer may send at once, all with long ids and as wrong as can be."""
    wrong: dict[str, object] = {c * 100: 1 for c in ("\U0001f3e0", "\U0001f3e1")}
    fullest = [row(house, 0, externalId=f"{n:03}" + "\U0001f3e0" * 125, **wrong) for n in range(100)]
    body = json.dumps({"version": 1, "source": "partner", "visits": fullest}, ensure_ascii=False)
    assert len(body.encode()) < 256 * 1024
    (id,) = box.send(body)
    box.work()
    assert counts(api, partners(id)) == ("done", 100, 0, 0, 100)
    (chunk,) = [i for i in everything(box.table) if i["pk"] == manifest_pk(partners(id)) and "outcomes" in i]
    assert len(json.dumps(serialized(chunk), ensure_ascii=False, default=str).encode()) < LARGEST_ITEM
