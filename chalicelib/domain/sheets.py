"""Sheets: tables of visits that somebody has to look at. Their states, their rows, and what is doubtful in them.

A row keeps what was written beside what was understood. Nothing is understood silently: what needed an assumption
carries an issue, and what could mean two things has no value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from chalicelib.domain.visits import DEFAULT_DURATION_MINUTES, Status
from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.domain.intakes import RowOutcome

MOST_ROWS: Final = 1000
MOST_BYTES_OF_FILE: Final = 5 * 1024 * 1024
MOST_BYTES_OF_PICTURE: Final = 10 * 1024 * 1024
SURE: Final = 0.97
"""How sure the recognition of a text must be for nobody to be asked."""


class SheetStatus(StrEnum):
    AWAITING_UPLOAD = "awaiting-upload"
    READING = "reading"
    REVIEW = "review"
    REGISTERING = "registering"
    REGISTERED = "registered"
    FAILED = "failed"
    EXPIRED = "expired"


LIFECYCLE: Final[Mapping[SheetStatus, tuple[SheetStatus, ...]]] = MappingProxyType(
    {
        SheetStatus.AWAITING_UPLOAD: (SheetStatus.READING, SheetStatus.FAILED, SheetStatus.EXPIRED),
        SheetStatus.READING: (SheetStatus.REVIEW, SheetStatus.FAILED),
        # Reading anew keeps it in review; rows that are left after registering are registered later.
        SheetStatus.REVIEW: (SheetStatus.REVIEW, SheetStatus.REGISTERING, SheetStatus.EXPIRED),
        SheetStatus.REGISTERING: (SheetStatus.REVIEW, SheetStatus.REGISTERED),
        SheetStatus.REGISTERED: (SheetStatus.EXPIRED,),
        SheetStatus.FAILED: (SheetStatus.EXPIRED,),
        SheetStatus.EXPIRED: (),
    }
)


class Failure(StrEnum):
    NOT_A_TABLE = "not-a-table"
    UNREADABLE = "unreadable"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too-large"
    GAVE_UP = "gave-up"


@dataclass
class CannotRead(Exception):
    """There is no table of visits to be had from an upload. `advice` tells a person what to do, and quotes nothing."""

    failure: Failure
    advice: str

    def __str__(self) -> str:
        return f"{self.failure}: {self.advice}"


class Field(StrEnum):
    """What a cell can say of a visit. The words are those of the API, where the API has one."""

    PROPERTY = "propertyId"
    DATE = "date"
    TIME = "time"
    DURATION = "durationMinutes"
    PLACE = "place"
    STATUS = "status"
    AGENT = "agentId"
    NAME = "visitorName"
    EMAIL = "visitorEmail"
    PHONE = "visitorPhone"
    NOTES = "notes"
    EXTERNAL_ID = "externalId"


REQUIRED: Final = (Field.PROPERTY, Field.DATE, Field.TIME)
_DEFAULTS: Final = {Field.DURATION: str(DEFAULT_DURATION_MINUTES), Field.STATUS: Status.CONFIRMED.value}
_VISITOR: Final = {Field.NAME: "name", Field.EMAIL: "email", Field.PHONE: "phone"}


class IssueKind(StrEnum):
    # no value
    MISSING = "missing"
    UNREADABLE = "unreadable"
    AMBIGUOUS = "ambiguous"
    NO_SUCH_DATE = "no-such-date"
    UNKNOWN_PROPERTY = "unknown-property"
    NOTHING_ABOVE = "nothing-above"
    FORMULA_ERROR = "formula-error"
    NOT_CALCULATED = "not-calculated"
    TOO_LONG = "too-long"
    # a value that somebody should look at
    CORRECTED = "corrected"
    REPAIRED = "repaired"
    UNSURE = "unsure"
    DITTO = "ditto"
    ORDER_ASSUMED = "order-assumed"
    YEAR_ASSUMED = "year-assumed"
    FAR_AWAY = "far-away"
    OTHER_WEEKDAY = "other-weekday"
    FROM_TITLE = "from-title"
    MORNING_OR_EVENING = "morning-or-evening"
    PART_OF_DAY = "part-of-day"
    BEGINNING_OF_RANGE = "beginning-of-range"
    FRACTION_DROPPED = "fraction-dropped"
    HOUR_ONLY = "hour-only"
    SKIPPED_TIME = "skipped-time"
    DOUBLED_TIME = "doubled-time"
    OTHER_ZONE = "other-zone"
    OUT_OF_RANGE = "out-of-range"
    LIKELY_PROPERTY = "likely-property"
    NOT_ASSIGNED = "not-assigned"
    ZERO_LOST = "zero-lost"
    SEVERAL = "several"
    REMARK = "remark"
    LIKE_ANOTHER = "like-another"
    # of the row
    HIDDEN = "hidden"
    CUT = "cut"
    TOO_MANY_CELLS = "too-many-cells"
    NO_JSON = "no-json"
    NO_HEADER = "no-header"


class Issue(Record):
    kind: IssueKind
    hint: str | None = None
    """What it is about, if the kind leaves that open: the cell's name, the domain it resembles."""


