"""The check reports each broken invariant, and nothing in an intact network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from clearwindow.core.clock import SystemClock
from clearwindow.core.ids import RandomIds
from clearwindow.ledger.check.service import INVARIANTS, ROWS_SHOWN, check_ledger, findings
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries
from clearwindow.runtime import Runtime
from tests.ledger.check import sample_rows as sample
from tests.ledger.check.onchain_breaks import ONCHAIN_BREAKS
from tests.support.operators import OperatorClient

IDS: Final = {name: value for name, value in vars(sample).items() if isinstance(value, UUID)}
BREAKS: Final[dict[str, tuple[str, set[str]]]] = {
    "a balance grows without a posting": (
        "UPDATE balance SET available = available + 1 WHERE account_id = %(GO)s",
        {"balance_equals_its_postings", "currency_sums_to_zero", "accounts_hold_what_came_in"},
    ),
    "a balance moves to another account without a posting": (
        (
            "UPDATE balance SET available = available"
            " + CASE account_id WHEN %(GO)s THEN -1 ELSE 1 END WHERE account_id <> %(NIL)s"
        ),
        {"balance_equals_its_postings"},
    ),
    "a balance is deleted": (
        "DELETE FROM balance WHERE account_id = %(NIL)s",
        {"balance_equals_its_postings", "currency_sums_to_zero"},
    ),
    "a deposit has another quantity": (
        "UPDATE custody_movement SET quantity = quantity + 1",
        {"accounts_hold_what_came_in", "custody_movement_is_its_entry"},
    ),
    "a deposit is deleted": (
        "DELETE FROM custody_movement",
        {"accounts_hold_what_came_in", "custody_movement_is_its_entry"},
    ),
    "a deposit becomes a withdrawal": (
        "UPDATE custody_movement SET kind = 'withdrawal'",
        {"accounts_hold_what_came_in", "custody_movement_is_its_entry"},
    ),
    "an account is overdrawn": (
        (
            "ALTER TABLE balance DROP CONSTRAINT balance_available_not_negative;"
            " UPDATE posting SET quantity = sign(quantity) * 1000 WHERE entry_id = %(EXECUTED_ENTRY)s;"
            " UPDATE balance SET available = available"
            " + CASE account_id WHEN %(GO)s THEN 995 ELSE -995 END WHERE account_id <> %(NIL)s"
        ),
        {"balance_not_negative", "executed_settlement_posts_its_transfers"},
    ),
    "a hold exceeds the held balance": (
        "UPDATE hold SET quantity = quantity + 1 WHERE cause_id = %(OPEN)s",
        {"held_equals_its_holds", "settlement_holds_what_its_transfers_take"},
    ),
    "a hold is deleted": (
        "DELETE FROM hold WHERE cause_id = %(RESERVED)s",
        {"held_equals_its_holds", "reserved_allocation_is_held"},
    ),
    "a proposed withdrawal is not held": (
        (
            "INSERT INTO operator (id, name, created_at) VALUES (%(NIL)s, 'ada', now());"
            " INSERT INTO proposal (id, act, subject_id, key, request, target, summary, proposed_by,"
            " approvals_needed, status, created_at, expires_at, due_at)"
            " VALUES (%(NIL)s, 'withdrawal.make', %(GO)s, 'payout',"
            " jsonb_build_object('currency', 'ofcbtc', 'quantity', '5'), '{}', 'withdraw', %(NIL)s, 1,"
            " 'pending', now(), now() + interval '1 day', now() + interval '1 day')"
        ),
        {"proposed_withdrawal_is_held"},
    ),
    "a hold is for a withdrawal that nobody has proposed": (
        "UPDATE hold SET cause_kind = 'withdrawal' WHERE cause_id = %(RESERVED)s",
        {"hold_has_an_open_cause", "reserved_allocation_is_held"},
    ),
    "an allocation ends and keeps its hold": (
        "UPDATE allocation SET status = 'cleared'",
        {"hold_has_an_open_cause"},
    ),
    "an allocation is smaller than its hold": (
        "UPDATE allocation SET quantity = quantity - 1",
        {"hold_has_an_open_cause", "reserved_allocation_is_held", "approval_is_as_its_allocation"},
    ),
    "an approval has another decision": (
        "UPDATE approval SET status = 'rejected'",
        {"approval_is_as_its_allocation"},
    ),
    "an approval is deleted": (
        "DELETE FROM approval",
        {"approval_is_as_its_allocation"},
    ),
    "an allocation names no approval": (
        "UPDATE allocation SET evaluation_id = NULL, pending_approval_id = NULL, policy_result = NULL",
        {"approval_is_as_its_allocation"},
    ),
    "a settlement ends and keeps its hold": (
        (
            "UPDATE settlement SET state = 'rejected', due_at = NULL, finalized_at = now(), reason = ''"
            " WHERE id = %(OPEN)s"
        ),
        {"hold_has_an_open_cause", "settlement_holds_what_its_transfers_take"},
    ),
    "a dispute is retracted and keeps its hold": (
        (
            "UPDATE dispute SET retracted = true, retracted_by = 'u', retracted_at = now()"
            " WHERE id = %(OPEN_DISPUTE)s"
        ),
        {"dispute_holds_what_its_transfers_take", "hold_has_an_open_cause"},
    ),
    "an allocation is retriable without an open call": (
        "UPDATE allocation SET retriable = true",
        {"retriable_allocation_is_asked"},
    ),
    "a hold names another kind of cause": (
        "UPDATE hold SET cause_kind = 'deallocation' WHERE cause_id = %(RESERVED)s",
        {"hold_has_an_open_cause", "reserved_allocation_is_held"},
    ),
    "a posting changes": (
        "UPDATE posting SET quantity = quantity + 1 WHERE entry_id = %(HELD_ENTRY)s AND bucket = 'held'",
        {"balance_equals_its_postings", "entry_sums_to_zero"},
    ),
    "an entry is deleted": (
        "DELETE FROM ledger_entry WHERE id = %(HELD_ENTRY)s",
        {"posting_has_its_entry"},
    ),
    "an externalId is used twice": (
        (
            "ALTER TABLE settlement DROP CONSTRAINT settlement_external_id_key;"
            " UPDATE settlement SET external_id = 'same'"
        ),
        {"external_id_names_one_settlement"},
    ),
    "a settlement executes twice": (
        (
            "INSERT INTO ledger_entry SELECT gen_random_uuid(), partner_id, kind, cause_id, reference, now()"
            " FROM ledger_entry WHERE id = %(EXECUTED_ENTRY)s"
        ),
        {"completed_settlement_executed_once"},
    ),
    "a settlement executes too early": (
        (
            "INSERT INTO ledger_entry SELECT gen_random_uuid(), partner_id, 'settlement_executed', cause_id, '',"
            " now() FROM ledger_entry WHERE id = %(HELD_ENTRY)s"
        ),
        {"completed_settlement_executed_once"},
    ),
    "a settlement completes without executing": (
        "UPDATE settlement_party SET disputed = false WHERE settlement_id = %(DISPUTED)s",
        {"completed_settlement_executed_once", "executed_settlement_posts_its_transfers"},
    ),
    "an executed settlement is deleted": (
        "DELETE FROM settlement WHERE id = %(EXECUTED)s",
        {"completed_settlement_executed_once"},
    ),
    "an executed transfer has another quantity": (
        "UPDATE settlement_transfer SET quantity = quantity - 1 WHERE settlement_id = %(EXECUTED)s",
        {"executed_settlement_posts_its_transfers"},
    ),
    "an executed transfer has another counterparty": (
        (
            "ALTER TABLE settlement_transfer DROP CONSTRAINT settlement_transfer_between_two;"
            " UPDATE settlement_transfer SET counterparty_connection_id = connection_id,"
            " counterparty_account_id = network_account_id WHERE settlement_id = %(EXECUTED)s"
        ),
        {"executed_settlement_posts_its_transfers"},
    ),
    "a disputed transfer would take less than its hold": (
        "UPDATE settlement_transfer SET quantity = quantity + 1 WHERE settlement_id = %(DISPUTED_OPENLY)s",
        {"dispute_holds_what_its_transfers_take"},
    ),
    "a dispute holds for another dispute's transfer": (
        "UPDATE hold SET cause_id = %(SETTLED_DISPUTE)s WHERE cause_id = %(OPEN_DISPUTE)s",
        {"dispute_holds_what_its_transfers_take", "hold_has_an_open_cause"},
    ),
    "the counterparty of a transfer is no party of the settlement": (
        (
            "UPDATE settlement_transfer SET counterparty_connection_id = %(GO)s, counterparty_account_id = %(GO)s"
            " WHERE settlement_id = %(OPEN)s"
        ),
        {"transfer_has_its_party"},
    ),
    "a party of a transfer is deleted": (
        "DELETE FROM settlement_party WHERE settlement_id = %(OPEN)s",
        {"transfer_has_its_party"},
    ),
    "a settlement's event is for more clients than have a connection in it": (
        (
            "INSERT INTO event (id, enterprise_id, type, subject_id, payload, created_at, clients)"
            " VALUES (gen_random_uuid(), 'partner', 'settlement.completed', %(EXECUTED)s, '{}', now(), 7)"
        ),
        {"settlement_event_is_for_its_clients"},
    ),
    "a settled dispute names no settlement": (
        "UPDATE dispute SET settled_in_settlement_id = NULL WHERE id = %(SETTLED_DISPUTE)s",
        {"closure_is_assigned_as_its_dispute", "dispute_holds_what_its_transfers_take"},
    ),
    "a dispute is settled without a closure": (
        "UPDATE dispute_closure SET status = 'rejected'",
        {"closure_is_assigned_as_its_dispute"},
    ),
}


@pytest.fixture
def connection(dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(dsn) as connection:
        sample.build(connection)
        connection.commit()
        yield connection


def _found(connection: psycopg.Connection) -> set[str]:
    return {
        finding.invariant for finding in findings(Transaction(connection, SystemClock(), RandomIds(), None, 10))
    }


def test_each_broken_invariant_is_reported(connection: psycopg.Connection) -> None:
    assert _found(connection) == set()
    for what, (change, expected) in BREAKS.items():
        for statement in change.split("; "):
            changed = connection.execute(statement, IDS)
            assert changed.rowcount != 0, what
        assert _found(connection) == expected, what
        connection.rollback()


def test_every_invariant_has_a_break_and_a_statement() -> None:
    breaks = [*BREAKS.values(), *ONCHAIN_BREAKS.values()]
    assert set().union(*(expected for _, expected in breaks)) == set(INVARIANTS)
    assert Queries("clearwindow.ledger.check").names() == {*INVARIANTS, "begin_snapshot"}


def test_operator_gets_the_first_rows_and_the_total(
    connection: psycopg.Connection, operator: OperatorClient
) -> None:
    checked = operator.get("/ledger/check").json()
    assert checked == {"ok": True, "checkedAt": "2026-01-05T12:00:00.000Z", "findings": []}

    count = ROWS_SHOWN + 50
    connection.execute(
        "INSERT INTO currency SELECT 'ofcz' || number, 'z', 0 FROM generate_series(1, %s) AS number", (count,)
    )
    statement = sql.SQL("INSERT INTO balance SELECT %s, name, 7, 0 FROM currency WHERE backing = 'z'")
    connection.execute(statement, (sample.GO,))
    connection.commit()
    found = {finding["invariant"]: finding for finding in operator.check()}
    assert set(found) == BREAKS["a balance grows without a posting"][1]
    finding = found["balance_equals_its_postings"]
    assert finding["message"] == "violated: every balance is the sum of its journal postings"
    assert finding["details"]["count"] == count
    assert len(finding["details"]["rows"]) == ROWS_SHOWN
    assert finding["details"]["rows"][0] == {
        "account_id": str(sample.GO),
        "currency": "ofcz1",
        "available": "7",
        "posted_available": None,
        "held": "0",
        "posted_held": None,
    }


def test_the_check_is_one_read_only_snapshot(runtime: Runtime) -> None:
    with runtime.transaction() as tx:
        assert check_ledger(tx) == []
        isolation = tx.connection.execute("SHOW transaction_isolation").fetchone()
        read_only = tx.connection.execute("SHOW transaction_read_only").fetchone()
    assert (isolation, read_only) == (("repeatable read",), ("on",))
