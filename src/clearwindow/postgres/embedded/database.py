"""The database of an embedded cluster and its roles: made at the first start, and brought up to date at each.

The superuser makes them. The owner has the database and all that is in it, and the application's role has nothing.
Former releases had one role, the superuser, which owned everything. Each step here is whole or not done, and is
looked for at every start: a start that was killed is completed by the next.
"""

import contextlib
import time
from collections.abc import Callable
from typing import Any, Final

import psycopg
from psycopg import Connection, conninfo, errors
from psycopg.sql import SQL, Identifier, Literal

from clearwindow.postgres.embedded.access import APPLICATION, OWNER, SUPERUSER
from clearwindow.postgres.embedded.home import PORT, Home

DATABASE: Final = "clearwindow"

# Long enough to replay a write-ahead log of max_wal_size from a slow disk.
_START_TIMEOUT_SECONDS: Final = 180
_CONNECT_TIMEOUT_SECONDS: Final = 10
_POLL_SECONDS: Final = 0.01

_IS_OPEN_OR_FOREIGN: Final = """
SELECT datdba <> %(owner)s::regrole
    OR EXISTS (SELECT FROM aclexplode(coalesce(datacl, acldefault('d', datdba))) WHERE grantee = 0)
FROM pg_database WHERE datname = %(database)s
"""
# An identity column's sequence has its table's owner by itself.
_OF_THE_SUPERUSER: Final = """
SELECT format('TABLE %%I.%%I', nspname, relname)
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relowner = %(superuser)s::regrole AND nspname = 'public' AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid
                                         AND deptype IN ('a', 'i'))
UNION ALL
SELECT format('%%s %%I.%%I', CASE typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, nspname, typname)
FROM pg_type JOIN pg_namespace ON pg_namespace.oid = typnamespace
WHERE typowner = %(superuser)s::regrole AND nspname = 'public' AND typtype IN ('d', 'e', 'r')
UNION ALL
SELECT format('ROUTINE %%s', pg_proc.oid::regprocedure)
FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
WHERE proowner = %(superuser)s::regrole AND nspname = 'public'
"""


def address_of(home: Home, role: str, database: str = DATABASE) -> str:
    """Returns the address of a database of the cluster, for a role."""
    return conninfo.make_conninfo("", host=str(home.socket_dir), port=PORT, user=role, dbname=database)


def prepare_database(home: Home, alive: Callable[[], bool]) -> None:
    """Makes what is missing: the roles, the database, and that the owner owns all of it.

    Raises:
        psycopg.Error: the server ended, does not answer in time, or refuses.
    """
    maintenance = address_of(home, SUPERUSER, "postgres")
    _wait_for(maintenance, alive)
    with _connected(maintenance, autocommit=True) as connection:
        for role in (OWNER, APPLICATION):
            make_role(connection, role)
        _make_database(connection)
    with _connected(address_of(home, SUPERUSER)) as connection:
        hand_over(connection)


def wait_until_prepared(home: Home) -> int:
    """Waits until another process has started the server and prepared its database. Returns its major version.

    Raises:
        psycopg.Error: it does not answer in time.
    """
    return _wait_for(address_of(home, APPLICATION), lambda: True, _require_prepared)


def _require_prepared(connection: Connection[Any]) -> None:
    if _is_open_or_foreign(connection):
        raise psycopg.OperationalError("its database is not prepared")


def _wait_for(
    dsn: str, alive: Callable[[], bool], check: Callable[[Connection[Any]], object] = lambda _: None
) -> int:
    """Waits for the first connection that passes the check. Returns the server's major version, or raises."""
    deadline = time.monotonic() + _START_TIMEOUT_SECONDS
    while True:
        running = alive()
        try:
            with _connected(dsn) as connection:
                check(connection)
                return connection.info.server_version // 10_000
        except psycopg.OperationalError:
            if not running or time.monotonic() > deadline:
                raise
        time.sleep(_POLL_SECONDS)


def _connected(dsn: str, *, autocommit: bool = False) -> Connection[Any]:
    return psycopg.connect(dsn, autocommit=autocommit, connect_timeout=_CONNECT_TIMEOUT_SECONDS)


def make_role(connection: Connection[Any], role: str) -> None:
    if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
        connection.execute(SQL("CREATE ROLE {} LOGIN").format(Identifier(role)))


def _make_database(connection: Connection[Any]) -> None:
    if connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
        with contextlib.suppress(errors.DuplicateDatabase):
            making = SQL("CREATE DATABASE {} OWNER {}").format(Identifier(DATABASE), Identifier(OWNER))
            connection.execute(making)


def _is_open_or_foreign(connection: Connection[Any]) -> bool:
    names = {"owner": OWNER, "database": DATABASE}
    return connection.execute(_IS_OPEN_OR_FOREIGN, names).fetchone() == (True,)


def hand_over(connection: Connection[Any]) -> None:
    """Gives the database and what is in it to the owner, in the caller's transaction."""
    if _is_open_or_foreign(connection):
        for statement in (
            SQL("ALTER DATABASE {database} OWNER TO {owner}"),
            SQL("REVOKE ALL ON DATABASE {database} FROM PUBLIC"),
            SQL("GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {application}"),
        ):
            roles = {"owner": Identifier(OWNER), "application": Identifier(APPLICATION)}
            connection.execute(statement.format(database=Identifier(DATABASE), **roles))
    # One statement for all of them: it takes as long as one round trip.
    owned = connection.execute(_OF_THE_SUPERUSER, {"superuser": SUPERUSER}).fetchall()
    changes = [f"ALTER {thing} OWNER TO {OWNER}" for (thing,) in owned]
    if changes:
        connection.execute(SQL("DO {}").format(Literal(f"BEGIN {'; '.join(changes)}; END")))
