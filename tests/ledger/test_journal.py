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


def _entry(raw: psycopg.Connection) -> UUID:
    entry_id = uuid4()
    raw.execute("INSERT INTO ledger_entry VALUES (%s, %s, 'deposit', %s, NULL, now())", (entry_id, NIL, entry_id))
    return entry_id


def test_the_journal_is_append_only(raw: psycopg.Connection) -> None:
    changes = {
        "ledger_entry": "UPDATE ledger_entry SET kind = 'withdrawal'",
        "posting": "UPDATE posting SET quantity = quantity * 2",
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
    entry_id = _entry(raw)
    insert = "INSERT INTO posting VALUES (%s, %s, %s, %s, 'available', %s), (%s, %s, %s, %s, 'available', %s)"
    for currency, quantity in (("ofcbtc", 4), ("ofceth", 5)):
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="sum to zero"):
            raw.execute(insert, (NIL, entry_id, account, "ofcbtc", -5, NIL, entry_id, NIL, currency, quantity))
    raw.execute(insert, (NIL, entry_id, account, "ofcbtc", -5, NIL, entry_id, NIL, "ofcbtc", 5))


def test_a_posting_belongs_to_an_entry(raw: psycopg.Connection, account: UUID) -> None:
    insert = "INSERT INTO posting VALUES (%s, %s, %s, 'ofcbtc', 'available', -5), (%s, %s, %s, 'ofcbtc', 'held', 5)"
    stray = uuid4()
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="names no journal entry"):
        raw.execute(insert, (NIL, stray, account, NIL, stray, account))


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
