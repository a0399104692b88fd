"""What visitors are told: how their visit stands, once, whatever order the changes and their messages come in."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from chalice.app import SQSEvent
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

import app as entry
from chalicelib.domain.errors import StoreBusy
from chalicelib.domain.notices import CLAIMED_FOR, SETTLED, Undeliverable, recipient_of
from chalicelib.domain.visitor_links import parse
from chalicelib.domain.visits import ChangeVisit, ChangeVisitor, Status, Visit, Visitor
from chalicelib.events.batches import Unfinished
from chalicelib.events.notice_queue import notify
from chalicelib.settings import REPORT_FAILURES
from tests.agency import SENDER, Agency
from tests.builders import TEN, booking, event, visit_body

ADA = Visitor("Ada Lovelace", "ada@example.com")
HOUR = timedelta(hours=1)


def book(agency: Agency, **changes: Any) -> Visit:
    visit = agency.booking.book(booking(**{"visitor": ADA, "notify": True} | changes)).result
    agency.services.notices.announce([visit.id])
    return visit


def move(agency: Agency, visit: Visit, date: datetime) -> None:
    agency.booking.change(visit.id, ChangeVisit(date=date), None)
    agency.services.notices.announce([visit.id])


def become(agency: Agency, visit: Visit, status: Status) -> None:
    agency.booking.change_status(visit.id, status, None)
    agency.services.notices.announce([visit.id])


def erase(agency: Agency, visit: Visit) -> None:
    agency.booking.erase_visitor(visit.id)
    agency.services.notices.announce([visit.id])


def handle(agency: Agency, *bodies: str) -> list[str]:
    """Hands out messages as one batch; gives those that come again."""
    records = [{"messageId": str(n), "body": body} for n, body in enumerate(bodies)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FUNCTION_RESPONSE_TYPES", REPORT_FAILURES)
        answer = notify(SQSEvent({"Records": records}, None), agency.services)
    return [bodies[int(failure["itemIdentifier"])] for failure in answer["batchItemFailures"]]


def work(agency: Agency) -> None:
    """Hands out all messages, one by one, and those that fail again once claims are over."""
    while agency.notice_queue.messages:
        failed = [body for body in _taken(agency) if handle(agency, body)]
        if failed:
            agency.clock.advance(CLAIMED_FOR + timedelta(seconds=1))
            agency.notice_queue.messages += failed


def _taken(agency: Agency) -> list[str]:
    taken, agency.notice_queue.messages = agency.notice_queue.messages, []
    return taken


def tick(agency: Agency, until: datetime) -> None:
    """Every minute up to then reminders are looked for and told."""
    while agency.clock() < until:
        agency.clock.advance(timedelta(minutes=1))
        agency.services.notices.look_ahead()
        work(agency)


def mails(agency: Agency) -> list[EmailMessage]:
    return [message_from_bytes(mail, policy=default) for _, mail, _ in agency.outbox.sent]


def subjects(agency: Agency) -> list[str]:
    return [str(mail["Subject"]).partition(":")[0] for mail in mails(agency)]


# One true last mail


def test_a_booking_is_told_once_however_often_it_is_announced() -> None:
    agency = Agency()
    visit = book(agency)
    agency.services.notices.announce([visit.id, visit.id])
    work(agency)
    assert [(address, tags["visit"]) for address, _, tags in agency.outbox.sent] == [("ada@example.com", visit.id)]
    assert subjects(agency) == ["Confirmed"]


def test_booked_and_moved_within_seconds_is_one_mail_with_the_time_that_counts() -> None:
    agency = Agency()
    visit = book(agency)
    move(agency, visit, TEN + 3 * HOUR)
    work(agency)
    (mail,) = mails(agency)
    assert "14:00 to 14:30 (Europe/Berlin, UTC+01:00)" in text_of(mail)


def test_a_change_that_is_no_news_for_the_visitor_is_not_told() -> None:
    agency = Agency()
    visit = book(agency)
    work(agency)
    agency.booking.change(visit.id, ChangeVisit(notes="Has a dog", agent_id="ann"), None)
    agency.services.notices.announce([visit.id])
    work(agency)
    assert subjects(agency) == ["Confirmed"]


@pytest.mark.parametrize(
    "command",
    [{"notify": False}, {"visitor": None}, {"visitor": Visitor(phone="030 1")}, {"date": TEN - timedelta(days=9)}],
    ids=["silent", "nobody", "only a telephone", "past"],
)
def test_who_is_not_to_be_told_is_not(command: dict[str, Any]) -> None:
    agency = Agency()
    visit = book(agency, **command)
    work(agency)
    become(agency, visit, Status.CANCELLED)
    work(agency)
    assert agency.outbox.sent == []


@pytest.mark.parametrize(
    ("path", "body", "loud"),
    [
        ("/visits", {}, True),
        ("/visits", {"notify": False}, False),
        ("/intakes", {}, False),
        ("/intakes", {"notify": True}, True),
    ],
)
def test_who_books_later_is_told_as_who_books_now_and_of_a_row_only_who_asked(
    monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, Any], loud: bool
) -> None:
    agency = Agency()
    monkeypatch.setattr(entry, "services", lambda: agency.services)
    wanted: dict[str, Any] = visit_body(visitor={"email": "ada@example.com"}, **body)
    raw = json.dumps({"visits": [wanted]} if path == "/intakes" else wanted).encode()
    headers = {"content-type": "application/json", "prefer": "respond-async"}
    answer = entry.app(event("POST", path, headers=headers, body=raw), None)
    assert answer["statusCode"] == 202, answer["body"]
    if path == "/visits":
        (row,) = json.loads(agency.queue.messages[0])["visits"]
        assert "notify" not in row, "a worker of the version before would reject it"
    agency.work()
    (visit,) = agency.memory.visits.values()
    agency.services.notices.announce([visit.id])
    work(agency)
    assert (visit.notify, len(agency.outbox.sent)) == (loud, loud)


def test_without_a_sender_nothing_is_queued() -> None:
    agency = Agency(sender=None)
    book(agency)
    agency.services.notices.look_ahead()
    assert agency.notice_queue.messages == []


def test_another_address_is_told_all_of_it_and_the_one_before_nothing_more() -> None:
    agency = Agency()
    visit = book(agency)
    work(agency)
    agency.booking.change(visit.id, ChangeVisit(visitor=ChangeVisitor(email="grace@example.com")), None)
    agency.services.notices.announce([visit.id])
    work(agency)
    become(agency, visit, Status.CANCELLED)
    work(agency)
    assert [address.partition("@")[0] for address, _, _ in agency.outbox.sent] == ["ada", "grace", "grace"]
    assert subjects(agency) == ["Confirmed", "Confirmed", "Cancelled"]


STEPS: dict[str, Callable[[Agency, Visit], None]] = {
    "move": lambda agency, visit: move(agency, visit, TEN + 2 * HOUR),
    "back": lambda agency, visit: move(agency, visit, TEN),
    "cancel": lambda agency, visit: become(agency, visit, Status.CANCELLED),
    "erase": erase,
}


@pytest.mark.parametrize("steps", [order for n in range(5) for order in itertools.permutations(STEPS, n)], ids=str)
@pytest.mark.parametrize("late", ["at once", "at the end", "backwards, twice"])
def test_the_last_mail_is_true_whatever_comes_in_whatever_order(steps: Sequence[str], late: str) -> None:
    if "cancel" in steps and any(step in steps[steps.index("cancel") :] for step in ("move", "back")):
        return  # a cancelled visit cannot move
    agency = Agency()
    visit = book(agency)
    for step in steps:
        if late == "at once":
            work(agency)
        STEPS[step](agency, visit)
    if late == "backwards, twice":
        agency.notice_queue.messages = agency.notice_queue.messages[::-1] * 2
    work(agency)
    check_last_mail(agency, visit.id, erased="erase" in steps)


def check_last_mail(agency: Agency, visit_id: str, *, erased: bool) -> None:
    stands = agency.memory.visits[visit_id]
    if erased:
        assert not agency.notices.find(visit_id).names_somebody
        return
    event = calendar_of(mails(agency)[-1]).walk("VEVENT")[0]
    assert event["DTSTART"].dt == stands.date
    assert (event["STATUS"] == "CANCELLED") == (stands.status is Status.CANCELLED)
    assert event["SEQUENCE"] <= stands.version - 1
    sequences = [calendar_of(mail).walk("VEVENT")[0]["SEQUENCE"] for mail in mails(agency)]
    assert sequences == sorted(set(sequences)), "every mail replaces the one before, and none comes twice"


@given(st.data())
def test_messages_that_come_late_and_twice_while_the_visit_changes_end_with_one_true_mail(data: st.DataObject) -> None:
    agency = Agency()
    visit = book(agency)
    seen: list[str] = []
    erased = False
    for _ in range(data.draw(st.integers(1, 8))):
        if data.draw(st.booleans()):
            step = data.draw(st.sampled_from(sorted(STEPS)))
            if agency.memory.visits[visit.id].holds_slots or step == "erase":
                STEPS[step](agency, visit)
                erased = erased or step == "erase"
        else:
            seen += _taken(agency)
            handle(agency, *data.draw(st.lists(st.sampled_from(seen), min_size=1, max_size=4)))
    before = len(agency.outbox.sent)
    agency.notice_queue.messages += seen
    work(agency)
    check_last_mail(agency, visit.id, erased=erased)
    assert len(agency.outbox.sent) <= before + 1


def test_whoever_is_erased_while_a_mail_is_under_way_leaves_no_trace_and_gets_no_other() -> None:
    agency = Agency()
    visit = book(agency)

    def erased() -> None:
        agency.booking.erase_visitor(visit.id)
        agency.services.notices.tell(visit.id)

    agency.outbox.instead.append(erased)
    work(agency)
    assert len(agency.outbox.sent) == 1
    assert not agency.notices.find(visit.id).names_somebody


def test_whoever_is_erased_just_before_a_mail_is_claimed_does_not_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    agency = Agency()
    visit = book(agency)
    claim = agency.notices.claim

    def claim_late(*given: Any) -> bool:
        erase(agency, visit)
        return claim(*given)

    monkeypatch.setattr(agency.notices, "claim", claim_late)
    work(agency)
    assert agency.outbox.sent == []
    assert not agency.notices.find(visit.id).names_somebody


def test_whoever_comes_while_another_is_at_it_comes_again_and_finds_it_told() -> None:
    agency = Agency()
    visit = book(agency)

    def another() -> None:
        with pytest.raises(StoreBusy):
            agency.services.notices.tell(visit.id)

    agency.outbox.instead.append(another)
    work(agency)
    assert subjects(agency) == ["Confirmed"]


@pytest.mark.parametrize("sent", [True, False])
def test_a_crash_while_sending_never_loses_a_mail_and_may_double_it(sent: bool) -> None:
    agency = Agency()
    visit = book(agency)

    def crash() -> None:
        if sent:
            agency.outbox.sent.append(("ada@example.com", b"Subject: Confirmed: the first\n\n", {}))
        raise StoreBusy

    agency.outbox.instead.append(crash)
    (body,) = _taken(agency)
    assert handle(agency, body) == [body]
    assert handle(agency, body) == [body], "another waits until the claim is over"
    agency.clock.advance(CLAIMED_FOR + timedelta(seconds=1))
    assert handle(agency, body) == []
    assert subjects(agency) == ["Confirmed"] * (2 if sent else 1)
    assert agency.notices.find(visit.id).told is not None


def test_where_nobody_asks_for_failures_the_whole_batch_comes_again() -> None:
    """As `chalice deploy` sets it up: any answer would be success for all."""
    records = [{"messageId": "1", "body": "{"}]
    with pytest.raises(Unfinished):
        notify(SQSEvent({"Records": records}, None), Agency().services)


def test_an_unreadable_message_comes_again_and_holds_up_no_other() -> None:
    agency = Agency()
    visit = book(agency)
    foreign = ["no JSON", "[]", '{"visitId": "x"}', json.dumps({"visitId": visit.id, "stop": "tired"})]
    good = json.dumps({"visitId": visit.id})
    assert handle(agency, *foreign, good) == foreign
    assert subjects(agency) == ["Confirmed"]


# Addresses that take no mail


@pytest.mark.parametrize("why", ["bounced", "complained"])
def test_an_address_that_sent_mail_back_gets_no_more_and_a_corrected_one_does(why: str) -> None:
    agency = Agency()
    visit = book(agency)
    work(agency)
    recipient = agency.outbox.sent[0][2]["recipient"]
    assert handle(agency, json.dumps({"visitId": visit.id, "recipient": recipient, "stop": why})) == []
    move(agency, visit, TEN + 2 * HOUR)
    work(agency)
    assert len(agency.outbox.sent) == 1
    agency.booking.change(visit.id, ChangeVisit(visitor=ChangeVisitor(email="right@example.com")), None)
    agency.services.notices.announce([visit.id])
    work(agency)
    assert [address for address, _, _ in agency.outbox.sent] == ["ada@example.com", "right@example.com"]


@pytest.mark.parametrize("why", ["bounced", "complained"])
def test_the_agency_sees_what_was_told_and_why_no_more_mail_goes_out(why: str) -> None:
    agency = Agency()
    visit = book(agency)
    assert known(agency, visit) == {"reminders": True}
    work(agency)
    told = {"at": "2027-03-10T12:00:00Z", "status": "confirmed", "date": "2027-03-12T10:00:00Z"}
    assert known(agency, visit) == {"told": told, "reminders": True}
    recipient = agency.outbox.sent[0][2]["recipient"]
    handle(agency, json.dumps({"visitId": visit.id, "recipient": recipient, "stop": why}))
    assert known(agency, visit) == {"told": told, "stopped": why, "reminders": True}
    agency.booking.change(visit.id, ChangeVisit(visitor=ChangeVisitor(email="right@example.com")), None)
    assert known(agency, visit) == {"reminders": True}, "nothing is known of that address"
    agency.booking.erase_visitor(visit.id)
    assert known(agency, visit) == {"reminders": True}


def known(agency: Agency, visit: Visit) -> Any:
    """What the API answers about the mail."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entry, "services", lambda: agency.services)
        asked = event("GET", "/visits/{visit_id}/notices", parameters={"visit_id": visit.id})
        answer = entry.app(asked, None)
    assert answer["statusCode"] == 200
    return json.loads(answer["body"])


