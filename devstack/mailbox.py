"""The mailbox of `make run`: shows the mails that were sent, which are files in a folder.

It stands before the gateway of the development server, and nowhere else.
"""

import re
from collections.abc import Sequence
from email import message_from_bytes
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import default
from html import escape
from pathlib import Path

from devstack.gateway import Answer, Call, Gateway, problem

ADDRESS = "/mailbox"
NAME = re.compile(r"[0-9a-f-]{1,100}\.eml")
HEADS = BytesHeaderParser(policy=default)
HEADERS = ("From", "To", "Reply-To", "Subject", "List-Unsubscribe")

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src https:; frame-src 'self'"
"""A mail has what strangers wrote in it."""

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body{{font:16px/1.5 sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}}
iframe{{width:100%;height:28rem;border:1px solid #ccc}}pre{{white-space:pre-wrap}}</style>
<h1>{title}</h1>{body}</html>
"""


class Mailbox:
    """A gateway that answers for the mailbox by itself, and hands everything else on."""

    def __init__(self, gateway: Gateway, folder: Path) -> None:
        self._gateway = gateway
        self._folder = folder

    def answer(self, call: Call) -> Answer:
        at, _, name = call.path.removeprefix("/").partition("/")
        if f"/{at}" != ADDRESS or call.method not in ("GET", "HEAD"):
            return self._gateway.answer(call)
        if not name:
            return _page("Mailbox", _list(self._mails()))
        if not NAME.fullmatch(name) or not (self._folder / name).is_file():
            return problem(404, "not-found", "Not found", "No mail is at this address.")
        raw = (self._folder / name).read_bytes()
        if call.query == "raw":
            return Answer(200, [("Content-Type", "message/rfc822")], raw)
        return _page("Mail", _shown(_read(raw)) + f'<p><a href="{ADDRESS}/{name}?raw">The mail as it was sent</a></p>')

    def _mails(self) -> Sequence[Path]:
        """The latest first."""
        return sorted(self._folder.glob("*.eml"), key=lambda file: file.stat().st_mtime, reverse=True)


def _read(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, policy=default)


def _list(files: Sequence[Path]) -> str:
    rows = []
    for file in files:
        mail = HEADS.parsebytes(file.read_bytes())
        rows.append(
            f'<li><a href="{ADDRESS}/{file.name}">{escape(str(mail["Subject"]))}</a>: {escape(str(mail["To"]))}'
        )
    return f"<ul>{''.join(rows)}</ul>" if rows else "<p>No mail was sent so far.</p>"


def _shown(mail: EmailMessage) -> str:
    head = [f"<b>{name}:</b> {escape(str(mail[name]))}" for name in HEADERS if mail[name]]
    parts = [f"<p>{'<br>'.join(head)}</p>"]
    if html := mail.get_body(("html",)):
        # Without scripts, forms and an origin, whatever is in it.
        parts.append(f'<h2>HTML</h2><iframe sandbox srcdoc="{escape(html.get_content())}"></iframe>')
    texts = [part for part in mail.walk() if part.get_content_type() in ("text/plain", "text/calendar")]
    parts += [f"<h2>{part.get_content_type()}</h2><pre>{escape(part.get_content())}</pre>" for part in texts]
    return "".join(parts)


def _page(title: str, body: str) -> Answer:
    headers = [("Content-Type", "text/html; charset=utf-8"), ("Content-Security-Policy", POLICY)]
    return Answer(200, headers, PAGE.format(title=title, body=body).encode())
