"""The reader of rows: what people write in four languages, what is marked, and what is never guessed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.errors import InvalidInput
from chalicelib.domain.sheets import Field, IssueKind, Known, NamedProperty, Order, RemarkKind, Settings, confirmations
from chalicelib.reading import corrected
from chalicelib.reading.headers import heading
from chalicelib.reading.properties import Properties
from tests.builders import utc
from tests.sheets import AGENCY, BERLIN, TODAY, cell_of, kinds, marks, read, rows_of

MADRID = Settings("Europe/Madrid")
CHICAGO = Settings("America/Chicago")
K = IssueKind
USUAL = "date time propertyId visitorName visitorPhone visitorEmail notes"


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        ("Date,Time,Address,Visitor,Phone,Email,Notes", USUAL),
        ("Fecha,Hora,Dirección,Visitante,Teléfono,Correo,Notas", USUAL),
        ("Día,Hora,Inmueble,Nombre,Móvil,E-mail,Observaciones", USUAL),
        ("FECHA,HORA,DOMICILIO,NOMBRE Y APELLIDOS,TEL.,CORREO ELECTRÓNICO,COMENTARIOS", USUAL),
        ("Visit date,Hour,Place,Client,Cell,Mail,Comments", USUAL),
        ("DATE,TIME,PROPERTY,VISITOR NAME,PHONE NO.,E-MAIL,REMARKS", USUAL),
        ("Datum,Uhrzeit,Objekt,Interessent,Telefon,E-Mail-Adresse,Bemerkung", USUAL),
        (
            "Tag,Zeit,Straße,Name,Handy,Makler,Dauer",
            "date time propertyId visitorName visitorPhone agentId durationMinutes",
        ),
        ("Jour,Heure,Bien,Nom du visiteur,Portable,Courriel,Remarques", USUAL),
        (
            "Date de visite,Horaire,Adresse,Acheteur,Tél.,Adresse e-mail,Statut",
            "date time propertyId visitorName visitorPhone visitorEmail status",
        ),
        (
            "Termin,Wohnung,Kunde,Kontakt,Status",
            "date propertyId visitorName visitorPhone+visitorEmail status",
        ),
        (
            "Fecha y hora,Ref. inmueble,Cliente,Teléfono cliente,Agente",
            "date+time propertyId visitorName visitorPhone agentId",
        ),
        (
            "Nr.,Datum,Zeit,Objektnummer,Adresse,Besucher",
            "- date time propertyId place visitorName",
        ),
        (
            "propertyId,place,date,externalId,agentId,durationMinutes",
            "propertyId place date externalId agentId durationMinutes",
        ),
        (
            "Visita,Fecha,Cliente",
            "- date visitorName",
        ),
        (
            "Fehca,Horra,Direcion,Visitnte",
            "date time propertyId visitorName",
        ),
        (
            "First name,Last name,Date,Agent phone,Shoe size",
            "visitorName visitorName date - -",
        ),
    ],
)
def test_headings_in_four_languages_and_with_slips(header: str, fields: str) -> None:
    reading = read(f"{header}\n{','.join('x' for _ in header.split(','))}\n".encode())
    assert ["+".join(column.fields) or "-" for column in reading.columns] == fields.split()


def test_a_column_that_means_nothing_to_us_is_told() -> None:
    reading = read(b"propertyId,date,Shoe size,version\nh1-a,2027-03-14T10:00Z,44,1\n")
    assert [(remark.kind, remark.text) for remark in reading.remarks] == [(RemarkKind.COLUMN_NOT_READ, "Shoe size")]
    assert not heading("Shoe size").known


@pytest.mark.parametrize(
    ("written", "value", "marked"),
    [
        ("12/03/2026", "2026-03-12", {K.ORDER_ASSUMED}),
        ("13/03/2026", "2026-03-13", set()),
        ("03/13/2026", "2026-03-13", set()),
        ("12.03.2026", "2026-03-12", set()),
        ("12.3.26", "2026-03-12", set()),
        ("5/5/2026", "2026-05-05", set()),
        ("12/3", "2027-03-12", {K.ORDER_ASSUMED, K.YEAR_ASSUMED}),
        ("12.3.", "2027-03-12", {K.YEAR_ASSUMED}),
        ("30.6.", "2026-06-30", {K.YEAR_ASSUMED}),
        ("12 mar 2026", "2026-03-12", set()),
        ("Mar 12, 2026", "2026-03-12", set()),
        ("12-Mar-26", "2026-03-12", set()),
        ("12.III.2026", "2026-03-12", set()),
        ("12 de marzo de 2026", "2026-03-12", set()),
        ("1º de abril de 2027", "2027-04-01", set()),
        ("Donnerstag, 12. März 2026", "2026-03-12", set()),
        ("Do 12.3.2026", "2026-03-12", set()),
        ("jeudi 12 mars 2026", "2026-03-12", set()),
        ("le 1er avril 2027", "2027-04-01", set()),
        ("martes 09/03/2027", "2027-03-09", set()),
        ("Tuesday 3 December 2026", "2026-12-03", {K.OTHER_WEEKDAY}),
        ("12/O3/2O26", "2026-03-12", {K.CORRECTED, K.ORDER_ASSUMED}),
        ("12 Septemper 2026", "2026-09-12", {K.CORRECTED}),
        ("2026-03-12", "2026-03-12", set()),
        ("20260312", "2026-03-12", set()),
        ("1.1.2047", "2047-01-01", {K.FAR_AWAY}),
        ("31.02.2027", None, {K.NO_SUCH_DATE}),
        ("99/99/2027", None, {K.NO_SUCH_DATE}),
        ("tomorrow", None, {K.UNREADABLE}),
        ("lunes", None, {K.UNREADABLE}),
        ("", None, {K.MISSING}),
        ("-", None, {K.MISSING}),
    ],
)
def test_dates(written: str, value: str | None, marked: set[IssueKind]) -> None:
    cell = cell_of("date", written, Field.DATE)
    assert (cell.value, {*kinds(cell)}) == (value, marked)


def test_a_column_decides_the_order_of_day_and_month() -> None:
    text = "propertyId,date,time\nh1-a,{},10:00\nh1-a,{},10:00\n"
    first, second = rows_of(text.format("03/04/2027", "03/14/2027"))
    assert (first.value(Field.DATE), first.clean) == ("2027-03-04", True)
    first, second = rows_of(text.format("03/04/2027", "14/03/2027"))
    assert (first.value(Field.DATE), first.clean) == ("2027-04-03", True)
    # Wednesday is 3 March, and 4 March a Thursday: the weekday says what the day is.
    first, second = rows_of(text.format("03/04/2027", "Sat 04/03/2027"))
    assert (second.value(Field.DATE), second.clean) == ("2027-04-03", True)
    assert (first.value(Field.DATE), first.clean) == ("2027-03-04", True)


def test_a_column_that_contradicts_itself_decides_nothing() -> None:
    rows = rows_of("propertyId,date,time\n" + "".join(f"h1-a,{day}/2027,10:00\n" for day in ("3/14", "14/3", "3/4")))
    assert [row.value(Field.DATE) for row in rows] == ["2027-03-14", "2027-03-14", None]
    assert kinds(rows[2].cell(Field.DATE)) == [K.AMBIGUOUS]


def test_a_person_decides_the_order_and_where_nobody_does_the_country_is_assumed() -> None:
    text = "propertyId,date,time\nh1-a,03/04/2027,10:00\n"
    (row,) = rows_of(text, replace(BERLIN, order=Order.MONTH_FIRST))
    assert (row.value(Field.DATE), row.reviewed) == ("2027-03-04", True)
    (row,) = rows_of(text, CHICAGO)
    assert (row.value(Field.DATE), kinds(row.cell(Field.DATE))) == ("2027-03-04", [K.ORDER_ASSUMED])


@pytest.mark.parametrize(
    ("written", "value", "marked"),
    [
        ("10:30", "10:30", set()),
        ("10h30", "10:30", set()),
        ("10h", "10:00", set()),
        ("4.30 pm", "16:30", set()),
        ("4:30 p. m.", "16:30", set()),
        ("9:30 a.m.", "09:30", set()),
        ("12:30 PM", "12:30", set()),
        ("16:15 h", "16:15", set()),
        ("um 10 Uhr", "10:00", set()),
        ("10 Uhr 30", "10:30", set()),
        ("à 10h", "10:00", set()),
        ("a las 10:30", "10:30", set()),
        ("17 heures", "17:00", set()),
        ("10,30", "10:30", set()),
        ("noon", "12:00", set()),
        ("mediodía", "12:00", set()),
        ("4 de la tarde", "16:00", {K.PART_OF_DAY}),
        ("9 abends", "21:00", {K.PART_OF_DAY}),
        ("10:00-11:00", "10:00", {K.BEGINNING_OF_RANGE}),
        ("4-5 pm", "16:00", {K.BEGINNING_OF_RANGE}),
        ("1O:3O", "10:30", {K.CORRECTED}),
        ("1030", "10:30", {K.CORRECTED}),
        ("10", "10:00", {K.HOUR_ONLY}),
        ("7:20", "07:20", {K.MORNING_OR_EVENING}),
        ("07:20", "07:20", set()),
        ("4:15 am", "04:15", {K.MORNING_OR_EVENING}),
        ("half five", None, {K.AMBIGUOUS}),
        ("1/2 5", None, {K.AMBIGUOUS}),
        ("½ 5", None, {K.AMBIGUOUS}),
        ("5 y media", None, {K.AMBIGUOUS}),
        ("halb fünf", None, {K.AMBIGUOUS}),
        ("5 et demie", None, {K.AMBIGUOUS}),
        ("quarter to 5", None, {K.AMBIGUOUS}),
        ("25:00", None, {K.UNREADABLE}),
        ("10:75", None, {K.UNREADABLE}),
        ("after lunch", None, {K.UNREADABLE}),
    ],
)
def test_times(written: str, value: str | None, marked: set[IssueKind]) -> None:
    cell = cell_of("time", written, Field.TIME)
    assert (cell.value, {*kinds(cell)}) == (value, marked)


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("12.03.2027 10:30", "2027-03-12T09:30Z"),
        ("12.3.2027 10.30 Uhr", "2027-03-12T09:30Z"),
        ("Freitag, 12. März 2027 um 10 Uhr", "2027-03-12T09:00Z"),
        ("12 de marzo de 2027 a las 10:30", "2027-03-12T09:30Z"),
        ("le 12 mars 2027 à 10h", "2027-03-12T09:00Z"),
        ("Friday, March 12th, 2027 at 4.30 pm", "2027-03-12T15:30Z"),
        ("10:30 12.03.2027", "2027-03-12T09:30Z"),
        ("2027-03-12T10:30+05:30", "2027-03-12T05:00Z"),
        ("2027-03-12T10:00-11:00", "2027-03-12T21:00Z"),
        ("2027-10-31T02:30+01:00", "2027-10-31T01:30Z"),
        ("2027-10-31T02:30+02:00", "2027-10-31T00:30Z"),
    ],
)
def test_a_date_with_its_time_in_one_cell(written: str, instant: str) -> None:
    (row,) = rows_of(f'propertyId,When\nh1-a,"{written}"\n')
    assert row.start(BERLIN.zone) == utc(instant)
    assert row.reviewed


def test_two_times_that_differ_are_no_time() -> None:
    (row,) = rows_of("propertyId,date,time\nh1-a,12.03.2027 10:30,11:30\n")
    assert (row.value(Field.TIME), marks(row)) == (None, {(Field.TIME, K.AMBIGUOUS)})


@pytest.mark.parametrize(
    ("day", "kind", "instant"),
    [
        ("28.03.2027", K.SKIPPED_TIME, "2027-03-28T01:30Z"),
        ("31.10.2027", K.DOUBLED_TIME, "2027-10-31T00:30Z"),
    ],
)
def test_a_time_that_the_clocks_skip_or_have_twice_is_marked(day: str, kind: IssueKind, instant: str) -> None:
    (row,) = rows_of(f"propertyId,date,time\nh1-a,{day},02:30\n")
    assert kinds(row.cell(Field.TIME)) == [kind]
    assert row.start(BERLIN.zone) == utc(instant), "the offset before the gap, and the first of two"


@pytest.mark.parametrize(
    ("written", "minutes"),
    [
        *[(text, "45") for text in ("45", "45 min", "45'", "0:45", "00:45:00", "45.0")],
        *[(text, "90") for text in ("1h30", "1 h 30", "1:30", "1,5 h", "1.5 hours", "90 Minuten", "1 hora 30 minutos")],
        *[(text, "30") for text in ("half an hour", "media hora", "halbe Stunde", "une demi-heure", "½ h")],
        *[(text, "60") for text in ("1h", "1 Std.", "una hora")],
        *[(text, None) for text in ("1.5", "long", "forty")],
    ],
)
def test_durations(written: str, minutes: str | None) -> None:
    cell = cell_of("Duration", written, Field.DURATION)
    assert (cell.value, kinds(cell)) == (minutes, [] if minutes else [K.UNREADABLE])


@pytest.mark.parametrize("header", ["from,to", "Start,End", "von,bis", "Inicio,Fin", "Start time,End time"])
def test_when_a_visit_ends_says_how_long_it_is(header: str) -> None:
    ann, ben, cem = rows_of(
        f"propertyId,date,{header}\nh1-a,14.3.2027,10:00,10:45\nh1-a,14.3.2027,10:00,\nh1-a,14.3.2027,10:00,9:00\n"
    )
    assert (ann.value(Field.DURATION), ann.reviewed) == ("45", True)
    assert (ben.value(Field.DURATION), ben.reviewed) == (None, True)
    assert marks(cem) == {(Field.DURATION, K.OUT_OF_RANGE)}


def test_start_and_end_may_be_dates_with_times() -> None:
    (row,) = rows_of("propertyId,Start,End\nh1-a,14.3.2027 10:00,14.3.2027 10:45\n")
    assert (row.start(BERLIN.zone), row.value(Field.DURATION)) == (utc("2027-03-14T09:00Z"), "45")


def test_a_duration_that_no_visit_has_is_marked() -> None:
    assert kinds(cell_of("Dauer", "600", Field.DURATION)) == [K.OUT_OF_RANGE]


@pytest.mark.parametrize(
    ("written", "status"),
    [
        *[(text, "confirmed") for text in ("Confirmed", "bestätigt", "confirmada", "Confirmé", "OK")],
        *[(text, "requested") for text in ("pending", "Pendiente", "angefragt", "en attente", "not confirmed")],
        *[(text, "cancelled") for text in ("Canceled", "abgesagt", "Anulada", "annulée")],
        *[(text, "declined") for text in ("rejected", "abgelehnt", "rechazado", "refusé")],
        *[(text, "completed") for text in ("done", "erledigt", "realizada", "effectuée")],
        *[(text, "no_show") for text in ("No show", "nicht erschienen", "no se presentó", "absent", "no_show")],
        ("perhaps", None),
    ],
)
def test_statuses_in_four_languages(written: str, status: str | None) -> None:
    cell = cell_of("status", written, Field.STATUS)
    assert (cell.value, kinds(cell)) == (status, [] if status else [K.UNREADABLE])


def test_a_misspelled_status_is_marked() -> None:
    cell = cell_of("Estado", "confirmmada", Field.STATUS)
    assert (cell.value, kinds(cell)) == ("confirmed", [K.CORRECTED])


@pytest.mark.parametrize(
    ("settings", "written", "value", "marked"),
    [
        (MADRID, "612 345 678", "+34612345678", []),
        (MADRID, "0034 612 345 678", "+34612345678", []),
        (CHICAGO, "(512) 555-0147", "+15125550147", []),
        (BERLIN, "+49 (0)30 901820", "+4930901820", []),
        (BERLIN, "Tel.: 030 901820", "+4930901820", []),
        (BERLIN, "030 901820 Durchwahl 12", "+4930901820 x12", []),
        (BERLIN, "030/901820 (Büro)", "+4930901820", [K.REMARK]),
        (BERLIN, "030 901820 oder 0170 1234567", "+4930901820", [K.SEVERAL]),
        (BERLIN, "030 901820/21", "+4930901820", [K.SEVERAL]),
        (BERLIN, "0171/1234567", "+491711234567", []),
        (BERLIN, "12345", "12345", []),
        (Settings("UTC"), "030 901820", "030 901820", []),
        (BERLIN, "4930901820.0", None, [K.UNREADABLE]),
        (BERLIN, "4.93090182E9", None, [K.UNREADABLE]),
        (BERLIN, "ask Ben", None, [K.UNREADABLE]),
        (BERLIN, "-", None, []),
        (BERLIN, "n/a", None, []),
    ],
)
def test_telephone_numbers(settings: Settings, written: str, value: str | None, marked: list[IssueKind]) -> None:
    cell = cell_of("Phone", written, Field.PHONE, settings)
    assert (cell.value, kinds(cell)) == (value, marked)


@pytest.mark.parametrize(
    ("written", "value", "marked"),
    [
        ("ann@example.com", "ann@example.com", []),
        ("Ann@Example.com", "Ann@Example.com", []),
        ("ann (at) example.com", "ann@example.com", [K.REPAIRED]),
        ("ann @ example.com", "ann@example.com", [K.REPAIRED]),
        ("Ann Example <ann@example.com>", "ann@example.com", [K.REPAIRED]),
        ("ann@gmial.com", "ann@gmial.com", [K.LIKE_ANOTHER]),
        ("ann@example.com, ben@example.com", "ann@example.com", [K.SEVERAL]),
        ("ann@example", None, [K.UNREADABLE]),
        ("ann.example.com", None, [K.UNREADABLE]),
        ("none", None, []),
    ],
)
def test_mail_addresses(written: str, value: str | None, marked: list[IssueKind]) -> None:
    cell = cell_of("E-mail", written, Field.EMAIL)
    assert (cell.value, kinds(cell)) == (value, marked)


def test_one_column_for_all_ways_to_reach_somebody() -> None:
    ann, ben, cem = rows_of(
        "propertyId,date,Contact\nh1-a,14.3.2027 10:00,ann@example.com\nh1-a,14.3.2027 11:00,030 901820\n"
        "h1-a,14.3.2027 12:00,cem@example.com / 030 901820\n"
    )
    assert [row.visit(BERLIN.zone)["visitor"] for row in (ann, ben, cem)] == [
        {"email": "ann@example.com"},
        {"phone": "+4930901820"},
        {"email": "cem@example.com", "phone": "+4930901820"},
    ]
    (row,) = rows_of("propertyId,date,Name and phone\nh1-a,14.3.2027 10:00,Ann Example (030 901820)\n")
    assert row.visit(BERLIN.zone)["visitor"] == {"name": "Ann Example", "phone": "+4930901820"}


@pytest.mark.parametrize(
    ("written", "value", "marked"),
    [
        ("es-1", "es-1", []),
        ("C/ Alcalá 45, 3º B, Madrid", "es-1", []),
        ("calle alcala 45 3o b madrid", "es-1", []),
        ("Villa Elm", "h1-a", []),
        ("Torstrasse 45, 10119 Berlin", "h1-b", []),
        ("Torstr. 45, Berlin", "h1-b", [K.LIKELY_PROPERTY]),
        ("Loft Chicaco", "h1-c", [K.LIKELY_PROPERTY]),
        ("C/ Alcalá", None, [K.UNKNOWN_PROPERTY]),
        ("Baker Street 221b", None, [K.UNKNOWN_PROPERTY]),
    ],
)
def test_properties_by_id_name_or_address(written: str, value: str | None, marked: list[IssueKind]) -> None:
    (row,) = rows_of(f'Property,date,time\n"{written}",2027-03-12,10:30\n')
    cell = row.cell(Field.PROPERTY)
    assert (cell.value, kinds(cell)) == (value, marked)


def test_without_a_clear_lead_there_are_choices_and_no_property() -> None:
    (row,) = rows_of("Address,date,time\nC/ Alcala,2027-03-12,10:30\n")
    assert row.value(Field.PROPERTY) is None
    assert {*row.cell(Field.PROPERTY).choices[:2]} == {"es-1", "es-2"}


def test_of_several_properties_so_called_somebody_chooses_one() -> None:
    twins = (NamedProperty("a-1", "Lake house", "1 Shore Road"), NamedProperty("b-2", "Lake house", "7 Hill Street"))
    found = Properties(Known(twins)).find("lake house")
    assert (found.value, [issue.kind for issue in found.issues]) == (None, [K.AMBIGUOUS])
    assert {*found.choices} == {"a-1", "b-2"}


def test_another_house_number_is_another_house() -> None:
    assert Properties(AGENCY).find("C/ Alcalá 46, Madrid").value is None


def test_an_id_that_is_nearly_right_is_another_property() -> None:
    (row,) = rows_of("propertyId,date\nh1-d,14.3.2027 10:00\n")
    assert (row.value(Field.PROPERTY), row.complete) == (None, False)


FAR = Known(
    (
        NamedProperty("mesa", "Mesa View", "1 Elm Rd", "America/Phoenix"),
        NamedProperty("spa", "Spa", "2 Elm Rd", "Europe/Madrid"),
    )
)


def test_a_time_that_is_another_one_at_the_property_is_for_somebody_to_look_at() -> None:
    text = "property,date,time\nMesa View,12.3.2027,11:00\nSpa,12.3.2027,11:00\n"
    mesa, spa = read(text.encode(), known=FAR).rows
    assert [(issue.kind, issue.hint) for issue in mesa.cell(Field.TIME).issues] == [
        (K.OTHER_ZONE, "03:00 America/Phoenix")
    ]
    assert (mesa.reviewed, spa.reviewed) == (False, True), "in Madrid it is what it is in Berlin"
    moved = corrected(spa, {Field.PROPERTY: "mesa"}, BERLIN, FAR, TODAY)
    assert kinds(moved.cell(Field.TIME)) == [K.OTHER_ZONE]


@pytest.mark.parametrize("when", ["2027-03-12T11:00:00Z", "2027-03-12 11:00:00+01:00"])
def test_an_instant_is_the_same_everywhere(when: str) -> None:
    (row,) = read(f"property,date\nMesa View,{when}\n".encode(), known=FAR).rows
    assert row.reviewed


def test_what_a_person_confirmed_is_remembered() -> None:
    text = "Property,date\nthe old mill,14.3.2027 10:00\n"
    (row,) = rows_of(text)
    assert row.value(Field.PROPERTY) is None
    confirmed = corrected(row, {Field.PROPERTY: "h1-cap2"}, BERLIN, AGENCY, TODAY)
    known = Known(AGENCY.properties, dict(confirmations([confirmed])))
    (again,) = read(text.replace("the old mill", "The old Mill ").encode(), known=known).rows
    assert (again.value(Field.PROPERTY), again.reviewed) == ("h1-cap2", True)


def test_rows_without_a_property_are_for_the_sheets_property() -> None:
    (row,) = rows_of("date,visitor\n14.3.2027 10:00,Ann\n", replace(BERLIN, property_id="h1-b"))
    assert (row.value(Field.PROPERTY), row.reviewed) == ("h1-b", True)


@pytest.mark.parametrize("mark", ['"""', "”", "〃", "idem", "dito", "-\u201d-"])
def test_ditto_marks_repeat_what_is_above_and_are_marked(mark: str) -> None:
    quoted = '""""' if mark == '"""' else mark
    _, second = rows_of(f"propertyId,date,time\nh1-a,14.3.2027,10:00\nh1-a,{quoted},11:00\n")
    assert second.start(BERLIN.zone) == utc("2027-03-14T10:00Z")
    assert marks(second) == {(Field.DATE, K.DITTO)}


