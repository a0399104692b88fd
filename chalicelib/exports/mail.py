"""Mail to visitors, from the templates in `chalicelib/notices`: text, HTML and the visit for a calendar program.

The parts are those of MS-OXCMAIL and RFC 6047: alternatives with `text/calendar` last, and once more as a file for
programs that only look at those. Everything is 7-bit. What callers wrote never becomes a header but the subject, where
it is encoded, and of a name only what can be no advertisement is shown: anybody may have booked for this address.

https://learn.microsoft.com/en-us/openspecs/exchange_server_protocols/ms-oxcmail/8e662849-42e7-4ea3-98d9-8f3b94525a96
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import Any, Final
from zoneinfo import ZoneInfo

from chalicelib.domain.notices import Kind, Letter
from chalicelib.exports.ics import method_of, write_invitation

TEMPLATES: Final = Path(__file__).parent.parent / "notices"

_WORD: Final = r"[^\W\d_]+(?:['’-][^\W\d_]+)*\.?"
_NAME: Final = re.compile(rf"{_WORD}(?: {_WORD}){{0,5}}")
"""A name that is greeted: words of letters, so no address of any kind."""

LONGEST_NAME: Final = 60


def write_mail(letter: Letter) -> bytes:
    """The mail, whole, as SMTP takes it. The same letter is always the same mail."""
    subject, text = _filled(letter)
    mail = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    sender = letter.sender
    mail["From"] = Address(sender.agency, addr_spec=sender.address)
    mail["To"] = Address(addr_spec=letter.address)
    mail["Subject"] = subject
    if sender.reply_to is not None:
        mail["Reply-To"] = Address(addr_spec=sender.reply_to)
    # RFC 3834: nobody's holiday note is to answer.
    mail["Auto-Submitted"] = "auto-generated"
    if letter.unsubscribe is not None:
        mail["List-Unsubscribe"] = f"<{letter.unsubscribe}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
    mail.set_content(text, cte="quoted-printable")
    mail.add_alternative(_html(letter, text), subtype="html", cte="quoted-printable")
    if letter.kind not in (Kind.REMINDER, Kind.HELD):
        _add_calendar(mail, letter)
    _name_boundaries(mail, letter)
    return mail.as_bytes()


def _add_calendar(mail: EmailMessage, letter: Letter) -> None:
    visit, sender = letter.visit, letter.sender
    summary = Template(_words(letter.language)["summary"]).substitute(property=letter.property_name)
    invitation = write_invitation(visit, summary, sender.address, sender.agency, letter.address)
    method = method_of(visit)
    mail.add_alternative(
        invitation.decode(), subtype="calendar", cte="base64", params={"method": method, "name": "invite.ics"}
    )
    mail.add_attachment(
        invitation, maintype="application", subtype="ics", filename="invite.ics", params={"name": "invite.ics"}
    )


def _name_boundaries(mail: EmailMessage, letter: Letter) -> None:
    """By the visit instead of by chance, so that a mail that comes twice is the same one."""
    parts = [part for part in mail.walk() if part.is_multipart()]
    for number, part in enumerate(parts):
        part.set_boundary(f"=_{letter.visit.id}.{letter.visit.version}.{number}")


def _filled(letter: Letter) -> tuple[str, str]:
    """The subject and the text. A line whose placeholder has nothing to say is left out."""
    template = (TEMPLATES / letter.language / f"{letter.kind}.txt").read_text(encoding="utf-8")
    values = _values(letter)
    head, _, body = template.partition("\n\n")
    silent = {name for name, value in values.items() if not value}
    lines = [line for line in body.splitlines() if not silent & set(Template(line).get_identifiers())]
    text = "\n".join(Template(line).substitute(values) for line in lines)
    subject = Template(head.removeprefix("Subject:").strip()).substitute(values)
    return " ".join(subject.split()), re.sub("\n{3,}", "\n\n", text) + "\n"


def _values(letter: Letter) -> Mapping[str, str]:
    words, visit = _words(letter.language), letter.visit
    start = visit.date.astimezone(ZoneInfo(visit.time_zone))
    end = (visit.date + timedelta(minutes=visit.duration_minutes)).astimezone(start.tzinfo)
    offset = f"{start:%z}"
    facts = {
        "weekday": words["weekdays"][start.weekday()],
        "day": str(start.day),
        "month": words["months"][start.month - 1],
        "year": str(start.year),
        "start": f"{start:%H:%M}",
        "end": f"{end:%H:%M}",
        "zone": f"{visit.time_zone}, UTC{offset[:3]}:{offset[3:5]}",
    }
    name = visit.visitor.name if visit.visitor else None
    greeted = name is not None and len(name) <= LONGEST_NAME and _NAME.fullmatch(name) is not None
    greeting = Template(words["greeting"]).substitute(name=name) if greeted else words["greetingWithoutName"]
    return {
        "greeting": greeting,
        "property": letter.property_name,
        "when": Template(words["when"]).substitute(facts),
        "short": Template(words["short"]).substitute(facts),
        "place": visit.place,
        "link": letter.link or "",
        "until": f"{visit.awaited.until.astimezone(start.tzinfo):%H:%M}" if visit.awaited else "",
        "agency": letter.sender.agency,
    }


def _html(letter: Letter, text: str) -> str:
    """The text as HTML, all of it escaped; what leads to the visit can be clicked."""
    shown = escape(text)
    if letter.link is not None:
        link = escape(letter.link)
        shown = shown.replace(link, f'<a href="{link}">{link}</a>')
    paragraphs = ["<p>" + part.strip().replace("\n", "<br>\n") + "</p>" for part in shown.split("\n\n")]
    logo = letter.sender.logo
    picture = f'<p><img src="{escape(logo)}" alt="{escape(letter.sender.agency)}" height="48"></p>' if logo else ""
    layout = Template((TEMPLATES / "layout.html").read_text(encoding="utf-8"))
    return layout.substitute(language=letter.language, logo=picture, body="\n".join(paragraphs))


@cache
def _words(language: str) -> Mapping[str, Any]:
    words: Mapping[str, Any] = json.loads((TEMPLATES / language / "words.json").read_text(encoding="utf-8"))
    return words