def test_a_late_bounce_of_somebody_who_was_erased_is_not_remembered() -> None:
    agency = Agency()
    visit = book(agency)
    work(agency)
    erase(agency, visit)
    work(agency)
    late = {"visitId": visit.id, "recipient": recipient_of(visit.id, "ada@example.com"), "stop": "bounced"}
    handle(agency, json.dumps(late))
    assert not agency.notices.find(visit.id).names_somebody


@pytest.mark.parametrize(
    "address",
    [
        "ädä@example.com",
        "ada@" + "x" * 64 + ".example",
        "ada..b@example.com",
        ".ada@example.com",
        "ada[1]@example.com",
        "=?utf-8?q?x?=@example.com",
        "ada@\u2620\u0301.example",
    ],
)
def test_an_address_that_no_mail_can_have_is_left_alone(address: str) -> None:
    agency = Agency()
    visit = book(agency, visitor=Visitor(email=address))
    work(agency)
    move(agency, visit, TEN + 2 * HOUR)
    work(agency)
    assert agency.outbox.sent == []


def test_an_address_that_the_mail_service_refuses_is_left_alone() -> None:
    def refuse() -> None:
        raise Undeliverable

    agency = Agency()
    visit = book(agency)
    agency.outbox.instead.append(refuse)
    work(agency)
    move(agency, visit, TEN + 2 * HOUR)
    work(agency)
    assert agency.outbox.sent == []


