"""Around the imports of a cold start: nothing becomes garbage in it, so Python need not look for any.

That is a fourteenth of a cold start's instructions (docs/performance.md). What is loaded stays for good, so that later
collections do not go through it either.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import BaseModel

gc.disable()

# It would look for some in the metadata of everything that is installed, for the first model.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def over() -> None:
    """Everything is loaded: from now on there is garbage."""
    gc.freeze()
    # Nor is there much in the modules that the first request asks for.
    gc.set_threshold(50_000)
    gc.enable()


def snapshot_follows(environment: Mapping[str, str]) -> bool:
    """Whether Lambda keeps this process, once loaded, as what later instances begin with (SnapStart).

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    return environment.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"


def build_models() -> None:
    """All that are otherwise built when first used (`defer_build`)."""
    from pydantic import BaseModel

    for model in _below(BaseModel):
        model.model_rebuild()


def _below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in model.__subclasses__():
        yield each
        yield from _below(each)
