"""The body of a booking and a visit, as pydantic models: for the peers whose framework takes such."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from visits import FIVE_YEARS


def near(date: datetime) -> datetime:
    if abs(date - datetime.now(UTC)) > FIVE_YEARS:
        raise ValueError("must lie within five years")
    return date


Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*\S[^\x00-\x1f]*$")]


class Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


class Visitor(Model):
    name: Text
    email: Annotated[str, Field(max_length=254, pattern=r"^[^\s@]+@[^\s@.]+(\.[^\s@.]+)*$")] | None = None
    phone: Annotated[str, Field(max_length=32, pattern=r"^\+?[0-9()./ -]{3,31}$")] | None = None


class Booking(Model):
    property_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]{1,64}$")]
    date: Annotated[AwareDatetime, AfterValidator(near)]
    duration_minutes: Annotated[int, Field(ge=5, le=240)] = 30
    place: Text | None = None
    visitor: Visitor | None = None


class Visit(Booking):
    id: str
    time_zone: str
    status: str
    version: int
    created_at: AwareDatetime
    updated_at: AwareDatetime
