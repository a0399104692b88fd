"""Visitors as people: one is whoever left the same e-mail address or the same telephone number."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING, Final, Literal

from chalicelib.domain.spellings import ascii_domain
from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.domain.visits import Visitor

_DIGEST_BYTES: Final = 16
_ABROAD: Final = re.compile(r"^\(?(?:\+|00)([0-9]+)\)?")
_TRUNK: Final = re.compile(r"^(\+[0-9]+)\(0\)")


class Contact(Record):
    """An e-mail address or a telephone number in the one spelling by which it is found."""

    kind: Literal["email", "phone"]
    value: str

    @classmethod
    def of_email(cls, address: str) -> Contact:
        """Upper and lower case aside, which providers do not tell apart either, and with the domain as DNS knows it.

        Not folded any further: `straße.example` and `strasse.example` are two domains.
        """
        local, _, domain = unicodedata.normalize("NFC", address).lower().rpartition("@")
        try:
            return cls("email", f"{local}@{ascii_domain(domain)}")
        except UnicodeError:
            return cls("email", f"{local}@{domain}")

    @classmethod
    def of_phone(cls, number: str) -> Contact:
        """By its digits, with + for the international 00, and without the (0) that is not dialled behind it.

        A national number stays what it is: nobody says of which country.
        """
        plain, _, extension = number.partition("x")
        plain = _ABROAD.sub(r"+\1", re.sub(r"[^0-9+()]", "", plain))
        plain = re.sub(r"[()]", "", _TRUNK.sub(r"\1", plain))
        return cls("phone", f"{plain}x{extension.strip()}" if extension else plain)

    @property
    def digest(self) -> str:
        """Stands for it in keys, which show up where items do not: in metrics of hot keys and in audit trails.

        Without a secret, so that no rotation loses anybody: who may read the index may read the visit it leads to.
        """
        return hashlib.sha256(f"{self.kind} {self.value}".encode()).digest()[:_DIGEST_BYTES].hex()


def contacts_of(visitor: Visitor | None) -> list[Contact]:
    """By what the visitor can be found."""
    if visitor is None:
        return []
    found = []
    if visitor.email is not None:
        found.append(Contact.of_email(visitor.email))
    if visitor.phone is not None:
        found.append(Contact.of_phone(visitor.phone))
    return found
