"""Properties over HTTP: registering, replacing, looking at them, and when they are taken."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.domain.errors import StoreBusy
from chalicelib.domain.visits import Visit
from tests.builders import NOW, Clock, agent_id, property_body, property_id, visit_body
from tests.integration.api import Api, serve
from tests.integration.problems import pointers, problem

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

NEW = {"If-None-Match": "*"}


@pytest.fixture(scope="module")
def api(table: FreshTable) -> Iterator[Api]:
    with serve(table, Clock(NOW)) as api:
        yield api


def test_a_property_is_registered_under_an_id_of_ours(api: Api) -> None:
    made = api.post("/properties", property_body())
    assert made.status_code == 201
    property = made.json()
    assert made.headers["Location"] == f"/properties/{property['id']}"
    assert made.headers["ETag"] == '"1"'
    assert property == property_body() | {
        "id": property["id"],
        "capacity": 1,
        "visitsAllowed": True,
        "publicBooking": "off",
        "version": 1,
        "createdAt": "2027-03-10T12:00:00Z",
        "updatedAt": "2027-03-10T12:00:00Z",
    }
    assert api.get(made.headers["Location"]).json()["name"] == "House"


def test_a_property_is_registered_under_the_callers_id_once(api: Api) -> None:
    chosen = property_id() + "~.-_"
    made = api.post("/properties", property_body(id=chosen))
    assert (made.status_code, made.json()["id"]) == (201, chosen)
    assert made.headers["Location"] == f"/properties/{chosen}"
    assert problem(api.post("/properties", property_body(id=chosen)), 409, "property-exists")["propertyId"] == chosen


def test_put_creates_a_property_that_must_be_new(api: Api) -> None:
    address = f"/properties/{property_id()}"
    made = api.http.put(address, json=property_body(), headers=NEW)
    assert (made.status_code, made.headers["Location"], made.headers["ETag"]) == (201, address, '"1"')
    problem(api.http.put(address, json=property_body(name="Other"), headers=NEW), 412, "precondition-failed")
    assert api.get(address).json()["name"] == "House"


def test_put_says_what_an_id_may_be_and_how_something_new_is_told(api: Api) -> None:
    refused = api.http.put("/properties/haus%20m%C3%BCller", json=property_body(), headers=NEW)
    assert pointers(refused) == ["#/id"]
    assert "A-Z a-z 0-9" in refused.json()["errors"][0]["detail"]
    unsaid = problem(api.http.put(f"/properties/{property_id()}", json=property_body()), 428, "precondition-required")
    assert "If-None-Match: *" in unsaid["detail"]


def test_put_replaces_the_version_that_was_read(api: Api, house: str) -> None:
    address = f"/properties/{house}"
    tag = api.get(address).headers["ETag"]
    replaced = api.http.put(address, json=property_body(name="Villa", capacity=3), headers={"If-Match": tag})
    assert (replaced.status_code, replaced.headers["ETag"]) == (200, '"2"')
    assert (replaced.json()["name"], replaced.json()["capacity"], replaced.json()["version"]) == ("Villa", 3, 2)
    stale = api.http.put(address, json=property_body(), headers={"If-Match": tag})
    problem(stale, 412, "precondition-failed")
    assert api.get(address).json()["name"] == "Villa"


def test_put_sets_what_it_does_not_name_to_the_defaults(api: Api) -> None:
    house = api.property(property_id(), capacity=5, visitsAllowed=False)
    replaced = api.http.put(f"/properties/{house}", json=property_body(), headers={"If-Match": "*"}).json()
    assert (replaced["capacity"], replaced["visitsAllowed"]) == (1, True)


def test_putting_the_same_again_changes_nothing(api: Api, house: str) -> None:
    same = property_body(name="House", address="Lane 1")
    answer = api.http.put(f"/properties/{house}", json=same, headers={"If-Match": "*"})
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"1"')


@pytest.mark.parametrize(
    ("headers", "status", "kind"),
    [
        ({}, 428, "precondition-required"),
        ({"If-Match": '"7"'}, 412, "precondition-failed"),
        ({"If-Match": 'W/"1"'}, 412, "precondition-failed"),
        ({"If-Match": '"x"'}, 412, "precondition-failed"),
        ({"If-Match": "1"}, 400, "malformed-request"),
        ({"If-Match": ""}, 400, "malformed-request"),
        ({"If-None-Match": '"1"'}, 400, "malformed-request"),
    ],
)
def test_put_must_say_which_version_it_replaces(
    api: Api, house: str, headers: dict[str, str], status: int, kind: str
) -> None:
    problem(api.http.put(f"/properties/{house}", json=property_body(name="X"), headers=headers), status, kind)
    assert api.get(f"/properties/{house}").json()["version"] == 1


def test_a_property_that_is_not_there_cannot_be_replaced(api: Api) -> None:
    missing = f"/properties/{property_id()}"
    problem(api.http.put(missing, json=property_body(), headers={"If-Match": "*"}), 412, "precondition-failed")
    problem(api.get(missing), 404, "property-not-found")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"name": ""}, "#/name"),
        ({"name": " "}, "#/name"),
        ({"name": "x" * 201}, "#/name"),
        ({"name": "two\nlines"}, "#/name"),
        ({"name": None}, "#/name"),
        ({"address": "x" * 501}, "#/address"),
        ({"price": -1}, "#/price"),
        ({"price": "1"}, "#/price"),
        ({"price": True}, "#/price"),
        ({"price": 0.0001}, "#/price"),
        ({"price": 10**12}, "#/price"),
        ({"currency": "XXX"}, "#/currency"),
        ({"currency": "eur"}, "#/currency"),
        ({"timeZone": "Mars/Olympus"}, "#/timeZone"),
        ({"timeZone": "../../etc/passwd"}, "#/timeZone"),
        ({"timeZone": "/etc/localtime"}, "#/timeZone"),
        ({"timeZone": ""}, "#/timeZone"),
        ({"capacity": 0}, "#/capacity"),
        ({"capacity": 1.5}, "#/capacity"),
        ({"capacity": 10**30}, "#/capacity"),
        ({"visitsAllowed": "yes"}, "#/visitsAllowed"),
        ({"visitsAllowed": 1}, "#/visitsAllowed"),
        ({"id": ".."}, "#/id"),
        ({"id": "a/b"}, "#/id"),
        ({"id": "x" * 65}, "#/id"),
        ({"id": ""}, "#/id"),
        ({"owner": "Ann"}, "#/owner"),
        ({"version": 3}, "#/version"),
        ({"a/b~c": 1}, "#/a~1b~0c"),
    ],
)
def test_what_a_property_may_not_say_is_pointed_to(api: Api, changes: dict[str, object], pointer: str) -> None:
    assert pointers(api.post("/properties", property_body(**changes))) == [pointer]


def test_everything_that_is_wrong_is_said_at_once(api: Api) -> None:
    wrong = api.post("/properties", {"name": "x", "price": -1, "colour": "red"})
    assert set(pointers(wrong)) == {"#/address", "#/timeZone", "#/price", "#/colour"}
    details = {error["pointer"]: error["detail"] for error in wrong.json()["errors"]}
    assert "'colour'" in details["#/colour"]
    assert "required" in details["#/address"]


def test_a_price_can_be_on_request(api: Api) -> None:
    body = property_body(price=None)
    del body["currency"]
    made = api.post("/properties", body)
    assert made.status_code == 201
    assert not made.json().keys() & {"price", "currency"}
    address = made.headers["Location"]
    shown = api.get(address).json()
    assert (shown["visits"], shown.keys() & {"price", "currency"}) == ([], set())
    priced = api.http.put(address, json=property_body(price=1), headers={"If-Match": "*"}).json()
    assert (priced["price"], priced["currency"]) == (1, "EUR")
    assert api.http.put(address, json=body, headers={"If-Match": "*"}).json().keys() & {"price", "currency"} == set()


@pytest.mark.parametrize(("absent", "pointer"), [("price", "#/price"), ("currency", "#/currency")])
def test_price_and_currency_go_together(api: Api, absent: str, pointer: str) -> None:
    assert pointers(api.post("/properties", property_body(**{absent: None}))) == [pointer]


def test_a_property_that_was_read_can_be_sent_back_whole(api: Api, house: str) -> None:
    api.visit(house, "2027-03-12T10:00:00Z")
    address = f"/properties/{house}"
    read = api.get(address)
    assert read.json().keys() >= {"id", "version", "createdAt", "updatedAt", "visits", "links"}
    same = api.http.put(address, json=read.json(), headers={"If-Match": read.headers["ETag"]})
    assert (same.status_code, same.json()["version"]) == (200, 1)
    edited = read.json() | {"name": "Villa", "createdAt": "2027-03-10T13:00:00+01:00"}
    replaced = api.http.put(address, json=edited, headers={"If-Match": read.headers["ETag"]})
    assert (replaced.status_code, replaced.json()["name"], replaced.json()["version"]) == (200, "Villa", 2)
    stale = api.http.put(address, json=edited, headers={"If-Match": "*"})
    assert pointers(stale) == ["#/version"]
    assert "send it back unchanged" in stale.json()["errors"][0]["detail"]


def test_a_corrected_address_reaches_upcoming_visits(api: Api, house: str) -> None:
    usual = api.visit(house, "2027-03-12T10:00:00Z", agentId=agent_id())
    own = api.visit(house, "2027-03-12T12:00:00Z", place="Bus stop")
    past = api.visit(house, "2027-03-09T10:00:00Z")
    corrected = property_body(address="Lane 10", timeZone="Europe/Lisbon")
    replaced = api.http.put(f"/properties/{house}", json=corrected, headers={"If-Match": "*"})
    assert (replaced.status_code, replaced.json()["address"]) == (200, "Lane 10")
    assert "visitsBehind" not in replaced.json()
    shown = [api.get(f"/visits/{visit['id']}").json() for visit in (usual, own, past)]
    assert [visit["place"] for visit in shown] == ["Lane 10", "Bus stop", "Lane 1"]
    assert [visit["timeZone"] for visit in shown] == ["Europe/Lisbon", "Europe/Lisbon", "Europe/Berlin"]
    assert [visit["date"] for visit in shown] == [visit["date"] for visit in (usual, own, past)]
    assert api.get("/visits", propertyId=house, from_="2027-03-12T00:00:00Z").json()["items"] == shown[:2]
    # The time is still taken, by the visit in its new version.
    problem(api.post("/visits", visit_body(house)), 409, "slot-taken")


def test_a_correction_that_runs_out_of_time_says_so_and_goes_on(api: Api, house: str) -> None:
    visits = [api.visit(house, f"2027-03-12T{hour}:00:00Z")["id"] for hour in range(10, 14)]
    store = api.services.properties._following._booking
    written = itertools.count(1)
    follow = store.follow

    def slow(visit_id: str, formerly: str, by: str) -> Visit:
        if next(written) > 2:
            raise StoreBusy
        return follow(visit_id, formerly, by)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "follow", slow)
        partly = api.http.put(f"/properties/{house}", json=property_body(address="Lane 10"), headers={"If-Match": "*"})
    assert (partly.status_code, partly.json()["visitsBehind"]) == (200, True)
    assert [api.get(f"/visits/{id}").json()["place"] for id in visits] == ["Lane 10"] * 2 + ["Lane 1"] * 2
    again = {"If-Match": partly.headers["ETag"]}
    rest = api.http.put(f"/properties/{house}", json=partly.json(), headers=again)
    assert (rest.status_code, rest.headers["ETag"]) == (200, partly.headers["ETag"])
    assert "visitsBehind" not in rest.json()
    assert [api.get(f"/visits/{id}").json()["place"] for id in visits] == ["Lane 10"] * 4


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"id": "other"}, "#/id"),
        ({"id": None}, "#/id"),
        ({"version": 7}, "#/version"),
        ({"createdAt": "2027-03-10T12:00:01Z"}, "#/createdAt"),
        ({"updatedAt": "yesterday"}, "#/updatedAt"),
    ],
)
@pytest.mark.parametrize("headers", [{"If-Match": "*"}, NEW])
def test_read_only_fields_do_not_change(
    api: Api, changes: dict[str, object], pointer: str, headers: dict[str, str]
) -> None:
    house = property_id() if headers is NEW else api.property(property_id())
    answer = api.http.put(f"/properties/{house}", json=property_body(**changes), headers=headers)
    assert pointers(answer) == [pointer]


@pytest.mark.parametrize("price", [0, 450000, 1.5, 0.125, 999999999999, 1234567.89])
def test_a_price_comes_back_as_it_was_sent(api: Api, price: float) -> None:
    made = api.post("/properties", property_body(price=price))
    assert made.json()["price"] == price
    assert api.get(made.headers["Location"]).json()["price"] == price


# A single property carries its next visits


def test_a_property_shows_its_next_visits_and_where_all_of_them_are(api: Api) -> None:
    house = api.property(property_id(), capacity=2)
    past = api.visit(house, "2027-03-09T10:00:00Z")
    later = api.visit(house, "2027-03-13T10:00:00Z")
    sooner = api.visit(house, "2027-03-12T10:00:00Z", status="requested")
    gone = api.visit(house, "2027-03-11T10:00:00Z")
    api.put(f"/visits/{gone['id']}/status", {"status": "cancelled"})
    shown = api.get(f"/properties/{house}").json()
    assert [visit["id"] for visit in shown["visits"]] == [sooner["id"], later["id"]]
    assert shown["visits"][0] == sooner
    everything = api.http.get(shown["links"]["visits"]).json()["items"]
    assert [visit["id"] for visit in everything] == [visit["id"] for visit in (past, gone, sooner, later)]


def test_a_property_shows_its_next_twenty_visits_at_most(api: Api, house: str) -> None:
    made = [api.visit(house, f"2027-03-{day:02}T10:00:00Z")["id"] for day in range(11, 32)]
    assert [visit["id"] for visit in api.get(f"/properties/{house}").json()["visits"]] == made[:20]


def test_a_propertys_tag_changes_when_its_visits_do(api: Api, house: str) -> None:
    address = f"/properties/{house}"
    tags = [api.get(address).headers["ETag"]]
    assert api.http.get(address, headers={"If-None-Match": tags[0]}).status_code == 304
    visit = api.visit(house, "2027-03-12T10:00:00Z")
    tags.append(api.get(address).headers["ETag"])
    api.patch(f"/visits/{visit['id']}", {"notes": "bell broken"})
    tags.append(api.get(address).headers["ETag"])
    api.put(f"/visits/{visit['id']}/status", {"status": "cancelled"})
    tags.append(api.get(address).headers["ETag"])
    assert tags[0] == tags[3], "as before the visit"
    assert len(set(tags)) == 3
    assert api.http.get(address, headers={"If-None-Match": tags[1]}).status_code == 200
    assert all(not tag.startswith("W/") for tag in tags)
    # Whatever tag was read of the property, its own version has not changed.
    replaced = api.http.put(address, json=property_body(name="New"), headers={"If-Match": tags[2]})
    assert replaced.status_code == 200


def test_an_unchanged_property_is_not_sent_again(api: Api, house: str) -> None:
    api.visit(house, "2027-03-12T10:00:00Z")
    first = api.get(f"/properties/{house}")
    again = api.http.get(f"/properties/{house}", headers={"If-None-Match": f'"other", W/{first.headers["ETag"]}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])


# When it is taken


def test_busy_names_taken_quarter_hours_and_nobody(api: Api) -> None:
    house = api.property(property_id(), capacity=2)
    api.visit(house, "2027-03-12T10:20:00Z", visitor={"name": "Ann"}, notes="secret", agentId="agent-x")
    api.visit(house, "2027-03-12T10:30:00Z")
    busy = api.get(f"/properties/{house}/busy", from_="2027-03-12T00:00:00Z", to="2027-03-13T00:00:00Z")
    assert busy.status_code == 200
    assert busy.json() == {
        "propertyId": house,
        "from": "2027-03-12T00:00:00Z",
        "to": "2027-03-13T00:00:00Z",
        "capacity": 2,
        "timeZone": "Europe/Berlin",
        "busy": [
            {"from": "2027-03-12T10:15:00Z", "to": "2027-03-12T10:30:00Z", "held": 1, "free": 1},
            {"from": "2027-03-12T10:30:00Z", "to": "2027-03-12T11:00:00Z", "held": 2, "free": 0},
        ],
    }


def test_busy_looks_a_week_ahead_unless_told_otherwise(api: Api, house: str) -> None:
    busy = api.get(f"/properties/{house}/busy").json()
    assert (busy["from"], busy["to"], busy["busy"]) == ("2027-03-10T12:00:00Z", "2027-03-17T12:00:00Z", [])


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("from=2027-03-12", "?from"),
        ("from=2027-03-12T10:00:00", "?from"),
        ("from=2027-03-12T00:00:00Z&to=2027-03-12T00:00:00Z", "?to"),
        ("from=2027-03-12T00:00:00Z&to=2027-05-12T00:00:00Z", "?to"),
        ("limit=3", "?limit"),
        ("to=2027-03-12T00:00:00Z&to=2027-03-13T00:00:00Z", "?to"),
    ],
)
def test_busy_says_what_is_wrong_with_its_query(api: Api, house: str, query: str, pointer: str) -> None:
    assert pointers(api.http.get(f"/properties/{house}/busy?{query}")) == [pointer]


def test_busy_of_a_property_that_is_not_there(api: Api) -> None:
    problem(api.get(f"/properties/{property_id()}/busy"), 404, "property-not-found")


# What a property says counts for the bookings that come


def test_a_closed_property_takes_no_new_times_but_keeps_its_visits(api: Api, house: str) -> None:
    visit = api.visit(house, "2027-03-12T10:00:00Z")
    closed = property_body(visitsAllowed=False)
    assert api.http.put(f"/properties/{house}", json=closed, headers={"If-Match": "*"}).status_code == 200
    refused = api.post("/visits", visit_body(house, "2027-03-12T12:00:00Z"))
    assert problem(refused, 409, "visits-not-allowed")["propertyId"] == house
    problem(api.patch(f"/visits/{visit['id']}", {"date": "2027-03-12T12:00:00Z"}), 409, "visits-not-allowed")
    assert api.patch(f"/visits/{visit['id']}", {"notes": "still here"}).status_code == 200
    assert api.put(f"/visits/{visit['id']}/status", {"status": "cancelled"}).status_code == 200


def test_at_a_closed_property_a_visit_moves_within_the_quarters_that_it_holds(api: Api, house: str) -> None:
    visit = api.visit(house, "2027-03-12T10:05:00Z", durationMinutes=20)
    api.http.put(f"/properties/{house}", json=property_body(visitsAllowed=False), headers={"If-Match": "*"})
    held = api.get(f"/properties/{house}/busy").json()["busy"]
    for change in (
        {"date": "2027-03-12T10:10:00Z"},
        {"date": "2027-03-12T10:00:00Z", "durationMinutes": 30},
        {"date": "2027-03-12T10:10:00Z", "durationMinutes": 10},
    ):
        moved = api.patch(f"/visits/{visit['id']}", change)
        assert (moved.status_code, moved.json() | change) == (200, moved.json())
    # Ten past, for ten minutes, is in both quarters still; a minute longer than the second is not.
    assert api.get(f"/properties/{house}/busy").json()["busy"] == held
    problem(api.patch(f"/visits/{visit['id']}", {"durationMinutes": 25}), 409, "visits-not-allowed")
    assert api.patch(f"/visits/{visit['id']}", {"durationMinutes": 5}).status_code == 200
    # What was let go is a new time from then on.
    problem(api.patch(f"/visits/{visit['id']}", {"durationMinutes": 10}), 409, "visits-not-allowed")


def test_a_raised_capacity_counts_for_the_next_booking(api: Api, house: str) -> None:
    api.visit(house, "2027-03-12T10:00:00Z")
    problem(api.post("/visits", visit_body(house)), 409, "slot-taken")
    api.http.put(f"/properties/{house}", json=property_body(capacity=2), headers={"If-Match": "*"})
    api.visit(house, "2027-03-12T10:00:00Z")
    problem(api.post("/visits", visit_body(house)), 409, "slot-taken")


# The list


def test_properties_are_listed_by_id_page_by_page(api: Api) -> None:
    ids = sorted(api.property(property_id()) for _ in range(3))
    found: list[dict[str, Any]] = []
    answer = api.get("/properties", limit=1)
    while True:
        assert len(answer.json()["items"]) == 1
        found += answer.json()["items"]
        if answer.json()["nextCursor"] is None:
            assert "Link" not in answer.headers
            break
        link = answer.headers["Link"]
        assert link.startswith("</properties?")
        assert link.endswith('>; rel="next"')
        answer = api.http.get(link[1 : link.index(">")])
    listed = [property["id"] for property in found]
    assert listed == sorted(set(listed))
    assert set(ids) <= set(listed)
    assert all("visits" not in property for property in found)


SOUGHT: dict[str, dict[str, Any]] = {
    "lodz": {"name": "Łódź Loft", "address": "Piotrkowska 1, Łódź"},
    "strasse": {"name": "Haus am See", "address": "Große Straße 12, 14467 Potsdam"},
    "closed": {"name": "Haus im Wald", "address": "Straßburger Weg 3, Potsdam", "visitsAllowed": False},
    "cafe": {"name": "Le Café-Théâtre", "address": "Rue de l’Église 5, Genève"},
}


@pytest.fixture(scope="module")
def sought(api: Api) -> dict[str, str]:
    """The ids of properties that are looked for, by name."""
    return {api.property(property_id(), **details): name for name, details in SOUGHT.items()}


def looked_for(api: Api, sought: dict[str, str], limit: int = 100, **query: object) -> set[str]:
    found: list[str] = []
    cursor: str | None = None
    while True:
        answer = api.get("/properties", limit=limit, cursor=cursor, **query)
        assert answer.status_code == 200, answer.text
        found += [sought[property["id"]] for property in answer.json()["items"] if property["id"] in sought]
        cursor = answer.json()["nextCursor"]
        if cursor is None:
            assert len(found) == len(set(found))
            return set(found)


@pytest.mark.parametrize(
    ("q", "names"),
    [
        ("lodz", {"lodz"}),
        ("ŁÓDŹ loft", {"lodz"}),
        ("grosse STRASSE", {"strasse"}),
        ("haus potsd", {"strasse", "closed"}),
        ("14467 haus", {"strasse"}),
        ("cafe", {"cafe"}),
        ("CAFÉ, église!", {"cafe"}),
        ("theatre geneve", {"cafe"}),
        # The beginning of a word, all of them, and nothing else of the property.
        ("otsdam", set()),
        ("haus lodz", set()),
        ("EUR", set()),
    ],
)
def test_properties_are_found_by_the_beginnings_of_words_of_name_and_address(
    api: Api, sought: dict[str, str], q: str, names: set[str]
) -> None:
    assert looked_for(api, sought, q=q) == names
    assert looked_for(api, sought, q=q, limit=1) == names


def test_properties_are_found_by_whether_they_accept_visits(api: Api, sought: dict[str, str]) -> None:
    assert looked_for(api, sought, visitsAllowed="false") == {"closed"}
    assert looked_for(api, sought, visitsAllowed="true") == SOUGHT.keys() - {"closed"}
    assert looked_for(api, sought, visitsAllowed="false", q="strass") == {"closed"}


def test_the_next_page_is_of_what_was_looked_for_and_of_nothing_else(api: Api, sought: dict[str, str]) -> None:
    answer = api.get("/properties", q="haus pötsdam", visitsAllowed="true", limit=1)
    while not answer.json()["nextCursor"]:
        api.property(property_id(), **SOUGHT["strasse"])
        answer = api.get("/properties", q="haus pötsdam", visitsAllowed="true", limit=1)
    link = answer.headers["Link"]
    assert api.http.get(link[1 : link.index(">")]).status_code == 200
    cursor = answer.json()["nextCursor"]
    others: list[dict[str, str]] = [{}, {"q": "haus"}, {"q": "haus pötsdam"}]
    for other in [*others, {"q": "haus pötsdam", "visitsAllowed": "false"}]:
        problem(api.get("/properties", cursor=cursor, **other), 400, "invalid-cursor")


@pytest.mark.parametrize(
    "query",
    ["q=", "q=%20", "q=-,.", f"q={'a+' * 11}", f"q={'a' * 201}", "q=a&q=b", "visitsAllowed=1", "visitsAllowed=TRUE"],
)
def test_what_cannot_be_looked_for_is_refused(api: Api, query: str) -> None:
    assert pointers(api.http.get(f"/properties?{query}")) == [f"?{query.partition('=')[0]}"]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit=%2B1", "limit=", "limit=1&limit=2"])
def test_a_limit_is_a_whole_number_up_to_a_hundred(api: Api, query: str) -> None:
    assert pointers(api.http.get(f"/properties?{query}")) == ["?limit"]
