"""Telephone numbers and e-mail addresses as people paste them: one plain spelling, or a refusal that helps."""

from __future__ import annotations

import random
import re

import pytest

from chalicelib.domain import spellings
from chalicelib.domain.spellings import Pattern


@pytest.mark.parametrize(
    ("pasted", "plain"),
    [
        ("+49 30 901820", "+49 30 901820"),
        ("+49\u00a030\u202f901820", "+49 30 901820"),
        ("+49 30 901820\u201112", "+49 30 901820-12"),
        ("030\u2013901820", "030-901820"),
        ("\u202a+49 30 901820\u202c", "+49 30 901820"),
        ("\ufeff030 901820 ", "030 901820"),
        ("030 901820 ext. 12", "030 901820 x12"),
        ("030 901820, EXT12", "030 901820 x12"),
        ("030 901820 extension 12", "030 901820 x12"),
        ("030 901820 Durchwahl\u00a012", "030 901820 x12"),
        ("01 40 20 50 50 poste 12", "01 40 20 50 50 x12"),
        ("91 123 45 67 extensión 12", "91 123 45 67 x12"),
        ("+49 (30) 90-18.20 x7", "+49 (30) 90-18.20 x7"),
        ("tel:+4930901820", "+4930901820"),
        ("TEL:+49-30-901820;ext=12", "+49-30-901820 x12"),
        ("(+49) 30 901820", "(+49) 30 901820"),
        ("030.901820", "030.901820"),
    ],
)
def test_a_telephone_number_gets_its_plain_spelling(pasted: str, plain: str) -> None:
    assert spellings.phone(pasted) == plain
    assert spellings.phone(plain) == plain, "which stays as it is"


@pytest.mark.parametrize(
    ("pasted", "hint"),
    [
        ("4930901820.0", "spreadsheet"),
        (" 4930901820.00\u202c", "spreadsheet"),
        ("tel:4930901820.0", "spreadsheet"),
        ("+49 30 901820 / +49 170 1234567", "one telephone number"),
        ("030/901820 (Büro)", "remarks in the notes"),
        ("4.93090182E9", "remarks in the notes"),
        ("ext. 12", "remarks in the notes"),
    ],
)
def test_what_may_be_another_number_is_refused_with_a_hint(pasted: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint) as refused:
        spellings.phone(pasted)
    assert "90182" not in str(refused.value).replace("030 901820", "").replace("+49 30 901820", "")


@pytest.mark.parametrize(
    "pasted",
    [
        "ann@example.com",
        " ann@example.com\u00a0",
        "\u200bann@example.com",
        "mailto:ann@example.com",
        "MAILTO:ann@example.com",
        "<ann@example.com>",
        "<mailto:ann@example.com>",
        "mailto:<ann@example.com>",
    ],
)
def test_an_address_is_freed_of_what_is_not_part_of_it(pasted: str) -> None:
    assert spellings.email(pasted) == "ann@example.com"


@pytest.mark.parametrize("address", ["o'gil@example.com", "ü@exämple.de", "a+b@c"])
def test_an_unusual_address_stays_as_it_is(address: str) -> None:
    assert spellings.email(address) == address


@pytest.mark.parametrize(
    ("pasted", "hint"),
    [
        ("ann@example.com,", "remove the final ','"),
        ("ann@example.com; ", "remove the final ';'"),
        ("ann@example.com.", "remove the final '.'"),
        ("Ann Example <ann@example.com>", "the name has its own field"),
        ("ann@example.com;bo@example.org", "only one"),
        ("ann@example,com", "a dot instead of the comma"),
        ("ann@exam\u200bple.com", "like name@example.com"),
        ("ann@example.com?subject=Hello", "like name@example.com"),
        ("ann", "like name@example.com"),
    ],
)
def test_what_may_be_another_address_is_refused_with_a_hint(pasted: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint.replace("?", ".")) as refused:
        spellings.email(pasted)
    assert "ann" not in str(refused.value)


@pytest.mark.parametrize("text", [" " * 63 + "!", " 1" * 31 + "!", " " * 30 + "(" + "1 " * 16 + "!", "1x" * 31 + "!!"])
def test_no_text_takes_for_ever_to_refuse(text: str) -> None:
    for refuses in (spellings.phone, spellings.email):
        with pytest.raises(ValueError, match="must be"):
            refuses(text)


PIECES = (
    "tel:",
    "mailto:",
    "ext",
    "Durchwahl",
    "<",
    ">",
    "@",
    "example.org",
    "+49",
    " ",
    "-",
    "(0)",
    ".",
    ";",
    "x",
    "\t",
    "\x7f",
    "a",
    "0",
)


@pytest.mark.parametrize("name", [name for name, each in vars(spellings).items() if isinstance(each, Pattern)])
def test_compiled_for_ascii_a_pattern_finds_in_ascii_what_it_finds_whole(name: str) -> None:
    pattern, pick = vars(spellings)[name], random.Random(name)
    whole = re.compile(pattern.pattern)
    for _ in range(500):
        text = "".join(pick.choices(PIECES, k=pick.randrange(12)))
        assert bool(pattern.fullmatch(text)) == bool(whole.fullmatch(text)), text
        assert pattern.sub("|", text) == whole.sub("|", text), text
