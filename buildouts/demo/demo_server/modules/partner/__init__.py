"""Partners: customers and suppliers, with a reference of their own."""

from typing import Any

from demo_server.module import Migration, Module

MODULE = Module(
    name="partner",
    depends=("base",),
    migrations=(
        Migration(
            "1.0",
            """
            CREATE TABLE res_partner (
                id serial PRIMARY KEY,
                name varchar NOT NULL CHECK (name <> ''),
                customer boolean NOT NULL DEFAULT true
            );
            """,
        ),
        Migration(
            "1.1",
            # Partners from before references existed get theirs here.
            """
            ALTER TABLE res_partner ADD COLUMN ref varchar;
            UPDATE res_partner SET ref = 'P' || lpad(id::varchar, 4, '0');
            ALTER TABLE res_partner
                ALTER COLUMN ref SET NOT NULL,
                ADD CONSTRAINT res_partner_ref_unique UNIQUE (ref);
            """,
        ),
    ),
    demo="""
    INSERT INTO res_partner (name, ref) VALUES ('Orchard House', 'D0001'), ('Mill Lane', 'D0002');
    """,
)


def create_partner(cursor: Any, name: str) -> int:
    """Add a partner, whose reference comes from its number; return the latter."""
    cursor.execute(
        "WITH new (id) AS (SELECT nextval(pg_get_serial_sequence('res_partner', 'id')))"
        " INSERT INTO res_partner (id, name, ref)"
        " SELECT id, %s, 'P' || lpad(id::varchar, 4, '0') FROM new RETURNING id",
        [name],
    )
    return int(cursor.fetchone()[0])