@pytest.mark.parametrize(
    ("domain", "written"),
    [
        ("bücher.example", "xn--bcher-kva.example"),
        ("STRAßE.example", "xn--strae-oqa.example"),
        ("x_y.example", "x_y.example"),
    ],
)
def test_a_domain_beyond_ascii_is_written_to_in_punycode(domain: str, written: str) -> None:
    """And never to another domain: in the IDNA of 2003 ß was ss, which is somebody else's."""
    agency = Agency()
    book(agency, visitor=Visitor(email=f"ada@{domain}"))
    work(agency)
    assert agency.outbox.sent[0][0] == f"ada@{written}"


# Reminders


def test_reminders_come_a_day_and_two_hours_ahead_and_once_each() -> None:
    agency = Agency()
    book(agency)
    work(agency)
    tick(agency, TEN - 25 * HOUR)
    assert subjects(agency) == ["Confirmed"]
    tick(agency, TEN - 24 * HOUR + 2 * SETTLED)
    assert subjects(agency) == ["Confirmed", "Reminder"]
    tick(agency, TEN)
    assert subjects(agency) == ["Confirmed", "Reminder", "Reminder"]


def test_after_a_cancellation_comes_no_reminder() -> None:
    agency = Agency()
    visit = book(agency)
    work(agency)
    agency.services.notices.look_ahead()
    agency.clock.now = TEN - 24 * HOUR + 2 * SETTLED
    agency.services.notices.look_ahead()
    become(agency, visit, Status.CANCELLED)
    agency.notice_queue.messages.sort(key=len)
    work(agency)
    assert subjects(agency) == ["Confirmed", "Cancelled"]


