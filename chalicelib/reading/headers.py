"""Headings of columns, in English, Spanish, German and French, and what they promise of the cells below.

Found by words and by likeness, never by where they stand: programs and recognitions mark rows as headers that are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum, auto
from functools import lru_cache
from itertools import zip_longest
from typing import Final

from chalicelib.domain.sheets import Column, Field
from chalicelib.reading.grids import Grid, Line, folded
from chalicelib.reading.parsed import likest, words
from chalicelib.record import Record

OWN: Final[Mapping[str, Field]] = {field.value.lower(): field for field in Field if field is not Field.PLACE}
"""As the API and our exports call them. A place is an address like others, unless the property has a column too."""

TOLD: Final = frozenset(
    words(
        "id localdate timezone cancellationreason cancelledat version createdat updatedat line reason "
        "startutc visit created updated"
    )
)
"""What our exports and our files of rejected rows tell beyond that: no news to us."""


class Topic(Enum):
    """What a word of a heading is about; some are only of use beside others."""

    DATE = auto()
    TIME = auto()
    BEGINNING = auto()
    END = auto()
    DURATION = auto()
    PROPERTY = auto()
    ADDRESS = auto()
    REFERENCE = auto()
    NUMBER = auto()
    STATUS = auto()
    AGENT = auto()
    PERSON = auto()
    NAME = auto()
    SURNAME = auto()
    PHONE = auto()
    EMAIL = auto()
    CONTACT = auto()
    NOTES = auto()


_WORDS: Final[Mapping[Topic, str]] = {
    Topic.DATE: "date day fecha dia datum tag jour besichtigungsdatum besuchsdatum",
    Topic.TIME: "time hour hora horario uhrzeit zeit uhr heure horaire",
    Topic.BEGINNING: "when start from begin beginning appointment cuando desde inicio comienzo cita wann beginn "
    "anfang von ab termin besichtigungstermin quand debut",
    Topic.END: "end until to finish ende bis fin final hasta jusque termine",
    Topic.DURATION: "duration minutes minute min mins length duracion minutos dauer minuten lange duree",
    Topic.PROPERTY: "property listing flat apartment house inmueble propiedad vivienda piso finca casa objekt "
    "immobilie immeuble apartamento departamento edificio estate wohnung haus bien logement appartement maison",
    Topic.ADDRESS: "address place location street domicilio direccion lugar ubicacion calle adresse anschrift strasse "
    "ort lieu rue",
    Topic.REFERENCE: "ref reference referencia codigo code referenz kennung objektnummer",
    Topic.NUMBER: "id nr numero number nummer no num",
    Topic.STATUS: "status state estado situacion statut etat",
    Topic.AGENT: "agent agente comercial asesor makler maklerin mitarbeiter betreuer berater conseiller negociateur "
    "realtor broker",
    Topic.PERSON: "visitor client customer guest buyer tenant prospect visitante cliente interesado comprador "
    "inquilino besucher kunde interessent kaufer mieter visiteur acheteur locataire prospecto",
    Topic.NAME: "name nombre nom wer who qui quien",
    Topic.SURNAME: "surname apellido apellidos nachname familienname vorname prenom firstname lastname",
    Topic.PHONE: "phone telephone mobile cell cellphone tel telefono telef tfno tlf movil celular telefon handy "
    "rufnummer mobil telefonnummer handynummer portable",
    Topic.EMAIL: "email mail emailaddress correo courriel emailadresse mel",
    Topic.CONTACT: "contact contacto kontakt kontaktdaten",
    Topic.NOTES: "notes note remarks remark comments comment observaciones observacion comentarios comentario notas "
    "nota bemerkung bemerkungen notiz notizen anmerkung anmerkungen kommentar remarque remarques commentaire "
    "commentaires observations",
}
_NEUTRAL: Final = frozenset(words("visit visits viewing viewings visita visitas visite visites besuch besichtigung"))
"""What all of it is about; too much like 'visitante' to be left to likeness."""
_TOPICS: Final = {word: topic for topic, words in _WORDS.items() for word in words.split()}
_FIELDS: Final[Mapping[Topic, tuple[Field, ...]]] = {
    Topic.DATE: (Field.DATE,),
    Topic.TIME: (Field.TIME,),
    Topic.BEGINNING: (Field.DATE, Field.TIME),
    Topic.DURATION: (Field.DURATION,),
    Topic.PROPERTY: (Field.PROPERTY,),
    Topic.ADDRESS: (Field.PROPERTY, Field.PLACE),
    Topic.REFERENCE: (Field.PROPERTY,),
    Topic.STATUS: (Field.STATUS,),
    Topic.AGENT: (Field.AGENT,),
    Topic.PERSON: (Field.NAME,),
    Topic.NAME: (Field.NAME,),
    Topic.SURNAME: (Field.NAME,),
    Topic.PHONE: (Field.PHONE,),
    Topic.EMAIL: (Field.EMAIL,),
    Topic.CONTACT: (Field.PHONE, Field.EMAIL),
    Topic.NOTES: (Field.NOTES,),
}
_FIRST_LINES: Final = 25
_LONGEST_HEADING: Final = 60
_ENOUGH: Final = 3
"""Columns that we know make a header, however many others there are."""
_COUNTERS: Final = {Topic.REFERENCE, Topic.NUMBER}


class Heading(Record):
    """What a heading promises: fields that share its cells, and others that it may be instead."""

    fields: tuple[Field, ...] = ()
    instead: tuple[Field, ...] = ()
    by_id: bool = False
    """Whether its cells are ids, by our own name for them."""
    end: bool = False
    """Whether its cells say how long a visit is by when it ends."""
    known: bool = False
    """Whether it is a heading of ours, one without news included."""
    words: int = 1
    """Of two headings for one field, the one that says less is the field itself: 'Property' before 'Property name'."""


def heading(text: str) -> Heading:
    if len(text) > _LONGEST_HEADING:
        return Heading()
    compact = re.sub(r"[\W_]+", "", folded(text))
    if compact in OWN:
        return Heading((OWN[compact],), by_id=compact == "propertyid", known=True)
    if compact in TOLD:
        return Heading(known=True)
    all_topics = _topics(text)
    topics = _qualified(all_topics) if len(all_topics) > 1 else all_topics
    if topics == [Topic.END]:
        return Heading((), (Field.DURATION,), end=True, known=True)
    if topics in ([Topic.BEGINNING], [Topic.ADDRESS]):
        # "When" may be a date, a time, or both; an address says which property, or where else.
        (topic,) = topics
        return Heading(_FIELDS[topic][:1], _FIELDS[topic][1:], known=True)
    fields = [field for topic in topics for field in _FIELDS.get(topic, ())]
    return Heading(tuple(dict.fromkeys(fields)), known=bool(all_topics), words=len(all_topics))


def _topics(text: str) -> list[Topic]:
    plain = re.sub(r"\be[\s_-]?mail", "email", folded(text))
    found = (_topic(word) for word in re.findall(r"[a-z]+", plain))
    return list(dict.fromkeys(topic for topic in found if topic is not None))


@lru_cache(maxsize=1000)
def _topic(word: str) -> Topic | None:
    if word in _TOPICS or word in _NEUTRAL:
        return _TOPICS.get(word)
    like = likest(word, [known for known in _TOPICS if len(known) > 3], 0.8) if len(word) > 3 else None
    return _TOPICS[like] if like else None


def _qualified(topics: Sequence[Topic]) -> list[Topic]:
    """Without the words that only say whose or which: 'client e-mail', 'property address', 'date of appointment'."""
    left = list(topics)

    def drop(*dropped: Topic) -> None:
        left[:] = [topic for topic in left if topic not in dropped] or left

    if Topic.AGENT in left:
        # An agent's telephone number is nobody's who visits.
        return [Topic.AGENT] if {Topic.AGENT, Topic.NAME, Topic.PERSON, *_COUNTERS}.issuperset(left) else []
    if {Topic.PHONE, Topic.EMAIL} & {*left}:
        drop(Topic.ADDRESS, *_COUNTERS, Topic.PERSON, Topic.CONTACT)
    if Topic.PROPERTY in left:
        drop(Topic.ADDRESS, *_COUNTERS, Topic.NAME)
    if {Topic.PERSON, Topic.NAME, Topic.SURNAME} & {*left}:
        drop(*_COUNTERS, Topic.CONTACT)
        if {Topic.DATE, Topic.TIME, Topic.NOTES, Topic.STATUS} & {*left}:
            drop(Topic.PERSON)
    if Topic.END in left:
        # "End time", "Time from - to": what says both says when it begins.
        drop(*({Topic.DATE, Topic.TIME} if Topic.BEGINNING not in left else {Topic.END}))
    if {Topic.DATE, Topic.TIME, Topic.DURATION} & {*left}:
        drop(Topic.BEGINNING, *_COUNTERS)
    if Topic.DURATION in left:
        drop(Topic.TIME)
    return left


class Header(Record):
    """Where the header of a grid is, and what its columns hold. `line` is the index of the last of its lines."""

    line: int
    columns: tuple[Column, ...]
    by_id: frozenset[int]
    """Columns whose cells are ids of properties."""
    ends: frozenset[int] = frozenset()
    """Columns that say how long a visit is by when it ends."""
    strange: frozenset[int] = frozenset()
    """Columns whose headings say nothing to us."""
    guessed: bool = False
    """Whether there is no header, and the columns were told by what is in them."""

    @property
    def fields(self) -> frozenset[Field]:
        return frozenset(field for column in self.columns for field in column.fields)

    def shared(self, one: Field, other: Field) -> bool:
        """Whether two fields are in one column."""
        return any({one, other} <= {*column.fields} for column in self.columns)

    def index_of(self, field: Field) -> int | None:
        return next((column.index for column in self.columns if field in column.fields), None)

    def repeated_by(self, line: Line) -> bool:
        texts = {column.index: folded(column.heading) for column in self.columns if column.heading}
        here = {index: folded(cell.text) for index, cell in enumerate(line.cells) if cell.text}
        return bool(texts) and here == texts


def find_header(grid: Grid, told: Mapping[int, Field | None]) -> Header | None:
    """The line among the first that says most of visits, if one says enough to be a header; or it and the one above."""
    best: tuple[int, int, list[str]] | None = None
    for index, line in enumerate(grid.lines[:_FIRST_LINES]):
        texts = [cell.text for cell in line.cells]
        above = [cell.text for cell in grid.lines[index - 1].cells] if index else []
        for candidate in (texts, _joined(above, texts)):
            score = _score(candidate)
            if score and (best is None or score > best[0]):
                best = score, index, candidate
    if best is None:
        return None
    _, last, texts = best
    headings = [heading(text) for text in texts]
    return Header(
        last,
        assigned(texts, headings, told),
        frozenset(index for index, each in enumerate(headings) if each.by_id),
        frozenset(index for index, each in enumerate(headings) if each.end),
        frozenset(index for index, each in enumerate(headings) if not each.known),
    )


def _joined(above: Sequence[str], below: Sequence[str]) -> list[str]:
    return [" ".join(filter(None, pair)) for pair in zip_longest(above, below, fillvalue="")]


def _score(texts: Sequence[str]) -> int:
    """How many columns a line heads; none, if it is no header."""
    filled = [text for text in texts if text]
    if any(len(text) > _LONGEST_HEADING or re.search(r"\d{3}", text) for text in filled):
        return 0
    headings = [heading(text) for text in filled]
    fields = {field for each in headings for field in each.fields}
    heads = sum(bool(each.fields) for each in headings)
    strange = sum(not each.known for each in headings)
    return heads if len(fields) >= 2 and heads >= min(strange, _ENOUGH) else 0


def assigned(texts: Sequence[str], headings: Iterable[Heading], told: Mapping[int, Field | None]) -> tuple[Column, ...]:
    """Each field to one column: what a person says first, then from left to right; names may have several columns."""
    taken = {field for field in told.values() if field}
    found: dict[int, tuple[Field, ...]] = {index: (field,) if field else () for index, field in told.items()}
    surest_first = sorted(
        enumerate(headings), key=lambda entry: (not entry[1].by_id, len(entry[1].instead), entry[1].words)
    )
    for index, each in surest_first:
        if index in told:
            continue
        fields = tuple(field for field in each.fields if field not in taken or field is Field.NAME)
        fields = fields or next(((field,) for field in each.instead if field not in taken), ())
        found[index] = fields
        taken.update(fields)
    return tuple(Column(index, texts[index] if index < len(texts) else "", found[index]) for index in sorted(found))
