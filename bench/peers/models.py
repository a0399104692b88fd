"""The body of a booking and a visit, as pydantic models: for the peers whose framework takes such."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel
from visits import FIVE_YEARS


def near(date: datetime) -> datetime:
    if abs(date - datetime.now(UTC)) > FIVE_YEARS:
        raise ValueError("must lie within five years")
    return date


Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*\S[^\x00-\x1f]*$")]


class Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Visitor(Model):
    model_config = ConfigDict(extra="forbid")

    name: Text
    email: Annotated[str, StringConstraints(max_length=254, pattern=r"^[^\s@]+@[^\s@.]+(\.[^\s@.]+)*$")] | None = None
    phone: Annotated[str, StringConstraints(max_length=32, pattern=r"^\+?[0-9()./ -]{3,31}$")] | None = None


class Booking(Model):
    model_config = ConfigDict(extra="forbid")

    property_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~-]{1,64}$")]
    date: Annotated[AwareDatetime, AfterValidator(near)]
    duration_minutes: Annotated[int, Field(ge=5, le=240)] = 30
    place: Text | None = None
    visitor: Visitor | None = None


class Visit(Model):
    id: str
    property_id: str
    date: AwareDatetime
    duration_minutes: int
    time_zone: str
    place: str
    status: str
    visitor: Visitor | None = None
    version: int
    created_at: AwareDatetime
    updated_at: AwareDatetime
