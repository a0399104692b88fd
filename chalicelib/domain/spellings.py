r"""Agent ids, telephone numbers and e-mail addresses as people paste them, and the one plain spelling of each.

What is certain is repaired: odd blanks and dashes, marks that nobody sees, `tel:` and `mailto:`, brackets around the
whole, the words for an extension. Whatever could mean something else is refused, and told how to write it.

The patterns are checked here and shown in the published schemas alike: spelled out, so that Python and ECMA-262 read
the same in them.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cached_property
from typing import Final


class Pattern:
    """A pattern that is compiled when it is first needed, and for ASCII without what ASCII has not.

    To compile a set that has a character above 255 takes 2.4 million instructions, and a booking rarely needs any.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern: Final = pattern

    def fullmatch(self, text: str) -> re.Match[str] | None:
        return self._for(text).fullmatch(text)

    def search(self, text: str) -> re.Match[str] | None:
        return self._for(text).search(text)

    def sub(self, instead: str, text: str) -> str:
        return self._for(text).sub(instead, text)

    def _for(self, text: str) -> re.Pattern[str]:
        return self._ascii if text.isascii() else self._any

    @cached_property
    def _ascii(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\\u(?!00)[0-9a-f]{4}(?:-\\u[0-9a-f]{4})?", "", self.pattern))

    @cached_property
    def _any(self) -> re.Pattern[str]:
        return re.compile(self.pattern)


CONTROLS: Final = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
SPACES: Final = r"\u0020\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_UNSEEN: Final = r"\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"
"""Soft hyphens, blanks without width, marks of direction. Joiners are not among them: they change what is read."""
_ABOVE_ASCII: Final = r"\u00ad\u061c\u1680\u2000-\u200b\u200e\u200f\u202a-\u202f\u205f\u2060\u2066-\u2069\u3000\ufeff"
_BLANKS: Final = rf"\u0020\u00a0{_ABOVE_ASCII}"
"""Both together."""
_NEITHER: Final = rf"\u0000-\u0020\u007f-\u00a0\u2028\u2029{_ABOVE_ASCII}"
"""Both and control characters."""
_DASHES: Final = r"\u2010-\u2015\u2212\ufe58\ufe63\uff0d"

LINE: Final = Pattern(rf"[^{CONTROLS}]*[^{CONTROLS}{SPACES}][^{CONTROLS}]*")
LONGEST_AGENT_ID: Final = 128
LABEL: Final = range(1, 64)
"""Characters between the dots of a domain (RFC 1035)."""
UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
"""An id of ours."""

_LABEL = rf"""[^{_NEITHER}@.,;:<>()"'?/]+"""
_MAILTO = "<?(?:[Mm][Aa][Ii][Ll][Tt][Oo]:)?<?"
EMAIL: Final = Pattern(rf"""[{_BLANKS}]*{_MAILTO}[^{_NEITHER}@,;:<>()"]+@{_LABEL}(?:\.{_LABEL})*>?[{_BLANKS}]*""")

_SIGNS = rf"0-9()./x#*,;{_BLANKS}{_DASHES}-"
_TEL = rf"(?:[Tt][Ee][Ll](?:\.:?|:)[{_BLANKS}]*)?"
_EXTENSION = (
    # In English and Spanish, German, French; Spanish in America.
    "(?:[Ee][Xx][Tt](?:[Nn]|[Ee][Nn][Ss][Ii][OoÓó][Nn])?|[Dd][Uu][Rr][Cc][Hh][Ww][Aa][Hh][Ll]|[Dd][Ww]"
    "|[Aa][Pp][Pp](?:[Aa][Rr][Aa][Tt])?|[Pp][Oo][Ss][Tt][Ee]|[Aa][Nn][Ee][Xx][Oo]|[Xx])"
    rf"[.:=]?[{_BLANKS}]*[0-9]+[{_BLANKS}]*"
)
PHONE: Final = Pattern(
    # Digits and a fraction of nothing are what a spreadsheet made of a telephone number.
    rf"(?![0-9]+\.0+$)[{_BLANKS}]*{_TEL}\(?[+\uff0b]?[{_SIGNS}]*[0-9][{_SIGNS}]*(?:{_EXTENSION})?"
)

_FLOAT = re.compile(r"[0-9]+\.0+")
_BEFORE_NUMBER = Pattern(f"^{_TEL}")
_AFTER_NUMBER = Pattern(rf"[ ,;]*{_EXTENSION}$")
_AROUND_EMAIL = Pattern(f"^{_MAILTO}|>$")
_DASH = Pattern(f"[{_DASHES}-]")
_MARK = Pattern(f"[{_UNSEEN}]")
_SPACE = Pattern(f"[{SPACES}]+")


def make_ready() -> None:
    """Compiles for ASCII what is otherwise compiled for the first text."""
    for each in list(globals().values()):
        if isinstance(each, Pattern):
            each.fullmatch("")


def one_line(text: str) -> str:
    """As it is. Raises ValueError."""
    if not text.strip():
        raise ValueError("must not be blank")
    if not LINE.fullmatch(text):
        raise ValueError("must be one line without control characters")
    return text


def agent_id(text: str) -> str:
    """In the composed form of Unicode (NFC), without blanks around it and with plain ones inside.

    An id that looks the same is the same agent, who is in one place at a time. Raises ValueError.
    """
    plain = unicodedata.normalize("NFC", tidy(one_line(text)))
    if not plain:
        raise ValueError("must not be blank")
    if len(plain) > LONGEST_AGENT_ID:
        raise ValueError(f"must have at most {LONGEST_AGENT_ID} characters in Unicode's composed form")
    return plain


def phone(text: str) -> str:
    """Plain ASCII, an extension as `x12`: `030 901820 ext. 12` is `030 901820 x12`. Raises ValueError."""
    if not PHONE.fullmatch(text):
        raise ValueError(_wrong_phone(tidy(text)))
    plain = _DASH.sub("-", tidy(text)).replace("\uff0b", "+")
    number, extension = _parted(_BEFORE_NUMBER.sub("", plain))
    if _FLOAT.fullmatch(number):
        raise ValueError(_wrong_phone(number))
    return f"{number} x{extension}" if extension else number


def _parted(plain: str) -> tuple[str, str]:
    """The number and the digits of its extension, if there is one."""
    found = _AFTER_NUMBER.search(plain)
    before = plain[: found.start()] if found else ""
    # `x7` alone has no number that it could extend.
    if found is None or not re.search("[0-9]", before):
        return plain, ""
    return before, re.sub("[^0-9]", "", found[0])


def _wrong_phone(plain: str) -> str:
    if _FLOAT.fullmatch(plain):
        return (
            "must be a telephone number, like +49 30 901820: this one is a spreadsheet number; format the column as"
            " text and enter it again"
        )
    if plain.count("+") > 1:
        return "must be one telephone number, like +49 30 901820: put the second one in the notes"
    return "must be a telephone number, like +49 30 901820 or 030 901820 x12: put remarks in the notes"


def email(text: str) -> str:
    """The bare address. Raises ValueError."""
    if not EMAIL.fullmatch(text):
        raise ValueError(_wrong_email(tidy(text)))
    return _AROUND_EMAIL.sub("", tidy(text))


def ascii_domain(domain: str) -> str:
    """The domain of an e-mail address as DNS and mail servers know it: IDNA2008 (RFC 5891), read as UTS 46 says.

    Raises UnicodeError for what is no domain.
    """
    if not domain.isascii():
        # Only here: most addresses start without it.
        import idna

        domain = idna.encode(domain, uts46=True).decode()
    if not all(len(label) in LABEL for label in domain.split(".")):
        raise UnicodeError
    return domain.lower()


def _wrong_email(plain: str) -> str:
    bare = "must be an e-mail address, like name@example.com"
    if plain.endswith((",", ";", ".")):
        return f"{bare}: remove the final '{plain[-1]}'"
    if plain.endswith(">") and plain.find("<") > 0:
        return f"{bare}: only the address; the name has its own field"
    if plain.count("@") > 1:
        return f"{bare}: only one"
    if "," in plain:
        return f"{bare}: use a dot instead of the comma"
    return bare


def tidy(text: str) -> str:
    """Without what nobody sees, each run of blanks one plain blank, and none around it."""
    return _SPACE.sub(" ", _MARK.sub("", text)).strip(" ")