def test_a_request_is_not_reminded_of() -> None:
    agency = Agency()
    book(agency, status=Status.REQUESTED)
    work(agency)
    agency.services.notices.look_ahead()
    tick(agency, TEN - 23 * HOUR)
    assert subjects(agency) == ["Your request"]


def test_who_booked_or_heard_of_it_within_the_lead_is_not_reminded() -> None:
    agency = Agency()
    agency.clock.now = TEN - 23 * HOUR
    agency.services.notices.look_ahead()
    book(agency)
    work(agency)
    tick(agency, TEN - 3 * HOUR)
    assert subjects(agency) == ["Confirmed"]


def test_a_moved_visit_is_reminded_of_at_its_new_time_alone() -> None:
    agency = Agency()
    visit = book(agency)
    work(agency)
    agency.services.notices.look_ahead()
    move(agency, visit, TEN + 48 * HOUR)
    tick(agency, TEN)
    assert subjects(agency) == ["Confirmed", "Changed"]
    tick(agency, TEN + 25 * HOUR)
    assert subjects(agency) == ["Confirmed", "Changed", "Reminder"]


@pytest.mark.parametrize("hours", [1, 23, 60])
def test_an_outage_of_the_tick_is_caught_up_without_doubles(hours: int) -> None:
    """However many leads passed meanwhile, and whether or not the visit has begun."""
    agency = Agency()
    book(agency)
    work(agency)
    agency.services.notices.look_ahead()
    agency.clock.now = TEN - 24 * HOUR - timedelta(minutes=5)
    tick(agency, TEN - 24 * HOUR - 2 * SETTLED)
    agency.clock.advance(timedelta(hours=hours))
    for _ in range(3):
        agency.services.notices.look_ahead()
        work(agency)
    assert subjects(agency) == ["Confirmed"] + ["Reminder"] * (hours < 24)


