"""What a module is: a name, dependencies, migrations, demonstration data."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from demo_server import modules


@dataclass(frozen=True)
class Migration:
    """The step to ``version`` from the version before it, in SQL."""

    version: str
    sql: str


@dataclass(frozen=True)
class Module:
    """A module. Its first migration creates its tables, later ones alter them."""

    name: str
    migrations: tuple[Migration, ...]
    depends: tuple[str, ...] = ()
    demo: str = ""

    @property
    def version(self) -> str:
        """The version that this code is at."""
        return self.migrations[-1].version

    def migrations_after(self, installed: str | None) -> tuple[Migration, ...]:
        """The migrations still to do: all of them for a new module."""
        versions = [step.version for step in self.migrations]
        return self.migrations[versions.index(installed) + 1 if installed else 0 :]

    def migrate(self, cursor: Any, installed: str | None) -> None:
        """Bring the tables from version ``installed`` to the newest."""
        for step in self.migrations_after(installed):
            cursor.execute(step.sql)


def known_modules() -> dict[str, Module]:
    """Every module that the ``modules`` package contains, by name."""
    found: dict[str, Module] = {}
    for info in pkgutil.iter_modules(modules.__path__, modules.__name__ + "."):
        module = importlib.import_module(info.name).MODULE
        found[module.name] = module
    return found


def in_order(names: Iterable[str], known: dict[str, Module]) -> list[Module]:
    """These modules and all that they depend on, dependencies first."""
    ordered: dict[str, Module] = {}
    for name in sorted(names):
        for module in in_order(known[name].depends, known):
            ordered.setdefault(module.name, module)
        ordered.setdefault(name, known[name])
    return list(ordered.values())