def test_a_ditto_mark_below_nothing_is_nothing() -> None:
    (row,) = rows_of("propertyId,date,time\nh1-a,idem,10:00\n")
    assert marks(row) == {(Field.DATE, K.NOTHING_ABOVE)}


def test_the_day_may_stand_above_the_table_or_above_its_visits() -> None:
    (row,) = rows_of("Visits of 14.03.2027,,\nTime,Property,Visitor\n10:00,h1-a,Ann\n")
    assert row.start(BERLIN.zone) == utc("2027-03-14T09:00Z")
    assert marks(row) == {(Field.DATE, K.FROM_TITLE)}
    first, second = rows_of("Time,Property,Visitor\n14 March 2027,,\n10:00,h1-a,Ann\n15 March 2027,,\n10:00,h1-a,Ben\n")
    assert [row.value(Field.DATE) for row in (first, second)] == ["2027-03-14", "2027-03-15"]
    assert not first.reviewed


def test_a_row_that_says_only_its_day_is_a_row() -> None:
    rows = rows_of("Date,Time,Property\n14.3.2027,,\n15.3.2027,10:00,h1-a\n16.3.2027,,\n")
    assert [row.value(Field.DATE) for row in rows] == ["2027-03-14", "2027-03-15", "2027-03-16"]