def test_a_tick_that_broke_down_before_it_was_noted_is_done_again_and_told_once() -> None:
    agency = Agency()
    book(agency)
    work(agency)
    agency.services.notices.look_ahead()
    begun = agency.notices.looked_ahead
    agency.clock.now = TEN - 24 * HOUR + 2 * SETTLED
    for _ in range(2):
        agency.notices.looked_ahead = begun
        assert agency.services.notices.look_ahead() == 1
    work(agency)
    assert subjects(agency) == ["Confirmed", "Reminder"]


def test_who_wants_no_reminders_still_hears_of_changes() -> None:
    agency = Agency()
    visit = book(agency)
    work(agency)
    agency.services.visitor_links.switch_reminders(visit, False)
    agency.services.notices.look_ahead()
    tick(agency, TEN - 23 * HOUR)
    become(agency, visit, Status.CANCELLED)
    work(agency)
    assert subjects(agency) == ["Confirmed", "Cancelled"]


# The mail itself


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def calendar_of(mail: EmailMessage) -> Any:
    (part,) = (part for part in mail.walk() if part.get_content_type() == "text/calendar")
    return Calendar.from_ical(part.get_content())


def first_mail(agency: Agency | None = None, **changes: Any) -> EmailMessage:
    agency = agency or Agency()
    book(agency, **changes)
    work(agency)
    return mails(agency)[0]


