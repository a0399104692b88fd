"""HEAD, everywhere that GET is: what the GET would say, without saying it."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest

import app as entry
from tests.builders import Clock
from tests.integration.api import Api
from tests.integration.problems import problem
from tests.integration.sheets import Desk, desk
from tests.pictures import a_png
from tests.sheets import an_answer

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

READ = sorted(
    path for method, path in entry.required if method == "GET" and not path.startswith("/visitor/")
)  # those have a key of their own
EACH_ANSWERS_OWN = {"date", "x-amzn-requestid"}


@pytest.fixture(scope="module")
def office(table: FreshTable) -> Iterator[Desk]:
    with desk(table, Clock()) as office:
        yield office


@pytest.fixture(scope="module")
def api(office: Desk) -> Api:
    return office.api


@pytest.fixture(scope="module")
def addresses(api: Api, office: Desk) -> dict[str, str]:
    """Where something is to be read, by the path of the route."""
    office.recognition.answer = an_answer([["Property", "Date", "Time"], ["house", "2027-03-12", "15:30"]])
    sheet = office.sheet(a_png(1), "png")
    house = api.property("house", publicBooking="confirm")
    visit = api.visit(house, "2027-03-12T10:00:00Z")
    calendar = api.http.put(f"/properties/{house}/calendar-token").json()["links"]["calendar"]
    intake = api.post("/intakes", {"visits": [{"propertyId": house, "date": "2027-03-12T12:00:00Z"}]}).json()
    always = api.http.put(f"/properties/{house}/availability", json={}, headers={"If-None-Match": "*"})
    assert always.status_code == 201
    agent = {"name": "Head Agent", "timeZone": "Europe/Berlin"}
    assert api.http.put("/agents/agent", json=agent, headers={"If-None-Match": "*"}).status_code == 201
    of_agent = api.http.put("/agents/agent/calendar-token", json={}).json()["links"]["calendar"]
    ids = {"{property_id}": house, "{agent_id}": "agent", "{visit_id}": visit["id"], "{intake_id}": intake["id"]}
    hook = api.post("/webhooks", {"url": "https://crm.example.com/hook"})
    assert hook.status_code == 201, hook.text
    ids |= {"{webhook_id}": hook.json()["id"], "{sheet_id}": sheet, "{row}": str(office.rows(sheet)[0]["row"])}
    made = {path: re.sub(r"{\w+}", lambda found: ids[found[0]], path) for path in READ}
    made["/visits/export"] += "?format=csv"
    made["/properties/{property_id}/calendar.ics"] = calendar
    made["/agents/{agent_id}/calendar.ics"] = of_agent
    return made


def told(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in EACH_ANSWERS_OWN}


@pytest.mark.parametrize("path", READ)
def test_a_head_says_of_an_answer_what_its_get_says(api: Api, addresses: dict[str, str], path: str) -> None:
    address = addresses[path]
    got, head = api.http.get(address), api.http.head(address)
    assert got.status_code == 200, got.text
    assert (head.status_code, told(head), head.content) == (200, told(got), b"")
    assert int(head.headers["Content-Length"]) == len(got.content) > 0


def test_the_workbook_of_a_sheet_is_as_old_as_the_sheet_whenever_it_is_asked_for(
    api: Api, addresses: dict[str, str]
) -> None:
    """Else a HEAD and a GET, a second apart, could differ by a byte."""
    workbook = api.http.get(addresses["/sheets/{sheet_id}/export"]).content
    with zipfile.ZipFile(io.BytesIO(workbook)) as archive:
        created = re.search("<dcterms:created[^>]*>([^<]+)<", archive.read("docProps/core.xml").decode())
    assert created is not None
    assert created[1] == api.http.get(addresses["/sheets/{sheet_id}"]).json()["createdAt"]


def test_a_head_of_what_is_known_already_says_so(api: Api, addresses: dict[str, str]) -> None:
    address = addresses["/visits/{visit_id}"]
    tag = api.http.head(address).headers["ETag"]
    assert api.http.head(address, headers={"If-None-Match": tag}).status_code == 304


def test_a_head_of_nothing_is_refused_as_its_get_is(api: Api) -> None:
    for address in ("/visits/nothing", "/visits?limit=0", "/nowhere", "/visits/x/status"):
        got, head = api.http.get(address), api.http.head(address)
        assert (head.status_code, told(head), head.content) == (got.status_code, told(got), b"")


def test_where_head_is_not_an_address_says_what_is(api: Api) -> None:
    assert problem(api.http.delete("/visits"), 405, "method-not-allowed")
    assert api.http.delete("/visits").headers["Allow"].split(", ") == ["POST", "GET", "HEAD"]
