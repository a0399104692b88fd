"""Typed settings from the environment, checked once at cold start."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """What a stage is told by `.chalice/config.json`. The AWS region and credentials are boto3's own business."""

    model_config = ConfigDict(frozen=True)

    stage: str = Field(alias="STAGE", pattern=r"^[a-z][a-z0-9-]{0,15}$")
    table_name: str = Field(alias="TABLE_NAME", min_length=3, max_length=255)
    queue_name: str = Field(alias="QUEUE_NAME", min_length=1, max_length=80)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Raises pydantic's ValidationError, which names the variable that is missing or wrong."""
        return cls.model_validate(dict(environment))


def queue_of_stage(environment: Mapping[str, str]) -> str:
    """The queue that the worker listens to. Chalice asks while it loads the app, before any settings are checked."""
    return environment.get("QUEUE_NAME", "visits-local")


def origins_of_stage(environment: Mapping[str, str]) -> frozenset[str]:
    """The web origins whose pages may read our answers, from a list with commas; usually none."""
    return frozenset(filter(None, (origin.strip() for origin in environment.get("CORS_ORIGINS", "").split(","))))
