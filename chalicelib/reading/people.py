"""Telephone numbers and e-mail addresses as people write and recognitions read them."""

from __future__ import annotations

import re
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat

from chalicelib.domain import spellings
from chalicelib.domain.sheets import Issue, IssueKind
from chalicelib.reading.grids import folded
from chalicelib.reading.parsed import ABSENT, DIGITS_MISREAD, Parsed, likest, refused, words

NONE_GIVEN: Final = frozenset(
    {"", "-", "--", "–", "—", ".", "x", "n/a", "na", "s/d", "none", "ninguno", "no tiene", "keine", "keins", "kein"}
    | {"aucun", "aucune", "sin", "/", "?", "unbekannt", "unknown", "desconocido", "inconnu"}
)
_LABEL: Final = re.compile(
    r"^\s*(?:tel(?:e?fono|efon|ephone|\.)?|tfno|tlf|movil|mobile?|mob|phone|handy|portable|cell|t|m|p)\s*[.:]+\s*(?=[+(\d])",
    re.I,
)
_REMARK: Final = re.compile(
    r"\s*\([^()]*[^\W\d_][^()]*\)|\s+(?:tardes?|mañanas?|whatsapp|wa|abends|soir|evenings?)\b\.?", re.I
)
_BETWEEN: Final = re.compile(r"\s*(?:/|;|,|\by\b|\bo\b|\bor\b|\boder\b|\bou\b|\bund\b|\band\b|\bet\b|\n)\s*")
_LINES: Final = re.compile(r"(.*\d{4}.*?)\s?/\s?\d{1,3}")
"""030 901820/21: two lines, of which the second has another ending."""
_ENOUGH_DIGITS: Final = 7
_EXTENSION: Final = re.compile(r" x(\d+)$")


def parse_phone(text: str, country: str | None, *, sure: bool) -> Parsed:
    """In E.164, with an extension as ` x12`. What cannot be that stays as it was typed, if it was typed.

    `sure` says that somebody typed it: of a recognised text, a number that nobody can have is a misread one.
    """
    tidy = spellings.tidy(text)
    if folded(tidy) in NONE_GIVEN:
        return ABSENT
    issues: list[Issue] = []
    plain = _LABEL.sub("", tidy)
    if (bare := _REMARK.sub("", plain).strip()) != plain:
        plain = bare
        issues.append(Issue(IssueKind.REMARK))
    if lines := _LINES.fullmatch(plain):
        plain = lines[1]
        issues.append(Issue(IssueKind.SEVERAL))
    parts = [part for part in _BETWEEN.split(plain) if len(re.findall(r"\d", part)) >= _ENOUGH_DIGITS]
    if len(parts) > 1:
        plain = parts[0]
        issues.append(Issue(IssueKind.SEVERAL))
    try:
        spelled = spellings.phone(plain)
    except ValueError:
        mended = plain.translate(DIGITS_MISREAD)
        if mended == plain or not re.search(r"\d", plain):
            return refused(IssueKind.UNREADABLE)
        try:
            spelled = spellings.phone(mended)
        except ValueError:
            return refused(IssueKind.UNREADABLE)
        issues.append(Issue(IssueKind.CORRECTED))
    return _numbered(spelled, country, sure, issues)


def _numbered(spelled: str, country: str | None, sure: bool, issues: list[Issue]) -> Parsed:
    extension = _EXTENSION.search(spelled)
    bare = spelled[: extension.start()] if extension else spelled
    tail = extension[0] if extension else ""
    if len(re.findall(r"\d", bare)) > 15:
        return refused(IssueKind.UNREADABLE)
    number = _number(bare, country)
    if number is None or not phonenumbers.is_valid_number(number):
        if not sure:
            issues.append(Issue(IssueKind.NOT_ASSIGNED))
        return Parsed(spelled, tuple(issues))
    if not _written_whole(bare, number):
        if not sure:
            issues.append(Issue(IssueKind.REPAIRED))
        elif not issues:
            return Parsed(spelled)
    return Parsed(phonenumbers.format_number(number, PhoneNumberFormat.E164) + tail, tuple(issues))


def _number(bare: str, country: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(bare, country)
    except NumberParseException:
        return None


def _written_whole(bare: str, number: PhoneNumber) -> bool:
    """Whether no digit had to be thought up or left out: (030) 90 18 20 is whole, 30 90 18 20 is not."""
    digits = re.sub(r"\D", "", bare)
    national = re.sub(r"\D", "", phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL))
    international = re.sub(r"\D", "", phonenumbers.format_number(number, PhoneNumberFormat.E164))
    # +49 (0)30: the zero in brackets is how it is dialled at home.
    abroad = re.sub(r"\D", "", bare.replace("(0)", ""))
    if bare.lstrip("( ").startswith("+") or digits.startswith(("00", "011")):
        return abroad.removeprefix("00").removeprefix("011") == international
    return digits == national


def lost_zero(digits: str, country: str | None) -> bool:
    """Whether a number that a spreadsheet took for one lacks the zero that numbers at home begin with."""
    number = _number(digits, country)
    if number is None or not phonenumbers.is_valid_number(number) or digits.startswith("0"):
        return False
    national = re.sub(r"\D", "", phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL))
    return national == f"0{digits}"


_ADDRESS: Final = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}", re.I)
_PROVIDERS: Final = words(
    "gmail.com googlemail.com hotmail.com hotmail.es hotmail.fr outlook.com outlook.es yahoo.com "
    "yahoo.es yahoo.fr icloud.com mail.com mail.es mail.de gmx.de gmx.net web.de t-online.de orange.fr free.fr "
    "wanadoo.fr laposte.net telefonica.net"
)
_LONGEST: Final = 254


def parse_email(text: str) -> Parsed:
    """The bare address. Whatever had to be mended for it is marked."""
    tidy = spellings.tidy(text)
    if folded(tidy) in NONE_GIVEN:
        return ABSENT
    found = _ADDRESS.findall(tidy)
    if len(found) > 1:
        return Parsed(found[0], (Issue(IssueKind.SEVERAL),))
    if found and found[0] == tidy:
        return _of_provider(tidy, ())
    if tidy.count("@") <= 1 or found:
        mended = found[0] if found and "@" not in tidy.replace(found[0], "") else _mended(tidy)
        # What is left over must be no part of the address: marks, brackets, a name in front of them.
        if found and not re.fullmatch(rf"(?:.*[<( :])?{re.escape(found[0])}[>)\].,;: ]*", tidy):
            mended = _mended(tidy)
        if _ADDRESS.fullmatch(mended) and len(mended) <= _LONGEST:
            return _of_provider(mended, (Issue(IssueKind.REPAIRED),))
    return refused(IssueKind.UNREADABLE)


def _mended(text: str) -> str:
    tight = re.sub(r"\s+", "", text)
    tight = re.sub(r"^<?(?:mailto:|e-?mail:)?<?", "", tight, flags=re.I)
    tight = re.sub(r"[(\[{](?:at|arroba)[)\]}]|[®©]", "@", tight, flags=re.I)
    tight = re.sub(r"[(\[{](?:dot|punto|punkt|point)[)\]}]", ".", tight, flags=re.I)
    return tight.replace(",", ".").strip(".<>;:()[]")


def _of_provider(address: str, issues: tuple[Issue, ...]) -> Parsed:
    domain = address.rpartition("@")[2].casefold()
    like = None if domain in _PROVIDERS else likest(domain, _PROVIDERS, 0.88)
    return Parsed(address, (*issues, *([Issue(IssueKind.LIKE_ANOTHER, like)] if like else [])))
