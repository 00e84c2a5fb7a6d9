"""Rows of settlements for tests of single statements, without foreign keys, so that little else need exist."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID, uuid4

from psycopg import sql
from psycopg.types.json import Jsonb

from clearwindow.core.clock import ManualClock
from clearwindow.postgres.pool import Database, Transaction
from tests.conftest import START
from tests.support.databases import TestCluster


@contextmanager
def opened(cluster: TestCluster) -> Iterator[Database]:
    """Gives a database without rows, with the time of the tests."""
    with cluster.fresh_database() as dsn:
        database = Database(dsn, ManualClock(START))
        database.open()
        yield database
        database.close()


@contextmanager
def rolled_back(database: Database) -> Iterator[Transaction]:
    """Gives a transaction without foreign keys and triggers, and undoes it."""
    with database.transaction() as tx:
        tx.connection.execute("SET LOCAL session_replication_role = replica")
        yield tx
        tx.connection.rollback()


def insert(tx: Transaction, table: str, **values: object) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, values))
    places = sql.SQL(", ").join(map(sql.Placeholder, values))
    tx.connection.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(sql.Identifier(table), names, places), values
    )


def partner(tx: Transaction, partner_id: UUID, enterprise_id: str) -> None:
    insert(
        tx,
        "partner",
        id=partner_id,
        enterprise_id=enterprise_id,
        go_account_id=uuid4(),
        client_id=uuid4(),
        name=str(partner_id),
        broker=False,
        institution_identifier=str(partner_id),
        connection_key_schema="token",
        active=True,
        stable_partner=True,
        allocation_policies_enabled=True,
        request_sha256=b"",
        created_at=START,
        updated_at=START,
    )


def pause(tx: Transaction, kind: str, **changes: object) -> None:
    values = {"id": uuid4(), "reason": "a drill", "paused_by": uuid4(), "paused_at": START} | changes
    insert(tx, "pause", kind=kind, **values)


def connection(tx: Transaction, connection_id: UUID, client_id: UUID) -> None:
    insert(
        tx,
        "connection",
        id=connection_id,
        partner_id=uuid4(),
        client_id=client_id,
        network_account_id=connection_id,
        name=str(connection_id),
        active=True,
        encrypted_key=b"",
        nonce=str(connection_id),
        proof="",
        initiated_by="user",
        created_at=START,
        updated_at=START,
    )


def settlement(tx: Transaction, partner_id: UUID, state: str = "dispute_window", **changes: object) -> UUID:
    """Inserts a settlement with what its state requires."""
    values: dict[str, object] = {
        "id": uuid4(),
        "external_id": str(uuid4()),
        "settlement_type": "offchain",
        "request_sha256": b"",
        "staged_answer": "answer",
        "initiated_by": "user",
        "cutoff_at": START,
        "created_at": START,
        "updated_at": START,
        "dispute_deadline_at": START + timedelta(hours=1),
        "top_up_deadline_at": START + timedelta(hours=2),
        "execute_when_funded": False,
        "due_at": START + timedelta(hours=1) if state in {"dispute_window", "top_up_window", "onchain"} else None,
        "finalized_at": START if state in {"completed", "rejected"} else None,
        "reason": "a reason" if state in {"failed", "rejected"} else None,
        "warnings": [],
    } | changes
    insert(tx, "settlement", partner_id=partner_id, state=state, **values)
    return UUID(str(values["id"]))


def party(tx: Transaction, settlement_id: UUID, connection_id: UUID, *, disputed: bool = False) -> None:
    insert(
        tx,
        "settlement_party",
        settlement_id=settlement_id,
        partner_id=uuid4(),
        connection_id=connection_id,
        dispute_deadline_at=START,
        disputed=disputed,
    )


def transfer(
    tx: Transaction, settlement_id: UUID | None, connection_id: UUID, quantity: int, **changes: object
) -> UUID:
    """Inserts a transfer. Each account has the id of its connection."""
    counterparty = changes.get("counterparty_connection_id")
    values: dict[str, object] = {
        "id": uuid4(),
        "partner_id": uuid4(),
        "network_account_id": connection_id,
        "counterparty_account_id": counterparty,
        "currency": "ofcbtc",
        "created_at": START,
    } | changes
    insert(
        tx,
        "settlement_transfer",
        settlement_id=settlement_id,
        connection_id=connection_id,
        quantity=quantity,
        **values,
    )
    return UUID(str(values["id"]))


def dispute(tx: Transaction, settlement_id: UUID, connection_id: UUID, **changes: object) -> UUID:
    values: dict[str, object] = {
        "id": uuid4(),
        "partner_id": uuid4(),
        "user_id": "user",
        "expected_transfers": Jsonb({}),
        "retracted": False,
        "created_at": START,
        "updated_at": START,
    } | changes
    insert(tx, "dispute", settlement_id=settlement_id, connection_id=connection_id, **values)
    return UUID(str(values["id"]))


def closure(tx: Transaction, dispute_id: UUID, status: str = "approved", **changes: object) -> UUID:
    values: dict[str, object] = {
        "id": uuid4(),
        "partner_id": uuid4(),
        "closed_by": "client",
        "user_id": "user",
        "notes": "",
        "adjusted_transfers": Jsonb({}),
        "request_sha256": b"",
        "reviewed_by": None if status == "pending_review" else "reviewer",
        "created_at": START,
        "updated_at": START,
    } | changes
    insert(tx, "dispute_closure", dispute_id=dispute_id, status=status, **values)
    return UUID(str(values["id"]))


def signed_request(tx: Transaction, subject_id: UUID, request_sha256: bytes, payload: str) -> None:
    insert(
        tx,
        "signed_request",
        id=uuid4(),
        enterprise_id="enterprise",
        account_id=uuid4(),
        operation="allocation",
        subject_id=subject_id,
        path_ids=Jsonb({}),
        payload=payload,
        payload_bytes=len(payload),
        payload_sha256=bytes(32),
        signature=f"signature of {payload}",
        signature_sha256=bytes(32),
        public_key=bytes(33),
        key_set_sha256=bytes(32),
        request_sha256=request_sha256,
        received_at=START,
    )


def on_chain(tx: Transaction, settlement_id: UUID, status: str = "pending_onchain", **changes: object) -> UUID:
    """Inserts the payment of a transfer with what its status requires. Returns the id of the transfer."""
    failed = status == "onchain_failed"
    values: dict[str, object] = {
        "transfer_id": uuid4(),
        "partner_id": uuid4(),
        "network_account_id": uuid4(),
        "side": "loss",
        "currency": "ofcbtc",
        "quantity": 1,
        "payment_id": None if status == "pending_onchain" else uuid4(),
        "tx_id": "a transaction" if status == "completed" else None,
        "failures": 1 if failed else 0,
        "failure": "no route" if failed else None,
        "retry_at": START if failed else None,
        "updated_at": START,
    } | changes
    insert(tx, "onchain_transfer", settlement_id=settlement_id, status=status, **values)
    return UUID(str(values["transfer_id"]))


def deposit(tx: Transaction, settlement_id: UUID, status: str = "pending", **changes: object) -> UUID:
    credited = status in {"confirmed", "spent", "released"}
    values: dict[str, object] = {
        "id": uuid4(),
        "partner_id": uuid4(),
        "external_settlement_id": "1",
        "currency": "ofcbtc",
        "partner_currency": "BTC",
        "on_chain_tx_id": str(uuid4()),
        "quantity": 1 if credited else None,
        "entry_id": uuid4() if credited else None,
        "failure": "too little" if status == "failed" else None,
        "due_at": START if status == "pending" else None,
        "created_at": START,
        "updated_at": START,
    } | changes
    insert(tx, "onchain_deposit", settlement_id=settlement_id, status=status, **values)
    return UUID(str(values["id"]))


Table = dict[UUID, dict[str, object]]


def table(tx: Transaction, name: str, key: str = "id") -> Table:
    """Returns all rows of a table."""
    statement = sql.SQL("SELECT to_jsonb(kept) FROM {} AS kept").format(sql.Identifier(name))
    found = [row for (row,) in tx.connection.execute(statement).fetchall()]
    return {UUID(row[key]): row for row in found}


def changes(before: Table, after: Table) -> dict[UUID, set[str]]:
    """Returns which columns of which rows differ, beside the time of the change."""
    assert before.keys() == after.keys()
    found = {
        key: {name for name, value in row.items() if before[key][name] != value} - {"updated_at"}
        for key, row in after.items()
    }
    return {key: names for key, names in found.items() if names or before[key] != after[key]}


def locked(tx: Transaction, table: str, *key: str) -> set[tuple[object, ...]]:
    """Returns the keys of the rows that this transaction has locked: their ``xmax`` says by whom."""
    columns = sql.SQL(", ").join(map(sql.Identifier, key or ("id",)))
    statement = sql.SQL("SELECT {} FROM {} WHERE xmax <> 0").format(columns, sql.Identifier(table))
    return set(tx.connection.execute(statement).fetchall())
