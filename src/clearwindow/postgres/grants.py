"""What the application's role may do with each table: exactly what its statements need, and nothing with the rest.

A table that has no row in ``grants.toml`` is refused by a test, so that whoever adds a table decides. Decision 13.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from psycopg import Connection
from psycopg.sql import SQL, Composed, Identifier

PRIVILEGES: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")
"""What may be granted, in the order in which it is written. TRUNCATE, REFERENCES and TRIGGER never are."""

FUNCTIONS: Final = ("mark_sandbox", "empty_sandbox")
"""Functions that run as the tables' owner, and that the application may call. Nobody else may."""

_TABLES: Final = """
SELECT relname::text,
       array(SELECT privilege_type::text FROM aclexplode(relacl) WHERE grantee = %(role)s::regrole)
FROM pg_class
WHERE relkind IN ('r', 'p', 'v', 'm') AND relnamespace = current_schema()::regnamespace
ORDER BY relname
"""
_FUNCTIONS: Final = """
SELECT pg_proc.oid::regprocedure::text FROM pg_proc
WHERE pronamespace = current_schema()::regnamespace AND proname = ANY(%(functions)s)
  AND NOT has_function_privilege(%(role)s, pg_proc.oid, 'EXECUTE')
"""
_MAY_ENTER: Final = "SELECT current_schema(), has_schema_privilege(%(role)s, current_schema(), 'USAGE')"


@cache
def granted() -> Mapping[str, tuple[str, ...]]:
    """Returns the privileges of the application's role by table or view. No privilege is an empty tuple."""
    text = files("clearwindow.postgres").joinpath("grants.toml").read_text(encoding="utf-8")
    return {name: tuple(privileges) for name, privileges in tomllib.loads(text)["tables"].items()}


def grant(connection: Connection[Any], role: str) -> None:
    """Gives the role what it needs and takes away what it does not, as the tables' owner, in its transaction.

    It changes nothing if nothing differs.
    """
    names = {"role": role}
    row = connection.execute(_MAY_ENTER, names).fetchone()
    if row is not None and not row[1]:
        connection.execute(
            SQL("GRANT USAGE ON SCHEMA {} TO {}").format(Identifier(row[0]), Identifier(role)),
        )
    for table, held in connection.execute(_TABLES, names).fetchall():
        wanted = set(granted().get(table, ()))
        for verb, missing in (
            ("GRANT {} ON {} TO {}", wanted - set(held)),
            ("REVOKE {} ON {} FROM {}", set(held) - wanted),
        ):
            if missing:
                connection.execute(_change(verb, missing, table, role))
    for (function,) in connection.execute(_FUNCTIONS, {**names, "functions": list(FUNCTIONS)}).fetchall():
        connection.execute(SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(SQL(function), Identifier(role)))


def _change(verb: str, privileges: set[str], table: str, role: str) -> Composed:
    listed = SQL(", ").join(map(SQL, sorted(privileges)))
    return SQL(verb).format(listed, Identifier(table), Identifier(role))