def test_of_a_week_above_the_table_no_day_is_taken() -> None:
    (row,) = rows_of("Week 12/03/2026 - 18/03/2026,,\nTime,Property,Visitor\n10:00,h1-a,Ann\n")
    assert marks(row) == {(Field.DATE, K.MISSING)}


def test_repeated_headers_and_blank_lines_are_no_rows() -> None:
    header, visit = "propertyId,date", "h1-a,14.3.2027 10:00"
    rows = rows_of(f"{header}\n{visit}\n,\n{header}\n{visit}\n\n")
    assert [row.line for row in rows] == [2, 5]


def test_a_header_of_two_lines() -> None:
    (row,) = rows_of("When,,Visitor,\nDate,Time,Name,Phone,Property\n14.3.2027,10:00,Ann,030 901820,h1-a\n")
    assert row.visit(BERLIN.zone)["visitor"] == {"name": "Ann", "phone": "+4930901820"}


def test_more_cells_than_headings_are_a_problem() -> None:
    (row,) = rows_of("propertyId,date\nh1-a,14.3.2027 10:00,what,\n")
    assert marks(row) == {(None, K.TOO_MANY_CELLS)}


def test_a_table_without_headings_is_understood_and_every_row_marked() -> None:
    rows = rows_of("14.03.2027,10:00,h1-a,612 345 678\n15.03.2027,11:00,h1-b,612 345 679\n", MADRID)
    assert [row.value(Field.PROPERTY) for row in rows] == ["h1-a", "h1-b"]
    assert [row.value(Field.TIME) for row in rows] == ["10:00", "11:00"]
    assert all((None, K.NO_HEADER) in marks(row) for row in rows)


