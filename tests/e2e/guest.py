"""A caller at a stage that others use too: known by its agent, and gone without holding a time."""

from __future__ import annotations

import contextlib
import random
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from chalicelib.domain.slots import QUARTER
from chalicelib.http.instants import instant_text
from tests.e2e.caller import HOUSE, Caller, Stage, refused, until

PROPERTY_ID: Final = "e2e-test"
CALENDAR_ID: Final = "e2e-test-calendar"
"""Of its own: it shows no more than the first 2,000 visits of a year, cancelled ones among them."""
VISITOR: Final = {"name": "Erika Mustermann", "email": "erika@example.com", "phone": "+49 30 901820"}
NEAR_DAYS: Final = 40
QUARTERS_OF_A_YEAR: Final = 365 * 96
TIMES_DRAWN: Final = 5

Document = dict[str, Any]


class Guest(Caller):
    """Books for an agent that nobody else has, so that lists and exports by agent are its own."""

    def __init__(self, http: httpx.Client) -> None:
        super().__init__(http)
        self.agent = f"e2e-{secrets.token_hex(8)}"
        self._booked: set[str] = set()
        self._handed_in: set[str] = set()

    def send(self, method: str, path: str, body: object = None, **more: Any) -> httpx.Response:
        answer = super().send(method, path, body, **more)
        if method == "POST" and path == "/visits" and answer.status_code == 201:
            self._booked.add(answer.json()["id"])
        if method == "POST" and path == "/intakes" and answer.status_code == 202:
            self._handed_in.add(answer.headers["Location"])
        return answer

    def wishes(self, number: int, **more: object) -> list[Document]:
        """Visits of a quarter hour, one after the other, from a time on that is drawn by chance."""
        first = this_hour() + random.randrange(QUARTERS_OF_A_YEAR, 4 * QUARTERS_OF_A_YEAR) * QUARTER
        wish = {"propertyId": PROPERTY_ID, "durationMinutes": 15, "place": "End-to-end test", "agentId": self.agent}
        return [wish | {"date": instant_text(first + n * QUARTER)} | more for n in range(number)]

    def soon(self) -> Document:
        """One that a calendar shows."""
        quarters = random.randrange(96, NEAR_DAYS * 96)
        (wish,) = self.wishes(1, propertyId=CALENDAR_ID, visitor=VISITOR, notes="Of Erika")
        return wish | {"date": instant_text(this_hour() + quarters * QUARTER)}

    def book(self, number: int = 1, **more: object) -> list[Document]:
        """Visits by start, each at a time of its own."""
        booked = [self.booked(lambda: self.wishes(1, **more)[0]) for _ in range(number)]
        return sorted(booked, key=lambda visit: str(visit["date"]))

    def booked(self, draw: Callable[[], Document], **more: Any) -> Document:
        """A visit. When somebody else has its time by chance, another is drawn."""
        for _ in range(TIMES_DRAWN):
            answer = self.send("POST", "/visits", draw(), **more)
            if answer.status_code != 409:
                break
        assert answer.status_code == 201, refused(answer)
        visit: Document = answer.json()
        return visit

    def pages(self, path: str, **query: object) -> Iterator[Document]:
        """The pages of a list, by the links from one to the next, which agree with the cursors."""
        answer = self.answer(200, "GET", path, params=query)
        while True:
            page: Document = answer.json()
            yield page
            following = answer.links.get("next", {}).get("url")
            assert (page["nextCursor"] is None) == (following is None)
            if following is None:
                return
            assert httpx.URL(following).params["cursor"] == page["nextCursor"]
            answer = self.answer(200, "GET", self.at(following))

    def everything(self, path: str, **query: object) -> list[Document]:
        return [item for page in self.pages(path, **query) for item in page["items"]]

    def own(self, **query: object) -> list[Document]:
        """The guest's visits, as the list shows them by and by."""
        return self.everything("/visits", **self.own_query(), **query)

    def own_query(self) -> dict[str, str]:
        now = datetime.now(UTC)
        # Whatever was drawn lies within: the furthest is four years ahead.
        window = {"from": instant_text(now), "to": instant_text(now + timedelta(days=4 * 366))}
        return {"agentId": self.agent, **window}

    def finished(self, intake: str) -> Document:
        """An intake when it has come to its end."""
        seen: Document = {}

        def done() -> bool:
            seen.update(self.call(200, "GET", intake))
            return seen["status"] in ("done", "failed")

        until(done, "the intake")
        return seen

    def results(self, intake: str) -> list[Document]:
        return self.everything(self.at(self.finished(intake)["links"]["results"]), limit=10)

    def leave(self) -> None:
        """Cancels whatever still holds a time, also what was booked without an answer having come."""
        for intake in self._handed_in:
            self._booked |= {row["visitId"] for row in self.results(self.at(intake)) if "visitId" in row}
        self._booked |= {visit["id"] for visit in self.own(status="requested,confirmed", limit=100)}
        for visit in self._booked:
            self.call(200, "PUT", f"/visits/{visit}/status", {"status": "cancelled", "reason": "End-to-end test"})


@contextlib.contextmanager
def guest_at(stage: Stage) -> Iterator[Guest]:
    """A guest, who tidies up whatever happens."""
    with stage.client(stage.key) as http:
        guest = Guest(http)
        for id in (PROPERTY_ID, CALENDAR_ID):
            house = HOUSE | {"name": "End-to-end test: no property"}
            answer = guest.send("PUT", f"/properties/{id}", house, headers={"If-None-Match": "*"})
            # 412: an earlier run has made it.
            assert answer.status_code in (201, 412), refused(answer)
        try:
            yield guest
        finally:
            guest.leave()


def this_hour() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
