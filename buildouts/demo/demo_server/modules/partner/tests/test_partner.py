"""Tests of the partner module."""

import psycopg2

from demo_server.modules.partner import MODULE, create_partner
from demo_server.testing import DatabaseCase


class TestPartner(DatabaseCase):
    def test_reference_comes_from_number(self) -> None:
        partner = create_partner(self.cursor, "Weavers' Guild")
        rows = self.query("SELECT ref FROM res_partner WHERE id = %s", partner)
        self.assertEqual(rows, [(f"P{partner:04}",)])

    def test_name_is_needed(self) -> None:
        with self.assertRaises(psycopg2.IntegrityError):
            create_partner(self.cursor, "")

    def test_migration_gives_references_to_old_partners(self) -> None:
        self.use_empty_schema()
        self.query(MODULE.migrations[0].sql)
        self.query("INSERT INTO res_partner (name) VALUES ('First'), ('Second')")
        MODULE.migrate(self.cursor, installed="1.0")
        rows = self.query("SELECT name, ref FROM res_partner ORDER BY id")
        self.assertEqual(rows, [("First", "P0001"), ("Second", "P0002")])