class Place(Record):
    """Where on the picture: a page, and fractions of its width and height."""

    page: int
    left: float
    top: float
    width: float
    height: float


class Cell(Record):
    """One thing that a row says: as written, as understood, and how sure that is.

    The value is in one spelling: 2027-03-12, 09:30 (with an offset where the clocks have it twice), 45, the id of a
    property, E.164. `choices` are the ids of properties that may be meant, the likeliest first.
    """

    text: str
    value: str | None
    issues: tuple[Issue, ...] = ()
    confidence: float | None = None
    place: Place | None = None
    choices: tuple[str, ...] = ()

    @property
    def understood(self) -> bool:
        """Whether it has a value, or nothing that could have one."""
        nothing = not self.text and all(issue.kind is IssueKind.MISSING for issue in self.issues)
        return self.value is not None or nothing

    def marked(self, *issues: Issue) -> Cell:
        return replace(self, issues=(*self.issues, *(issue for issue in issues if issue not in self.issues)))


NOTHING: Final = Cell("", None)


class SheetRow(Record):
    """A row of a sheet. `number` counts all rows of all tables from 1 and stays when the sheet is read anew."""

    number: int
    line: int
    """Where it stands in its table, file or picture, counted from 1."""
    table: str
    """The worksheet's name; empty where there is only one table."""
    cells: Mapping[Field, Cell]
    issues: tuple[Issue, ...] = ()
    reviewed: bool = False

    def cell(self, field: Field) -> Cell:
        return self.cells.get(field, NOTHING)

    def value(self, field: Field) -> str | None:
        return self.cell(field).value

    @property
    def all_issues(self) -> Iterator[tuple[Field | None, Issue]]:
        yield from ((None, issue) for issue in self.issues)
        yield from ((field, issue) for field, cell in self.cells.items() for issue in cell.issues)

    @property
    def clean(self) -> bool:
        return not any(self.all_issues)

    @property
    def complete(self) -> bool:
        """Whether it says enough to be registered, and nothing that could not be understood."""
        return all(cell.understood for cell in self.cells.values()) and all(self.value(field) for field in REQUIRED)

    def start(self, zone: ZoneInfo) -> datetime | None:
        """The instant in UTC, if date and time are known."""
        day, clock = self.value(Field.DATE), self.value(Field.TIME)
        return instant(date.fromisoformat(day), time.fromisoformat(clock), zone) if day and clock else None

    def visit(self, zone: ZoneInfo) -> dict[str, object]:
        """What it asks for, as POST /intakes takes a row. Equal wishes are equal: defaults are left out."""
        start = self.start(zone)
        wish: dict[str, object] = {"date": f"{start:%Y-%m-%dT%H:%M:%SZ}"} if start else {}
        visitor: dict[str, object] = {}
        for name, value in ((name, cell.value) for name, cell in self.cells.items()):
            if value is None or value == _DEFAULTS.get(name) or name in (Field.DATE, Field.TIME):
                continue
            if name in _VISITOR:
                visitor[_VISITOR[name]] = value
            else:
                wish[name.value] = int(value) if name is Field.DURATION else value
        return {**wish, "visitor": visitor} if visitor else wish


