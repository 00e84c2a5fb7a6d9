"""The database's address: what is added to it, and what every session has, whichever way it came.

What the address says holds for every connection. We add what it leaves out, and set what our statements rely on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Composed, Identifier, Literal

APPLICATION_NAME: Final = "clearwindow"
"""Of the sessions of the pool, unless the address gives another name."""
STARTING_SUFFIX: Final = " (own connection)"
MINIMUM_MAJOR: Final = 15
ENCODING: Final = "UTF8"
STATEMENT_TIMEOUT_SECONDS: Final = 120
IDLE_IN_TRANSACTION_TIMEOUT_SECONDS: Final = 60

_ADDED: Final[Mapping[str, tuple[str, str | None]]] = {
    # With several hosts, a standby may come first. It takes no writes.
    "target_session_attrs": ("read-write", "PGTARGETSESSIONATTRS"),
    "connect_timeout": ("3", "PGCONNECT_TIMEOUT"),
    # A server that vanished without a word is noticed within seconds, and not after a quarter of an hour. Sessions
    # of the pool notice it themselves, and a server that is frozen, too.
    "keepalives_idle": ("5", None),
    "keepalives_interval": ("2", None),
    "keepalives_count": ("3", None),
    "tcp_user_timeout": ("10000", None),
}
"""What an address gets that does not say it, nor does the environment variable."""
_OF_SEVERAL_HOSTS: Final = {"connect_timeout": "2"}
"""The least that libpq takes, of each host in turn: one that is frozen must not keep us long from the next."""

RELIED_ON: Final[Mapping[str, str]] = {
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "standard_conforming_strings": "on",
    "bytea_output": "hex",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
}
"""Settings that our statements rely on. Every session has them, whatever the address, role or database say."""

CONNECTION_WAIT_SECONDS: Final = 0.8
"""How long a transaction waits for a connection of the pool: within a second it is told that there is none."""

LOCK_TIMEOUT_SECONDS: Final = 60
"""How long a session waits for a lock that nothing else says it for: those of commands, checks and starts."""

LIMITS: Final[Mapping[str, str]] = {
    "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
    "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
    "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_TIMEOUT_SECONDS}s",
}
"""Settings of the pool's sessions, unless the address says otherwise in `options`."""

_OWN_LIMITS: Final = {"lock_timeout": LIMITS["lock_timeout"]}
"""Of a connection outside of the pool. A migration or the holder of the clock may take as long as it needs."""

_LISTS_OF_NAMES: Final = frozenset({"search_path", "temp_tablespaces"})
_SET: Final = "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS wanted (name, value)"
_SET_UNLESS_GIVEN: Final = """
SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS wanted (name, value)
WHERE NOT EXISTS (SELECT FROM pg_settings AS known WHERE known.name = wanted.name AND known.source = 'client')
"""


class UnfitDatabaseError(RuntimeError):
    """The database cannot be used as it is. The message says why and what to do."""


def address(dsn: str) -> str:
    """Returns the address with what it leaves out.

    Raises:
        psycopg.ProgrammingError: it is malformed.
    """
    given = conninfo_to_dict(dsn)
    has_several = "," in str(given.get("host") or given.get("hostaddr"))
    added = {
        name: _OF_SEVERAL_HOSTS.get(name, value) if has_several else value
        for name, (value, variable) in _ADDED.items()
        if name not in given and not (variable and os.environ.get(variable))
    }
    # Nothing can be lost on the way: what the database holds is UTF-8, too.
    return make_conninfo(dsn, **added, client_encoding=ENCODING)


def beginning_with(dsn: str, host: str, port: int) -> str:
    """Returns the address with this server first, if it has several hosts and this is one of them."""
    given = conninfo_to_dict(dsn)
    lists = {name: str(given[name]).split(",") for name in ("host", "hostaddr", "port") if given.get(name)}
    hosts, ports = lists.get("host", []), lists.get("port", [])
    for place, name in enumerate(hosts):
        port_there = ports[place] if len(ports) > 1 else "".join(ports)
        if place > 0 and (name, port_there) == (host, str(port)):
            order = [place, *range(place), *range(place + 1, len(hosts))]
            moved = {
                key: ",".join(values[index] for index in order) for key, values in lists.items() if len(values) > 1
            }
            return make_conninfo(dsn, **moved)
    return dsn


def takes_standby(dsn: str) -> bool:
    """Returns whether the address allows a server that takes no writes."""
    wanted = conninfo_to_dict(address(dsn)).get("target_session_attrs") or os.environ.get("PGTARGETSESSIONATTRS")
    return wanted not in {"read-write", "primary"}


