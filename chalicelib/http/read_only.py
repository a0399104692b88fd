"""Read-only fields that a caller sends back: accepted if unchanged, refused otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from chalicelib.domain.errors import FieldError, InvalidInput

if TYPE_CHECKING:
    from chalicelib.http.fields import Input, Output


def check_unchanged(body: Input, present: Output) -> None:
    """Raises InvalidInput for each given field with a hint of what to do instead that is not as it is at present."""
    errors = []
    for name, field in type(body).model_fields.items():
        alias = field.alias or name
        if alias in body.hints and name in body.model_fields_set:
            given, now = (_plain(getattr(model, name)) for model in (body, present))
            if given != now:
                errors.append(FieldError(f"#/{alias}", f"'{alias}' {body.hints[alias]}"))
    if errors:
        raise InvalidInput(errors)


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, BaseModel) else value
