"""The check of the books runs on a standby."""

from __future__ import annotations

from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from clearwindow.postgres.embedded.cluster import EmbeddedPostgres
from tests.support.processes import command
from tests.support.standbys import standby_of
from tests.support.unavailable import becomes


def test_standby_is_checked(primary: EmbeddedPostgres, folder: Path) -> None:
    (folder / "standby").mkdir()
    with standby_of(primary, folder / "standby") as dsn:
        standby = make_conninfo(dsn, target_session_attrs="any")
        intact = command("check", "--database-url", standby)
        assert intact.returncode == 0, intact
        assert intact.stdout.startswith("The ledger is in order:")
        assert "The outcome is not recorded, so that no metric shows this check: " in intact.stderr
        with psycopg.connect(primary.dsn, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(
                "UPDATE account SET kind = 'go', id = gen_random_uuid(), number = 1000000 WHERE kind = 'outside'"
            )
            connection.execute(
                "INSERT INTO balance (account_id, currency, account_number, currency_number, available, held)"
                " SELECT account.id, currency.name, account.number, currency.number, 7, 0"
                " FROM account, currency WHERE currency.name = 'ofcbtc'"
            )
        with psycopg.connect(standby, autocommit=True) as connection:
            becomes(lambda: connection.execute("SELECT count(*) FROM balance").fetchone() == (1,), seconds=60)
            assert connection.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
        broken = command("check", "--database-url", standby)
        assert broken.returncode == 1
        assert "BROKEN  violated: every balance is the sum of its journal postings (1 rows)" in broken.stdout
