"""Cursors: opaque, signed, and good only for the list they were made for, for a day."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from chalicelib.domain.listing import Page, Window
from chalicelib.domain.signing_keys import Signature
from chalicelib.http.errors import InvalidCursor
from chalicelib.http.instants import instant_text, parse_instant
from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.services.signing_keys import Signer

GOOD_FOR: Final = timedelta(hours=24)
PURPOSE: Final = "cursor"
LONGEST: Final = 1000


class Cursor(Record):
    """Where a list goes on: beyond `after`, in the window that its first page froze."""

    after: str
    window: Window | None = None


class Cursors:
    """Makes and reads the cursors of one list. `filters` is what the caller asked for, in any stable form."""

    def __init__(self, signer: Signer, route: str, filters: object) -> None:
        self._signer = signer
        self._purpose = f"{PURPOSE} {route}"
        self._filters = hashlib.sha256(json.dumps(filters, sort_keys=True).encode()).hexdigest()[:16]

    def make(self, cursor: Cursor) -> str:
        body: dict[str, Any] = {
            "a": cursor.after,
            "e": int((self._signer.now() + GOOD_FOR).timestamp()),
            "f": self._filters,
        }
        if cursor.window is not None:
            body["w"] = [instant_text(cursor.window.start), instant_text(cursor.window.end)]
        # Ids of agents may be in any script: escaped, the longest would not fit.
        message = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        signature = self._signer.sign(self._purpose, message)
        return ".".join((_encoded(message), signature.key_id, _encoded(signature.value)))

    def after(self, text: str | None) -> str | None:
        """Where a list without a window goes on; at its beginning without a cursor. Raises InvalidCursor."""
        return self.read(text).after if text is not None else None

    def following(self, page: Page[Any], window: Window | None = None) -> str | None:
        """The cursor of the page after this one, if there is one."""
        return self.make(Cursor(page.next, window)) if page.next is not None else None

    def read(self, text: str) -> Cursor:
        """Raises InvalidCursor for whatever this list did not hand out within the last day."""
        try:
            if len(text) > LONGEST:
                raise ValueError
            encoded, key_id, value = text.split(".")
            message = _decoded(encoded)
            signature = Signature(key_id, _decoded(value))
        except (ValueError, binascii.Error):
            raise InvalidCursor("Unknown cursor.") from None
        if not self._signer.verifies(self._purpose, message, signature):
            raise InvalidCursor("This cursor belongs to another list.")
        body = json.loads(message)
        if body["f"] != self._filters:
            raise InvalidCursor("This cursor belongs to a list with other filters.")
        if body["e"] <= self._signer.now().timestamp():
            raise InvalidCursor("This cursor has expired. Start again from the first page.")
        window = body.get("w")
        return Cursor(body["a"], Window(parse_instant(window[0]), parse_instant(window[1])) if window else None)


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encoded(raw) != text:
        raise ValueError  # the same bytes, spelled otherwise: not what we handed out
    return raw