def test_a_person_says_what_a_column_is() -> None:
    text = "propertyId,Zug um Zug,date\nh1-a,Ann,14.3.2027 10:00\n"
    (row,) = rows_of(text, replace(BERLIN, columns={1: Field.NAME, 2: None}))
    assert row.value(Field.NAME) == "Ann"
    assert row.value(Field.DATE) is None


def test_texts_that_are_too_long_are_no_values() -> None:
    for heading_, field, most in (("visitorName", Field.NAME, 200), ("notes", Field.NOTES, 2000)):
        assert cell_of(heading_, "x" * most, field).value == "x" * most
        assert kinds(cell_of(heading_, "x" * (most + 1), field)) == [K.TOO_LONG]


def test_a_correction_is_read_like_a_typed_cell_and_marks_the_row_reviewed() -> None:
    (row,) = rows_of("Property,date,time\nbaker street,12/3/2027,half five\n")
    assert not row.complete
    changes = {Field.PROPERTY: "h1-a", Field.DATE: "12.3.2027", Field.TIME: "4.30 pm"}
    done = corrected(row, changes, BERLIN, AGENCY, TODAY)
    assert done.start(BERLIN.zone) == utc("2027-03-12T15:30Z")
    assert (done.reviewed, done.complete) == (True, True)
    assert done.cell(Field.TIME).text == "half five", "what was written stays"