def own_options(dsn: str) -> dict[str, str]:
    """Returns the settings that the address's `options` give, as ``-c name=value`` or ``--name=value``."""
    text = conninfo_to_dict(dsn).get("options") or os.environ.get("PGOPTIONS") or ""
    words = iter(_words(str(text)))
    found: dict[str, str] = {}
    for word in words:
        assignment = next(words, "") if word == "-c" else word.removeprefix("--" if word[:2] == "--" else "-c")
        name, equals, value = assignment.partition("=")
        if equals:
            found[name.replace("-", "_")] = value
    return found


def _words(text: str) -> list[str]:
    """Splits as the server does: at white space, where a backslash takes the next character as it is."""
    words: list[str] = []
    word = ""
    characters = iter(text)
    for character in characters:
        if character == "\\":
            word += next(characters, "")
        elif not character.isspace():
            word += character
        elif word:
            words.append(word)
            word = ""
    return [*words, word] if word else words


@contextmanager
def connected(dsn: str) -> Iterator[Connection[Any]]:
    """Opens a connection of its own, outside of the pool, for one transaction. It commits when the block ends."""
    name = f"{conninfo_to_dict(dsn).get('application_name') or APPLICATION_NAME}{STARTING_SUFFIX}"
    with psycopg.connect(address(dsn), application_name=name) as connection:
        if is_pooler(connection):
            set_for_transaction(connection, {**_OWN_LIMITS, **own_options(dsn), **RELIED_ON})
        else:
            set_for_session(connection, _OWN_LIMITS)
        yield connection


def is_pooler(connection: Connection[Any]) -> bool:
    """Returns whether a pooler, such as PgBouncer, stands between us and the server, and prepares for it.

    A pooler may give each transaction another session of the server. So nothing may be set for the session, and
    no statement prepared in it.
    """
    was_autocommit = connection.autocommit
    if not was_autocommit:
        connection.autocommit = True
    try:
        with connection.cursor(row_factory=tuple_row) as cursor:
            row = cursor.execute("SELECT pg_backend_pid()", prepare=False).fetchone()
    finally:
        if not was_autocommit and not connection.closed:
            connection.autocommit = False
    # A pooler cannot tell which session it will give us, so that it makes up the number of the process.
    found = row is not None and row[0] != connection.info.backend_pid
    if found:
        connection.prepare_threshold = None
    return found


def set_for_session(connection: Connection[Any], limits: Mapping[str, str]) -> None:
    """Sets what we rely on, and the limits that the address does not set."""
    connection.execute(_SET, [list(RELIED_ON), list(RELIED_ON.values())], prepare=False)
    if limits:
        connection.execute(_SET_UNLESS_GIVEN, [list(limits), list(limits.values())], prepare=False)
    connection.commit()


def set_for_transaction(connection: Connection[Any], settings: Mapping[str, str]) -> None:
    """Sets it until the transaction ends. No query is made, so that its isolation can still be chosen."""
    connection.execute(SQL("; ").join(_set_local(name, value) for name, value in settings.items()), prepare=False)


def _set_local(name: str, value: str) -> Composed:
    values = [part.strip().strip('"') for part in value.split(",")] if name in _LISTS_OF_NAMES else [value]
    listed = SQL(", ").join(map(Literal, values))
    return SQL("SET LOCAL {} = {}").format(Identifier(name), listed)


def require_fit(dsn: str) -> None:
    """Looks at the database before anything is done with it.

    Raises:
        UnfitDatabaseError: it cannot be used as it is.
        psycopg.OperationalError: it cannot be reached.
    """
    try:
        with connected(dsn) as connection:
            major = connection.info.server_version // 10_000
            encoding = connection.execute(
                "SELECT current_setting('server_encoding'), current_database()"
            ).fetchone()
    except psycopg.OperationalError as error:
        if "unsupported startup parameter" in str(error):
            raise UnfitDatabaseError(
                "The database's address has `options`, and the pooler that it leads to (PgBouncer) refuses them:"
                " leave them out of the address, or set ignore_startup_parameters = options in pgbouncer.ini."
            ) from None
        raise
    if major < MINIMUM_MAJOR:
        raise UnfitDatabaseError(
            f"The database is of PostgreSQL {major}, but {MINIMUM_MAJOR} or newer is needed: upgrade it."
        )
    if encoding is not None and encoding[0] != ENCODING:
        raise UnfitDatabaseError(
            f"The database {encoding[1]} has the encoding {encoding[0]}, but UTF8 is needed for names in every"
            f" script: make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0."
        )
