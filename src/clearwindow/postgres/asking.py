"""Asks the database: one statement after the other, or several in one round trip.

Within ``Transaction.together`` nothing is answered before the block ends, or before an answer in it is read. A
statement that needs none costs no round trip then. The server still runs them in their order, each with a view of
its own, so that one that follows a lock sees what was committed while it waited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, LiteralString, TypeVar

from psycopg import Connection, Cursor
from psycopg.rows import RowFactory, dict_row, scalar_row, tuple_row

from clearwindow.postgres.rows import model_row

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Later(Generic[T]):
    """An answer that may not be there yet. A call returns it."""

    _read: Callable[[], T]

    def __call__(self) -> T:
        """Returns the answer. Within ``together`` this waits for all statements so far, and may be done once."""
        return self._read()

    def then(self, change: Callable[[T], R]) -> Later[R]:
        return Later(lambda: change(self._read()))


@dataclass(frozen=True, slots=True)
class Asking:
    """Runs statements, and returns their answers for later."""

    connection: Connection[Any]

    def run(self, statement: LiteralString, **values: object) -> Later[int]:
        """Returns the number of rows that the statement changes."""
        cursor = self._sent(tuple_row, statement, values)

        def changed() -> int:
            if cursor.pgresult is None:
                with self.connection.pipeline() as pipeline:
                    pipeline.sync()
            return cursor.rowcount

        return Later(changed)

    def first(self, into: type[T], statement: LiteralString, **values: object) -> Later[T | None]:
        return Later(self._sent(model_row(into), statement, values).fetchone)

    def one(self, into: type[T], statement: LiteralString, **values: object) -> Later[T]:
        """Returns the one row of a statement that always has one."""
        return self.first(into, statement, **values).then(_present)

    def all(self, into: type[T], statement: LiteralString, **values: object) -> Later[list[T]]:
        return Later(self._sent(model_row(into), statement, values).fetchall)

    def scalars(self, of: type[T], statement: LiteralString, **values: object) -> Later[list[T]]:  # noqa: ARG002
        """Returns the values of the only column. ``of`` is their type."""
        return Later(self._sent(scalar_row, statement, values).fetchall)

    def records(self, statement: LiteralString, **values: object) -> Later[list[dict[str, object]]]:
        return Later(self._sent(dict_row, statement, values).fetchall)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Sends the statements of the block in one round trip. Ends when all are answered."""
        with self.connection.pipeline():
            yield

    def _sent(self, rows: RowFactory[Any], statement: LiteralString, values: Mapping[str, object]) -> Cursor[Any]:
        return self.connection.cursor(row_factory=rows).execute(statement, values)


def _present(row: T | None) -> T:
    if row is None:
        raise LookupError("the statement returned no row, but must return one")
    return row
