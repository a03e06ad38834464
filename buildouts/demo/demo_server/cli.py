"""The three commands, and the options they share.

The habits are OpenERP's, good and bad: options are spelled as there, "False"
means unset, root and the database user "postgres" are refused, and a database
that cannot be loaded or tests that fail leave the exit code at 0. Only the log
tells.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
from collections.abc import Mapping

from demo_server import __version__, logs
from demo_server.database import Address
from demo_server.loading import ALL, Request, load_modules
from demo_server.web import serve

_logger = logging.getLogger("openerp")


def start(settings: Mapping[str, str]) -> int:
    """The server: load what the options name, then answer over HTTP."""
    return _main(settings)


def test(settings: Mapping[str, str]) -> int:
    """The server with its tests, and nothing after them."""
    return _main(settings, "--test-enable", "--stop-after-init", "--log-level=test")


def upgrade(settings: Mapping[str, str]) -> int:
    """Bring every installed module to its newest version."""
    return _main(settings, f"--update={ALL}", "--stop-after-init")


def _unless_false(value: str) -> str | None:
    """The value, or nothing where it is OpenERP's word for nothing."""
    return None if value in ("", "False") else value


def _names(value: str) -> frozenset[str]:
    """A set of names from a comma separated list."""
    return frozenset(name.strip() for name in value.split(",") if name.strip())


def _parser(settings: Mapping[str, str]) -> argparse.ArgumentParser:
    """The options. The settings of the buildout's part are defaults."""
    parser = argparse.ArgumentParser(description="A very small application server")
    add = parser.add_argument
    add("-d", "--database", dest="db_name", type=_unless_false)
    for name in ("db_host", "db_port", "db_user", "db_password"):
        add(f"--{name}", type=_unless_false)
    parser.set_defaults(**{name: _unless_false(value) for name, value in settings.items()})
    for short, name, verb in (("-i", "--init", "install"), ("-u", "--update", "upgrade")):
        text = f"{verb} these modules, comma separated, or all"
        add(short, name, metavar="MODULES", type=_names, default="", help=text)
    add("--without-demo", metavar="MODULES", help="if given, load no demonstration data")
    add("--test-enable", action="store_true", help="run the tests of these modules")
    add("--stop-after-init", action="store_true", help="load modules, then end")
    add("--xmlrpc-interface", metavar="ADDRESS", default="127.0.0.1")
    add("--xmlrpc-port", metavar="PORT", type=int, default=8069)
    add("--logfile", "--log-file", metavar="FILE", help="log there, not to standard error")
    add("--log-level", choices=list(logs.LEVELS), default="info")
    return parser


def _main(settings: Mapping[str, str], *implied: str) -> int:
    parser = _parser(settings)
    options = parser.parse_args([*implied, *sys.argv[1:]])
    address = Address(
        dbname=options.db_name,
        host=options.db_host,
        port=options.db_port,
        user=options.db_user,
        password=options.db_password,
    )
    if os.geteuid() == 0 or address.effective_user == "postgres":
        print("Neither root nor the database user postgres may run this.", file=sys.stderr)
        return 1
    if address.dbname is None:
        parser.error("no database is named, neither in the buildout nor with --database")

    logs.set_up(options.logfile, options.log_level)
    _logger.info("demo_server version %s", __version__)
    _logger.info("database hostname: %s", address.host or "default")
    _logger.info("database port: %s", address.port or "default")
    _logger.info("database user: %s", address.effective_user)
    if options.init or options.update:
        _load(
            address,
            Request(
                init=options.init,
                update=options.update,
                demo=options.without_demo is None,
                test=options.test_enable,
            ),
        )
    if not options.stop_after_init:
        serve(address, options.xmlrpc_interface, options.xmlrpc_port)
    return 0


def _load(address: Address, request: Request) -> None:
    """Load the modules; whatever goes wrong is for the log only."""
    try:
        with contextlib.closing(address.connect()) as connection:
            logs.name_database(str(address.dbname))
            load_modules(connection, request)
    except Exception:
        logs.name_database(str(address.dbname))
        _logger.exception("Failed to initialize database `%s`.", address.dbname)
