"""A person at the console, in a browser of their own, and the agency they work for."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, FloatRect, Locator, Page, expect

from tests.contract import check
from tools.client import Patient
from tools.operate.people import Pool, a_password
from tools.project import ROOT

BERLIN = "Europe/Berlin"
EVERYTHING = ("read", "write", "override", "admin")
PATIENCE_SECONDS = 60
"""On a machine that does a lot besides, an answer is late, not wrong."""
PICTURES = ROOT / "build" / "pictures"
AXE = ROOT / "build" / "browser" / "node_modules" / "axe-core" / "axe.min.js"
REFUSED = "Failed to load resource: the server responded with a status of"


@dataclass
class Agency:
    """The API that the console talks to, for what a test needs to be there before."""

    url: str
    key: str
    sign_in: str
    """The origin of the hosted sign-in."""
    pool: Pool

    def person(self, scopes: Sequence[str]) -> tuple[str, str]:
        """Somebody who may do that; their e-mail address and password."""
        email, password = f"{'-'.join(scopes)}-{uuid.uuid4().hex[:6]}@example.org", a_password()
        self.pool.invite(email, MessageAction="SUPPRESS")
        self.pool.cognito.admin_set_user_password(
            UserPoolId=self.pool.id, Username=email, Password=password, Permanent=True
        )
        self.pool.put_into(email, tuple(scopes))
        return email, password

    @cached_property
    def http(self) -> Patient:
        return Patient(self.url, self.key, event_hooks={"response": [check]})

    def close(self) -> None:
        self.http.close()
        self.pool.cognito.close()

    def send(self, method: str, path: str, body: object | None = None, **headers: str) -> dict[str, Any]:
        answer = self.http.request(method, path, json=body, headers=headers)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    def property(self, name: str, zone: str = BERLIN, **more: object) -> str:
        body = {"name": name, "address": f"{name}, 00012 Musterstadt", "timeZone": zone, **more}
        id: str = self.send("POST", "/properties", body)["id"]
        return id

    def hours(self, property_id: str, opens: str, closes: str) -> None:
        """Open every day from then to then."""
        days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
        weekly = {"weekly": {day: [[opens, closes]] for day in days}}
        self.send("PUT", f"/properties/{property_id}/availability", weekly, **{"If-None-Match": "*"})

    def agent(self, name: str, **more: object) -> str:
        id = f"{name.split()[0].lower()}-{uuid.uuid4().hex[:6]}"
        self.send("PUT", f"/agents/{id}", {"name": name, "timeZone": BERLIN, **more}, **{"If-None-Match": "*"})
        return id

    def visit(self, property_id: str, day: str, time: str, zone: str = BERLIN, /, **more: object) -> str:
        body = {"propertyId": property_id, "date": instant(day, time, zone), "notify": False, **more}
        id: str = self.send("POST", "/visits", body)["id"]
        return id

    def read(self, visit_id: str) -> dict[str, Any]:
        return self.send("GET", f"/visits/{visit_id}")


def instant(day: str, time: str, zone: str = BERLIN) -> str:
    """A wall time as an instant; the first of two."""
    return datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=ZoneInfo(zone)).isoformat()


def plus(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


@dataclass
class Desk:
    """A page, and what it has said and asked since it was opened."""

    page: Page
    context: BrowserContext
    complaints: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    refused: bool = False
    """Whether the test lets requests be refused, which every browser notes."""

    def __post_init__(self) -> None:
        self.page.on("console", self._noted)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.calls.append(f"{request.method} {request.url}"))

    def _noted(self, message: ConsoleMessage) -> None:
        if not (self.refused and message.text.startswith((REFUSED, "Failed to load resource: net::"))):
            self.complaints.append(f"{message.type}: {message.text}")

    def ready(self) -> Desk:
        """Once the page shows what it was opened for."""
        expect(self.page.locator("main h1").first).to_be_attached()
        if self.page.locator(".foot").count():
            expect(self.page.locator(".foot")).to_contain_text(re.compile(r"\d\d:\d\d"))
        return self

    def reload(self) -> None:
        self.page.reload()
        self.ready()

    def block(self, visit_id: str) -> Locator:
        return self.page.locator(f'.hours [data-visit="{visit_id}"]')

    def box(self, visit_id: str) -> FloatRect:
        return box_of(self.block(visit_id))

    def column(self, key: str) -> Locator:
        return self.page.locator(f'.day[data-column="{key}"]')

    def hour(self) -> float:
        """How high an hour is drawn."""
        marks = self.page.locator(".gutter .hour")
        return box_of(marks.nth(1))["y"] - box_of(marks.nth(0))["y"]

    def drag(self, visit_id: str, to: str, minutes: int) -> None:
        """Takes a visit to the same place in another column, so many minutes later."""
        box, column = self.box(visit_id), box_of(self.column(to))
        x, y = box["x"] + 12, box["y"] + 8
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + 8, y + 8, steps=2)
        self.page.mouse.move(column["x"] + column["width"] / 2, y + self.hour() * minutes / 60, steps=6)
        self.page.mouse.up()

    def says(self, text: str) -> None:
        expect(self.page.locator(".toasts")).to_contain_text(text)

    def dialog(self) -> Locator:
        return self.page.locator("dialog")

    def choose_property(self, letters: str) -> None:
        """Finds a property by a few letters, by keyboard, in the dialog."""
        self.dialog().get_by_role("combobox", name="Property").fill(letters)
        expect(self.dialog().get_by_role("option").first).to_be_visible()
        self.page.keyboard.press("Enter")

    def picture(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png")

    def barriers(self) -> list[str]:
        return barriers(self.page)

    def faint(self) -> list[str]:
        return faint(self.page)


def barriers(page: Page) -> list[str]:
    """What axe finds on the page."""
    return _found_by_axe(page, {})


def faint(page: Page) -> list[str]:
    """The texts that are hard to read on a dark screen: the one rule of axe that a theme can break."""
    page.emulate_media(color_scheme="dark")
    found = _found_by_axe(page, {"runOnly": ["color-contrast"]})
    page.emulate_media(color_scheme="light")
    return found


def _found_by_axe(page: Page, options: Mapping[str, object]) -> list[str]:
    """It comes by the debugger, which no policy of the page keeps out, and stays until another page is loaded."""
    if page.evaluate("typeof axe") == "undefined":
        debugger = page.context.new_cdp_session(page)
        debugger.send("Runtime.evaluate", {"expression": AXE.read_text(encoding="utf-8")})
        debugger.detach()
    found = page.evaluate(
        "async options => (await axe.run(options)).violations.map(v => [v.id, ...v.nodes.map(n => n.html)])", options
    )
    return [" ".join(text[:160] for text in one) for one in found]


def fill_in(page: Page, email: str, password: str) -> None:
    """The hosted page, by keyboard."""
    page.locator("input[name=username]").fill(email)
    page.locator("input[name=password]").fill(password)
    page.keyboard.press("Enter")


def box_of(locator: Locator) -> FloatRect:
    expect(locator).to_be_visible()
    box = locator.bounding_box()
    assert box is not None
    return box


class Desks:
    """The desks that a test opens."""

    _tokens: ClassVar[dict[tuple[str, ...], str]] = {}

    def __init__(self, agency: Agency, browser: Browser) -> None:
        self._agency, self._browser = agency, browser
        self._opened: list[Desk] = []

    def open(
        self,
        path: str = "",
        *,
        zone: str = BERLIN,
        theme: str = "light",
        width: int = 1280,
        height: int = 800,
        scopes: Sequence[str] = EVERYTHING,
        locale: str = "en-GB",
    ) -> Desk:
        context = self._browser.new_context(
            timezone_id=zone,
            locale=locale,
            color_scheme="dark" if theme == "dark" else "light",
            viewport={"width": width, "height": height},
            reduced_motion="reduce",
            accept_downloads=True,
        )
        context.set_default_timeout(PATIENCE_SECONDS * 1000)
        kept = {"refresh-token": self._refresh_token(tuple(scopes))} if scopes else {}
        context.add_init_script(f"Object.assign(sessionStorage, {json.dumps(kept)})")
        desk = Desk(context.new_page(), context)
        self._opened.append(desk)
        desk.page.goto(f"{self._agency.url}/{path}")
        return desk.ready() if scopes else desk

    def _refresh_token(self, scopes: tuple[str, ...]) -> str:
        """Of somebody who has signed in on the hosted page, once for all tests."""
        if scopes not in self._tokens:
            context = self._browser.new_context()
            page = context.new_page()
            page.goto(self._agency.url)
            page.get_by_role("button", name="Sign in").click()
            fill_in(page, *self._agency.person(scopes))
            expect(page.locator(".console")).to_be_visible()
            self._tokens[scopes] = page.evaluate("sessionStorage.getItem('refresh-token')")
            context.close()
        return self._tokens[scopes]

    def close(self) -> None:
        for desk in self._opened:
            desk.context.close()
        complaints = [complaint for desk in self._opened for complaint in desk.complaints]
        assert not complaints, complaints
