"""The log, in OpenERP 7's format.

Whoever reads such logs, a program or a person, looks for the process, the
level, the database and the subsystem at fixed places of each line::

    2014-05-01 12:00:00,000 4242 INFO mydb openerp.modules.loading: Modules loaded.
"""

from __future__ import annotations

import logging

#: What tests have to say: shown on request, and less important than INFO.
TEST = logging.INFO - 5
LEVELS = {"debug": logging.DEBUG, "test": TEST, "info": logging.INFO, "error": logging.ERROR}


def set_up(logfile: str | None, level: str) -> None:
    """Log to ``logfile``, or to the standard error stream without one."""
    logging.addLevelName(TEST, "TEST")
    logging.basicConfig(filename=logfile, level=LEVELS[level])
    # A question mark until a database is known, as OpenERP has it.
    name_database("?")


def name_database(name: str) -> None:
    """From now on, log lines carry this database name."""
    literal = name.replace("%", "%%")
    layout = f"%(asctime)s %(process)d %(levelname)s {literal} %(name)s: %(message)s"
    for handler in logging.getLogger().handlers:
        handler.setFormatter(logging.Formatter(layout))
