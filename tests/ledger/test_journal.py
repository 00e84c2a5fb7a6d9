"""The database itself protects the journal. These attempts use SQL directly."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.support.operators import OperatorClient

NIL = UUID(int=0)


@pytest.fixture
def account(operator: OperatorClient) -> UUID:
    """A Go Account with 100 ofcbtc."""
    operator.enterprise("acme")
    made = operator.go_account("acme")
    operator.deposit(made.id, "ofcbtc", 100)
    return UUID(hex=made.id)


@pytest.fixture
def raw(dsn: str, account: UUID) -> Iterator[psycopg.Connection]:  # noqa: ARG001 - the account comes first
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


def _entry(raw: psycopg.Connection) -> int:
    """Inserts an entry without postings and returns its number."""
    row = raw.execute(
        "INSERT INTO ledger_entry (id, partner_id, kind, cause_id, created_at)"
        " VALUES (%(id)s, %(partner)s, 'deposit', %(id)s, now()) RETURNING number",
        {"id": uuid4(), "partner": NIL},
    ).fetchone()
    assert row is not None
    return int(row[0])


def _post(
    raw: psycopg.Connection, entry: int, *parts: tuple[UUID, str, int, int], of_settlement: bool = False
) -> None:
    """Inserts postings by account, currency, available and held, in one statement."""
    raw.execute(
        "INSERT INTO entry_posting (entry_number, account_number, currency_number, of_settlement, available, held)"
        " SELECT %s, account.number, currency.number, %s, available, held"
        " FROM unnest(%s::uuid[], %s::text[], %s::numeric[], %s::numeric[])"
        " AS given (account_id, name, available, held)"
        " JOIN account ON account.id = account_id JOIN currency USING (name)",
        [entry, of_settlement, *(list(column) for column in zip(*parts, strict=True))],
    )


def test_the_journal_is_append_only(raw: psycopg.Connection) -> None:
    changes = {
        "ledger_entry": "UPDATE ledger_entry SET kind = 'withdrawal'",
        "entry_posting": "UPDATE entry_posting SET held = held * 2",
        "custody_movement": "UPDATE custody_movement SET quantity = 1",
        "audit_record": "UPDATE audit_record SET actor_id = 'nobody'",
    }
    for table, update in changes.items():
        before = raw.execute(f"SELECT count(*), md5(string_agg({table}::text, '')) FROM {table}").fetchone()  # noqa: S608 - the tables are listed above
        for statement in (update, f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):  # noqa: S608
            with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="append-only"):
                raw.execute(statement)
        after = raw.execute(f"SELECT count(*), md5(string_agg({table}::text, '')) FROM {table}").fetchone()  # noqa: S608
        assert before == after


def test_postings_of_an_entry_sum_to_zero_in_each_currency(raw: psycopg.Connection, account: UUID) -> None:
    entry = _entry(raw)
    for wrong in ((NIL, "ofcbtc", 4, 0), (NIL, "ofceth", 5, 0), (NIL, "ofcbtc", 5, 1)):
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="sum to zero"):
            _post(raw, entry, (account, "ofcbtc", -5, 0), wrong)
    _post(raw, entry, (account, "ofcbtc", -5, 0), (NIL, "ofcbtc", 2, 3))


def test_a_posting_belongs_to_an_entry(raw: psycopg.Connection, account: UUID) -> None:
    for entry, of_settlement in ((_entry(raw) + 1000, False), (_entry(raw), True)):
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="names no journal entry"):
            _post(raw, entry, (account, "ofcbtc", -5, 5), of_settlement=of_settlement)


def test_a_posting_moves_something(raw: psycopg.Connection, account: UUID) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        _post(raw, _entry(raw), (account, "ofcbtc", 0, 0))
    assert refused.value.diag.constraint_name == "posting_not_zero"


def test_a_balance_stays_in_range(raw: psycopg.Connection, account: UUID) -> None:
    for available, held, constraint in [
        ("-1", "0", "balance_available_not_negative"),
        ("0", "-1", "balance_held_not_negative"),
        ("0.5", "0", "base_units_whole"),
        ("1e78", "0", "base_units_78_digits"),
    ]:
        with pytest.raises(psycopg.errors.CheckViolation) as refused:
            raw.execute(
                "UPDATE balance SET available = %s::numeric, held = %s::numeric WHERE account_id = %s",
                (available, held, account),
            )
        assert refused.value.diag.constraint_name == constraint