def test_the_parts_are_those_that_calendar_programs_look_for() -> None:
    """MS-OXCMAIL: alternatives with text/calendar last; a file beside them for who looks at attachments alone."""
    mail = first_mail()
    assert mail.get_content_type() == "multipart/mixed"
    alternative, attachment = mail.iter_parts()
    kinds = [part.get_content_type() for part in alternative.iter_parts()]
    assert kinds == ["text/plain", "text/html", "text/calendar"]
    (calendar,) = (part for part in mail.walk() if part.get_content_type() == "text/calendar")
    assert calendar.get_param("method") == calendar_of(mail)["METHOD"] == "REQUEST"
    assert (attachment.get_content_type(), attachment.get_filename()) == ("application/ics", "invite.ics")


def test_the_calendar_part_is_one_that_replaces_the_one_before() -> None:
    agency = Agency()
    visit = book(agency)
    work(agency)
    move(agency, visit, TEN + 2 * HOUR)
    work(agency)
    become(agency, visit, Status.CANCELLED)
    work(agency)
    calendars = [calendar_of(mail) for mail in mails(agency)]
    assert [calendar["METHOD"] for calendar in calendars] == ["REQUEST", "REQUEST", "CANCEL"]
    events = [calendar.walk("VEVENT")[0] for calendar in calendars]
    assert {str(event["UID"]) for event in events} == {visit.id}
    assert [event["SEQUENCE"] for event in events] == [0, 1, 2]
    assert all(event["ORGANIZER"] == "mailto:visits@agency.example" for event in events)
    assert all(event["ATTENDEE"] == "mailto:ada@example.com" for event in events)


def test_a_mail_is_seven_bit_for_one_recipient_and_no_answering_machine() -> None:
    agency = Agency()
    book(agency, place="Café Ärger – « été »", visitor=Visitor("Zoë Müller", "zoe@example.com", language="fr"))
    work(agency)
    raw = agency.outbox.sent[0][1]
    assert raw.isascii()
    assert max(map(len, raw.splitlines())) <= 998
    (mail,) = mails(agency)
    assert (mail["To"], mail["From"]) == ("zoe@example.com", "Lake & Sons <visits@agency.example>")
    assert (mail["Reply-To"], mail["Auto-Submitted"]) == ("desk@agency.example", "auto-generated")
    assert "Bonjour Zoë Müller" in text_of(mail)
    assert "Café Ärger – « été »" in text_of(mail)


def test_the_same_mail_again_is_the_same_to_the_byte() -> None:
    agency = Agency()
    visit = book(agency)
    work(agency)
    agency.notices.states.clear()
    agency.services.notices.tell(visit.id)
    assert agency.outbox.sent[0] == agency.outbox.sent[1]


