"""The same wish, and another one under its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.container import new_id
from chalicelib.domain.intakes import intake_id
from chalicelib.repositories.table import deserialized, serialized
from chalicelib.repositories.visits import visit_key
from tests.integration.api import Api
from tests.integration.intake import Mailbox, handle, partner_message
from tests.integration.intakes.rows import Row, counts, hand_in, problem_of, results, row, rows, visits_at

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable


def test_the_same_row_from_another_intake_is_a_duplicate_and_names_the_visit(
    api: Api, box: Mailbox, house: str
) -> None:
    first = hand_in(api, rows(house, 3))
    box.work()
    # The order of fields and the way an instant is written are not what it says.
    again = [{**r, "date": r["date"].replace("Z", "+00:00")} for r in map(dict, map(reversed_members, rows(house, 4)))]
    second = hand_in(api, again)
    assert second != first
    box.work()
    assert counts(api, second) == ("done", 4, 1, 3, 0)
    names = ("externalId", "visitId")
    assert [[r[n] for n in names] for r in results(api, second)[:3]] == [
        [r[n] for n in names] for r in results(api, first)
    ]
    assert len(visits_at(api, house)) == 4


def reversed_members(wish: Row) -> list[tuple[str, Any]]:
    return list(reversed(wish.items()))


def test_another_wish_under_an_external_id_that_is_taken_is_rejected(api: Api, box: Mailbox, house: str) -> None:
    hand_in(api, rows(house, 1))
    box.work()
    second = hand_in(api, [{**rows(house, 1)[0], "notes": "another"}, row(house, 5, externalId=f"{house}-0")])
    box.work()
    assert counts(api, second) == ("done", 2, 0, 0, 2)
    assert [problem_of(result) for result in results(api, second)] == ["external-id-reused"] * 2
    (visit,) = visits_at(api, house)
    assert "notes" not in visit


def test_a_row_whose_visitor_was_erased_never_books_again(api: Api, box: Mailbox, table: FreshTable) -> None:
    house = api.property(f"erased-{new_id()}", capacity=5)
    wish = row(house, 0, externalId=f"{house}-0", visitor={"name": "Zara Geheim"}, notes="Zara bites")
    message = partner_message(wish)
    box.send(message)
    box.work()
    (visit,) = visits_at(api, house)
    assert "fingerprint" in origin_of(table, visit["id"])
    assert api.http.delete(f"/visits/{visit['id']}/visitor").status_code == 204
    origin = origin_of(table, visit["id"])
    assert origin.keys() == {"intakeId", "row"}, "which row it was, and nothing made of what it said"
    # The same content, other content: nobody can tell any more, so neither counts as booked.
    again = [box.send(partner_message(wish))[0], box.send(partner_message({**wish, "notes": "other"}))[0]]
    box.work()
    for message_id in again:
        (told,) = results(api, f"/intakes/{intake_id('source', 'partner', message_id)}")
        assert problem_of(told) == "external-id-reused"
        assert "erased" in told["problem"]["detail"]
    assert [found["id"] for found in visits_at(api, house)] == [visit["id"]]


def origin_of(table: FreshTable, visit_id: str) -> dict[str, Any]:
    item = table.client.get_item(TableName=table.name, Key=serialized(visit_key(visit_id)))["Item"]
    origin: dict[str, Any] = deserialized(item)["origin"]
    return origin


def test_a_row_that_is_twice_in_one_intake_is_booked_once(api: Api, box: Mailbox, house: str) -> None:
    location = hand_in(api, [rows(house, 1)[0]] * 3)
    box.work()
    assert counts(api, location) == ("done", 3, 1, 2, 0)
    assert len({result["visitId"] for result in results(api, location)}) == 1


def test_rows_without_an_external_id_are_told_apart_by_their_place(api: Api, box: Mailbox) -> None:
    house = api.property("open-for-two", capacity=2)
    location = hand_in(api, [row(house, 0)] * 3)
    batch = box.receive()
    handle(batch)
    handle(batch)
    assert counts(api, location) == ("done", 3, 2, 0, 1)
    assert len(visits_at(api, house)) == 2
