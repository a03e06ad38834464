"""Invoices to partners, made of lines."""

from decimal import Decimal
from typing import Any

from demo_server.module import Migration, Module

MODULE = Module(
    name="invoice",
    depends=("base", "partner"),
    migrations=(
        Migration(
            "1.0",
            """
            CREATE TABLE account_invoice (
                id serial PRIMARY KEY,
                partner_id integer NOT NULL REFERENCES res_partner ON DELETE RESTRICT,
                currency_id integer NOT NULL REFERENCES res_currency,
                amount numeric NOT NULL DEFAULT 0
            );
            """,
        ),
        Migration(
            "1.1",
            # The one amount of an old invoice becomes its only line.
            """
            CREATE TABLE account_invoice_line (
                id serial PRIMARY KEY,
                invoice_id integer NOT NULL REFERENCES account_invoice ON DELETE CASCADE,
                name varchar NOT NULL,
                quantity numeric NOT NULL DEFAULT 1 CHECK (quantity > 0),
                price numeric NOT NULL
            );
            INSERT INTO account_invoice_line (invoice_id, name, price)
                SELECT id, 'Total', amount FROM account_invoice WHERE amount <> 0;
            ALTER TABLE account_invoice DROP COLUMN amount;
            """,
        ),
    ),
    demo="""
    INSERT INTO account_invoice (partner_id, currency_id)
        SELECT partner.id, currency.id FROM res_partner partner, res_currency currency
        WHERE partner.ref = 'D0001' AND currency.name = 'EUR';
    """,
)


def create_invoice(cursor: Any, partner: int, currency: str) -> int:
    """Add an invoice without lines; return its number."""
    cursor.execute(
        "INSERT INTO account_invoice (partner_id, currency_id)"
        " SELECT %s, id FROM res_currency WHERE name = %s RETURNING id",
        [partner, currency],
    )
    return int(cursor.fetchone()[0])


def add_line(cursor: Any, invoice: int, name: str, quantity: str, price: str) -> None:
    """Add a line to an invoice."""
    cursor.execute(
        "INSERT INTO account_invoice_line (invoice_id, name, quantity, price)"
        " VALUES (%s, %s, %s, %s)",
        [invoice, name, Decimal(quantity), Decimal(price)],
    )


def total(cursor: Any, invoice: int) -> Decimal:
    """The sum of the lines, rounded as the invoice's currency wants it."""
    cursor.execute(
        "SELECT round(coalesce(sum(line.quantity * line.price), 0), currency.decimals)"
        " FROM account_invoice invoice"
        " JOIN res_currency currency ON currency.id = invoice.currency_id"
        " LEFT JOIN account_invoice_line line ON line.invoice_id = invoice.id"
        " WHERE invoice.id = %s GROUP BY currency.decimals",
        [invoice],
    )
    return Decimal(cursor.fetchone()[0])
