"""Connections to PostgreSQL."""

from __future__ import annotations

import logging
import os
from dataclasses import asdict, dataclass
from typing import Any

import psycopg2

_logger = logging.getLogger("openerp.sql_db")


@dataclass(frozen=True)
class Address:
    """Where the database is. What is ``None`` is left to libpq.

    That is how a password gets here without ever being written down on a
    command line or in a script: libpq reads PGPASSWORD by itself.
    """

    dbname: str | None
    host: str | None
    port: str | None
    user: str | None
    password: str | None

    @property
    def effective_user(self) -> str | None:
        """The database user, as far as it can be told before connecting."""
        return self.user or os.environ.get("PGUSER")

    def connect(self) -> Any:
        """Open a connection; log the failure if there is one, and raise it."""
        given = {key: value for key, value in asdict(self).items() if value is not None}
        try:
            return psycopg2.connect(**given)
        except psycopg2.Error:
            _logger.exception("Connection to the database failed")
            raise