def test_only_a_person_knows_which_of_two_times_is_meant() -> None:
    (row,) = rows_of("propertyId,date,time\nh1-a,31.10.2027,02:30\n")
    done = corrected(row, {Field.TIME: "02:30+01:00"}, BERLIN, AGENCY, TODAY)
    assert done.start(BERLIN.zone) == utc("2027-10-31T01:30Z")


def test_a_correction_that_cannot_be_understood_is_refused() -> None:
    (row,) = rows_of("propertyId,date,time\nh1-a,14.3.2027,10:00\n")
    changes = {Field.PROPERTY: "h9", Field.TIME: "half five", Field.EMAIL: "ann@"}
    with pytest.raises(InvalidInput) as refused:
        corrected(row, changes, BERLIN, AGENCY, TODAY)
    assert [error.pointer for error in refused.value.errors] == ["#/propertyId", "#/time", "#/visitorEmail"]


def test_rows_keep_their_numbers_when_the_sheet_is_read_anew() -> None:
    text = "Property,Besuch,Uhrzeit\nh1-a,14.3.2027,10:00\nh1-b,15.3.2027,11:00\n"
    before, after = (
        [row.number for row in rows_of(text, replace(BERLIN, columns=columns))] for columns in ({}, {1: Field.DATE})
    )
    assert before == after == [2, 3]
