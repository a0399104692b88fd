"""People: who signs in at the user pool, and the tokens that it makes for them. No name or address is known here."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Final

from chalicelib.domain.api_keys import Scope
from chalicelib.record import Record

GRANT: Final = "visits/console"
"""What a token must have been asked for: the pool grants it to the console's client alone. A token of another client of
the pool, or of a sign-in past the hosted page, is made for somebody else.
"""

LONGEST_TOKEN: Final = 4000


class Person(Record):
    """Somebody who signed in, by the id that the pool gave them."""

    id: str
    scopes: frozenset[Scope]

    @property
    def name(self) -> str:
        """What a caller goes by: of a person that is the id."""
        return self.id


def in_one_spelling(token: str) -> bool:
    """Whether it is written as a token is: three parts in base64url, each in the only way that there is to write it.

    Decoders take more: other letters, padding, bits that are left over. What is cached, compared or revoked by its text
    must not have a second one.
    """
    parts = token.split(".")
    return len(token) <= LONGEST_TOKEN and len(parts) == 3 and all(part and _again(part) == part for part in parts)


def person_of(claims: Mapping[str, object]) -> Person | None:
    """The person whom verified claims are about, if they are those of an access token for this API.

    Groups are scopes by name; a group that is none of them gives nothing.
    """
    id, granted, groups = claims.get("sub"), claims.get("scope"), claims.get("cognito:groups", [])
    if claims.get("token_use") != "access" or not isinstance(id, str) or not id or not isinstance(granted, str):
        return None
    if GRANT not in granted.split(" ") or not isinstance(groups, list):
        return None
    return Person(id, frozenset(scope for scope in Scope if scope.value in groups))


def _again(part: str) -> str:
    try:
        raw = base64.b64decode(part + "=" * (-len(part) % 4), altchars="-_", validate=True)
    except (binascii.Error, ValueError):
        return ""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