@pytest.mark.parametrize(
    ("language", "when"),
    [
        ("en", "Friday, 12 March 2027, 11:00 to 11:30 (Europe/Berlin, UTC+01:00)"),
        ("de", "Freitag, 12. März 2027, 11:00 bis 11:30 Uhr (Europe/Berlin, UTC+01:00)"),
        ("es", "viernes 12 de marzo de 2027, de 11:00 a 11:30 (Europe/Berlin, UTC+01:00)"),
        ("fr", "vendredi 12 mars 2027, de 11:00 à 11:30 (Europe/Berlin, UTC+01:00)"),
    ],
)
def test_times_are_the_propertys_in_the_visitors_language(language: str, when: str) -> None:
    assert when in text_of(first_mail(visitor=replace(ADA, language=language)))


@pytest.mark.parametrize("language", ["en", "es", "de", "fr"])
def test_every_mail_there_is_is_written_in_every_language(language: str) -> None:
    agency = Agency()
    ada = replace(ADA, language=language)
    visit = book(agency, visitor=ada, status=Status.REQUESTED)
    work(agency)
    become(agency, visit, Status.CONFIRMED)
    work(agency)
    move(agency, visit, TEN + 2 * HOUR)
    work(agency)
    agency.services.notices.look_ahead()
    tick(agency, TEN - 20 * HOUR)
    become(agency, visit, Status.CANCELLED)
    declined = book(agency, visitor=ada, status=Status.REQUESTED, date=TEN + 50 * HOUR)
    become(agency, declined, Status.DECLINED)
    work(agency)
    assert len(set(subjects(agency))) == len(agency.outbox.sent) == 6
    assert not [mail for mail in mails(agency) if "$" in text_of(mail) + str(mail["Subject"])]


def test_what_callers_wrote_is_escaped_in_html_and_never_a_header() -> None:
    agency = Agency()
    book(agency, place='<img src=x onerror="alert(1)">', visitor=Visitor("Bcc: x@evil.example", "ada@example.com"))
    work(agency)
    (mail,) = mails(agency)
    html = mail.get_body(("html",))
    assert html is not None
    assert "<img" not in html.get_content()
    assert "evil" not in agency.outbox.sent[0][1].decode()


@pytest.mark.parametrize("name", ["Win at casino.example", "https://evil.example", "Ring 0900 1234", "x" * 61, "a/b"])
def test_a_name_that_could_be_an_advertisement_is_not_repeated_to_a_stranger(name: str) -> None:
    mail = first_mail(visitor=Visitor(name, "ada@example.com"))
    assert name not in text_of(mail)
    assert "Hello,\n" in text_of(mail)


@pytest.mark.parametrize("name", ["Ada Lovelace", "José-María O’Neill", "Dr. Müller", "李 小龙"])
def test_a_name_is_greeted(name: str) -> None:
    assert f"Hello {name}," in text_of(first_mail(visitor=Visitor(name, "ada@example.com")))


def test_the_link_is_in_text_and_html_and_left_out_where_there_is_no_page() -> None:
    agency = Agency()
    with_page = first_mail(agency)
    link = f"{SENDER.page}#vl_"
    html = with_page.get_body(("html",))
    assert html is not None
    assert link in text_of(with_page)
    assert f'<a href="{link}' in html.get_content()
    without = first_mail(Agency(sender=replace(SENDER, page=None)))
    assert "#vl_" not in text_of(without)
    assert "You can see" not in text_of(without)


def test_only_a_reminder_can_be_unsubscribed_from_with_one_click() -> None:
    """RFC 8058: both headers, and an https address that identifies the recipient by itself."""
    agency = Agency()
    book(agency)
    work(agency)
    agency.services.notices.look_ahead()
    tick(agency, TEN - 23 * HOUR)
    confirmed, reminder = mails(agency)
    assert confirmed["List-Unsubscribe"] is None
    assert reminder["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    address = str(reminder["List-Unsubscribe"]).strip("<>")
    assert address.startswith(f"{SENDER.api}/visitor/unsubscribe?token=vu_")
    link = parse(address.partition("token=")[2])
    assert link is not None
    agency.services.visitor_links.unsubscribe(link)
    tick(agency, TEN)
    assert subjects(agency) == ["Confirmed", "Reminder"]