def instant(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """A local time as an instant: the first of two, and the offset before a gap (RFC 5545)."""
    return datetime.combine(day, clock, clock.tzinfo or zone).astimezone(UTC)


def on_the_clock(day: date, clock: time, zone: ZoneInfo) -> IssueKind | None:
    """Whether the zone's clocks show that time of that day exactly once; an offset says which one is meant."""
    if clock.tzinfo is not None:
        return None
    first, second = (datetime.combine(day, clock.replace(fold=fold), zone).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return None
    # Before a gap the offset is smaller than behind it, and the instant so later.
    return IssueKind.SKIPPED_TIME if first > second else IssueKind.DOUBLED_TIME


class Order(StrEnum):
    """How a column writes 3 December: 3/12 or 12/3."""

    DAY_FIRST = "day-month"
    MONTH_FIRST = "month-day"


class Settings(Record):
    """How a sheet is to be read. What is left out is found out, and marked where it had to be assumed."""

    time_zone: str
    order: Order | None = None
    columns: Mapping[int, Field | None] = field(default_factory=dict)
    """What the column with that index is; None is none of ours."""
    property_id: str | None = None
    """Whose visits those are that name no property."""
    sure: float = SURE

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


class Column(Record):
    """A column of the table: its heading, and what it was taken for."""

    index: int
    heading: str
    fields: tuple[Field, ...]


OUR_COLUMNS: Final = ("To check", "Row", "State")
"""The last ones of the visits in a workbook that was made of a sheet: by them it is known when it comes back."""


class RemarkKind(StrEnum):
    TABLE_NOT_READ = "table-not-read"
    TABLE_HIDDEN = "table-hidden"
    COLUMN_NOT_READ = "column-not-read"
    ENCODING_ASSUMED = "encoding-assumed"
    TITLE = "title"


class Remark(Record):
    """What a person should know of the whole: what was not read, and what it says above the table."""

    kind: RemarkKind
    text: str


class Reading(Record):
    """A sheet, read: its rows, what its columns were taken for, and the order of day and month, if that mattered."""

    rows: tuple[SheetRow, ...]
    columns: tuple[Column, ...]
    order: Order | None
    remarks: tuple[Remark, ...] = ()


class NamedProperty(Record):
    """A property by all that people write of it."""

    id: str
    name: str
    address: str
    time_zone: str | None = None


class Known(Record):
    """What an agency's sheets are read against."""

    properties: tuple[NamedProperty, ...] = ()
    confirmed: Mapping[str, str] = field(default_factory=dict)
    """Ids by what was written, `written_key` of it, where a person has said which property that is."""


def confirmations(rows: Iterable[SheetRow]) -> Iterator[tuple[str, str]]:
    """What was written and which property it is, of rows that were reviewed: to be remembered."""
    for row in rows:
        cell = row.cell(Field.PROPERTY)
        if row.reviewed and cell.text and cell.value and cell.text != cell.value:
            yield cell.text, cell.value


KEPT: Final = timedelta(days=90)
"""How long a sheet and its rows are kept; its files for a third of that (`.chalice/data.json`)."""
UPLOAD_WITHIN: Final = timedelta(minutes=10)
NOTICED_WITHIN: Final = timedelta(minutes=5)
"""How long after it an upload may be noticed, before the sheet counts as expired."""
READ_WITHIN: Final = timedelta(hours=2)
"""Longer than all attempts at reading together."""


class Kind(StrEnum):
    """What is uploaded, by its media type."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    PDF = "application/pdf"
    CSV = "text/csv"
    NDJSON = "application/x-ndjson"
    XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    @property
    def recognised(self) -> bool:
        """Whether its text has to be recognised: a picture, or a PDF, which may be nothing but one."""
        return self in (Kind.JPEG, Kind.PNG, Kind.PDF)

    @property
    def most_bytes(self) -> int:
        return MOST_BYTES_OF_PICTURE if self.recognised else MOST_BYTES_OF_FILE


class Contents(Record):
    """What was found in a sheet, but for its rows."""

    rows: int
    columns: tuple[Column, ...]
    order: Order | None
    remarks: tuple[Remark, ...]
    pages: tuple[int, ...]
    """The number of the first row of each page that the rows are kept in."""


NO_CONTENTS: Final = Contents(0, (), None, (), ())


class Sheet(Record):
    """A sheet as it stands, without its rows. `revision` counts every change of it and of its rows."""

    id: str
    name: str
    kind: Kind
    size: int
    settings: Settings
    created_by: str
    created_at: datetime
    since: datetime
    """When it came to have its status."""
    status: SheetStatus = SheetStatus.AWAITING_UPLOAD
    revision: int = 1
    reading: int = 0
    """How often it was read."""
    contents: Contents = NO_CONTENTS
    reviewed: int = 0
    registered: int = 0
    failure: Failure | None = None
    advice: str | None = None
    digest: str | None = None
    """SHA-256 of what was uploaded."""
    same_as: str | None = None
    """The sheet that had the same bytes before it."""
    repeats: str | None = None
    """The sheet that its sender knows to have the same bytes."""
    orientation: int = 1
    """How its picture is to be turned to be upright, as Exif counts: 1 to 8."""
    intake_id: str | None = None

    @property
    def expires_at(self) -> datetime:
        return self.created_at + KEPT

    def at(self, now: datetime) -> Sheet:
        """As it is to be told at that instant: what never came, or never ended, is over by then."""
        if self.status is SheetStatus.AWAITING_UPLOAD and now > self.created_at + UPLOAD_WITHIN + NOTICED_WITHIN:
            return replace(self, status=SheetStatus.EXPIRED, revision=self.revision + 1)
        if self.status is SheetStatus.READING and now > self.since + READ_WITHIN:
            failed = replace(self, status=SheetStatus.FAILED, failure=Failure.GAVE_UP, advice=GAVE_UP)
            return replace(failed, revision=self.revision + 1)
        return self

    def moved(self, status: SheetStatus, now: datetime) -> Sheet:
        assert status in LIFECYCLE[self.status], f"{self.status} never becomes {status}"
        return replace(self, status=status, revision=self.revision + 1, since=now)

    def failed(self, why: CannotRead, now: datetime) -> Sheet:
        return replace(self.moved(SheetStatus.FAILED, now), failure=why.failure, advice=why.advice)


class Upload(Record):
    """A form to upload a file with: its fields as they are, and last the file as `file`."""

    url: str
    fields: Mapping[str, str]
    expires_at: datetime


GAVE_UP: Final = "it could not be read after several attempts: send it again"


class StoredRow(Record):
    """A row as it stands: read, or as a person has left it, and what became of it when it was registered."""

    row: SheetRow
    version: int
    outcome: RowOutcome | None = None
    """Of the last attempt to register it."""

    @property
    def registered(self) -> bool:
        """From then on it stays as it is: later changes go through its visit."""
        return self.outcome is not None and self.outcome.result != "rejected"

    @property
    def ready(self) -> bool:
        """Whether it may be registered."""
        return self.row.reviewed and self.row.complete and not self.registered
