"""Packages whose modules load when they are first asked for by name: `api.visits` is an import that happens there.

What a function never asks for costs its cold start nothing (docs/cold-starts.md). After that a name is an attribute as
any other (PEP 562).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


def modules_of(package: str) -> Callable[[str], ModuleType]:
    """The `__getattr__` of a package."""

    def load(name: str) -> ModuleType:
        try:
            return import_module(f"{package}.{name}")
        except ModuleNotFoundError as missing:
            if missing.name != f"{package}.{name}":
                raise
            raise AttributeError(f"module {package!r} has no attribute {name!r}") from None

    return load


def load_all(package: ModuleType) -> None:
    """All of them at once, for whoever will not be here when they are asked for."""
    for each in iter_modules(package.__path__):
        import_module(f"{package.__name__}.{each.name}")
