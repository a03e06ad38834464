"""Tests of the base module."""

from demo_server.modules.base import MODULE
from demo_server.testing import DatabaseCase


class TestBase(DatabaseCase):
    def test_base_is_installed(self) -> None:
        rows = self.query("SELECT state, latest_version FROM ir_module_module WHERE name = 'base'")
        self.assertEqual(rows, [("installed", MODULE.version)])

    def test_yen_has_no_decimals(self) -> None:
        rows = self.query("SELECT decimals FROM res_currency WHERE name = 'JPY'")
        self.assertEqual(rows, [(0,)])

    def test_migration_gives_decimals_to_old_currencies(self) -> None:
        self.use_empty_schema()
        self.query(MODULE.migrations[0].sql)
        self.query("INSERT INTO res_currency (name) VALUES ('CHF')")
        MODULE.migrate(self.cursor, installed="1.0")
        rows = self.query("SELECT decimals FROM res_currency WHERE name = 'CHF'")
        self.assertEqual(rows, [(2,)])
