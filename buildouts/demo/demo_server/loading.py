"""Installing, upgrading and testing modules in a database."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from demo_server import testing
from demo_server.module import Module, in_order, known_modules

_logger = logging.getLogger("openerp.modules.loading")
_module_logger = logging.getLogger("openerp.modules.module")

#: The word for every module there is.
ALL = "all"


@dataclass(frozen=True)
class Request:
    """What to do with a database."""

    init: frozenset[str]
    update: frozenset[str]
    demo: bool
    test: bool


def load_modules(connection: Any, request: Request) -> None:
    """Do what is requested.

    Each module is a transaction of its own, so that a module that cannot be
    installed leaves those before it in good order.
    """
    known = known_modules()
    if unknown := (request.init | request.update) - known.keys() - {ALL}:
        _logger.warning("invalid module names, ignored: %s", ", ".join(sorted(unknown)))
    with connection, connection.cursor() as cursor:
        _ensure_registry(cursor, known)
        installed = _installed(cursor, known)

    # A new database starts with the base module, whatever was asked for.
    chosen = {"base"} - installed.keys()
    chosen |= known.keys() if ALL in request.init else request.init & known.keys()
    chosen |= installed.keys() if ALL in request.update else request.update & installed.keys()
    todo = [
        module
        for module in in_order(chosen, known)
        if module.name in chosen or module.name not in installed
    ]

    _logger.info("loading %d modules...", len(todo))
    passed = True
    for module in todo:
        _load(connection, module, installed.get(module.name), request.demo)
        if request.test:
            passed = testing.run(connection, module) and passed
    if passed:
        _logger.info("Modules loaded.")
    else:
        _logger.error("At least one test failed when loading the modules.")


def _ensure_registry(cursor: Any, known: dict[str, Module]) -> None:
    """Create the table of modules if need be, and list new modules there."""
    cursor.execute("SELECT to_regclass('ir_module_module')")
    if cursor.fetchone() == (None,):
        _logger.info("init db")
        cursor.execute(
            "CREATE TABLE ir_module_module ("
            " name varchar PRIMARY KEY, state varchar NOT NULL, latest_version varchar)"
        )
    cursor.execute(
        "INSERT INTO ir_module_module (name, state) SELECT unnest(%s::varchar[]), 'uninstalled'"
        " ON CONFLICT (name) DO NOTHING",
        [list(known)],
    )


def _installed(cursor: Any, known: dict[str, Module]) -> dict[str, str]:
    """The version of each installed module that this server still has."""
    cursor.execute("SELECT name, latest_version FROM ir_module_module WHERE state = 'installed'")
    return {name: version for name, version in cursor.fetchall() if name in known}


def _load(connection: Any, module: Module, installed: str | None, demo: bool) -> None:
    """Bring one module to its newest version."""
    _module_logger.info("module %s: creating or updating database tables", module.name)
    for step in module.migrations_after(installed):
        _logger.info("module %s: migrating to version %s", module.name, step.version)
    with connection, connection.cursor() as cursor:
        module.migrate(cursor, installed)
        if module.demo and demo and installed is None:
            _logger.info("module %s: loading demonstration data", module.name)
            cursor.execute(module.demo)
        cursor.execute(
            "UPDATE ir_module_module SET state = 'installed', latest_version = %s WHERE name = %s",
            [module.version, module.name],
        )
