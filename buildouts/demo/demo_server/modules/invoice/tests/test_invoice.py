"""Tests of the invoice module."""

from decimal import Decimal

import psycopg2

from demo_server.modules import base, partner
from demo_server.modules.invoice import MODULE, add_line, create_invoice, total
from demo_server.modules.partner import create_partner
from demo_server.testing import DatabaseCase


class TestInvoice(DatabaseCase):
    def setUp(self) -> None:
        super().setUp()
        self.partner = create_partner(self.cursor, "Weavers' Guild")

    def test_total_is_the_sum_of_the_lines(self) -> None:
        invoice = create_invoice(self.cursor, self.partner, "EUR")
        add_line(self.cursor, invoice, "Wool", "3", "12.50")
        add_line(self.cursor, invoice, "Carriage", "1", "4.99")
        self.assertEqual(total(self.cursor, invoice), Decimal("42.49"))

    def test_total_is_rounded_for_the_currency(self) -> None:
        invoice = create_invoice(self.cursor, self.partner, "JPY")
        add_line(self.cursor, invoice, "Silk", "2.5", "333")
        self.assertEqual(total(self.cursor, invoice), Decimal("833"))

    def test_invoiced_partner_stays(self) -> None:
        create_invoice(self.cursor, self.partner, "EUR")
        with self.assertRaises(psycopg2.IntegrityError):
            self.query("DELETE FROM res_partner WHERE id = %s", self.partner)

    def test_old_amount_becomes_a_line(self) -> None:
        self.use_empty_schema()
        base.MODULE.migrate(self.cursor, installed=None)
        partner.MODULE.migrate(self.cursor, installed=None)
        self.query(MODULE.migrations[0].sql)
        customer = create_partner(self.cursor, "Old Customer")
        invoice = create_invoice(self.cursor, customer, "EUR")
        self.query("UPDATE account_invoice SET amount = 99.90")
        MODULE.migrate(self.cursor, installed="1.0")
        self.assertEqual(total(self.cursor, invoice), Decimal("99.90"))
