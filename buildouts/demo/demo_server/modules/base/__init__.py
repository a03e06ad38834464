"""What every other module builds on: currencies."""

from demo_server.module import Migration, Module

MODULE = Module(
    name="base",
    migrations=(
        Migration(
            "1.0",
            """
            CREATE TABLE res_currency (
                id serial PRIMARY KEY,
                name varchar(3) NOT NULL UNIQUE
            );
            INSERT INTO res_currency (name) VALUES ('EUR'), ('USD'), ('JPY');
            """,
        ),
        Migration(
            "1.1",
            # Not every currency has cents.
            """
            ALTER TABLE res_currency ADD COLUMN decimals integer NOT NULL DEFAULT 2
                CHECK (decimals >= 0);
            UPDATE res_currency SET decimals = 0 WHERE name = 'JPY';
            """,
        ),
    ),
)
