"""A small network as a release before evidence has it, with each kind of record that is signed today."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

NOW = datetime(2026, 1, 5, tzinfo=UTC)
NIL, PARTNER, CONNECTION, GO, NETWORK = (UUID(int=number) for number in (0, 1, 2, 3, 4))
RESERVED, OPEN, EXECUTED, DISPUTED, DISPUTED_OPENLY = (UUID(int=number) for number in range(10, 15))
SETTLED_DISPUTE, OPEN_DISPUTE, CLOSURE, APPROVAL = (UUID(int=number) for number in range(20, 24))
DEPOSIT_ENTRY, HELD_ENTRY, EXECUTED_ENTRY = (UUID(int=number) for number in range(30, 33))


class SampleRows:
    """Inserts rows with triggers and foreign keys switched off."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._numbers = iter(range(100, 10_000))
        connection.execute("SET session_replication_role = replica")

    def insert(self, table: str, **values: object) -> None:
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(sql.Placeholder() * len(values)),
        )
        self._connection.execute(statement, list(values.values()))

    def enter(
        self, kind: str, cause_id: UUID, *postings: tuple[UUID, str, int], entry_id: UUID | None = None
    ) -> None:
        """Inserts an entry with its postings and moves the balances."""
        entry_id = entry_id or UUID(int=next(self._numbers))
        self.insert("ledger_entry", id=entry_id, partner_id=NIL, kind=kind, cause_id=cause_id, created_at=NOW)
        for account_id, bucket, quantity in postings:
            self.insert(
                "posting",
                partner_id=NIL,
                entry_id=entry_id,
                account_id=account_id,
                currency="ofcbtc",
                bucket=bucket,
                quantity=quantity,
            )
            column = sql.Identifier(bucket)
            moved = sql.SQL("UPDATE balance SET {} = {} + %s WHERE account_id = %s").format(column, column)
            self._connection.execute(moved, (quantity, account_id))

    def hold(self, kind: str, cause_id: UUID, account_id: UUID, quantity: int) -> None:
        self.insert(
            "hold",
            partner_id=PARTNER,
            cause_id=cause_id,
            cause_kind=kind,
            account_id=account_id,
            currency="ofcbtc",
            quantity=quantity,
        )

    def settlement(self, settlement_id: UUID, state: str, *, disputed: bool, quantity: int) -> None:
        ended = state == "completed"
        self.insert(
            "settlement",
            id=settlement_id,
            partner_id=PARTNER,
            external_id=str(settlement_id),
            state=state,
            settlement_type="offchain",
            request_sha256=b"",
            staged_answer="",
            initiated_by="u",
            cutoff_at=NOW,
            created_at=NOW,
            updated_at=NOW,
            dispute_deadline_at=NOW,
            top_up_deadline_at=NOW,
            execute_when_funded=False,
            due_at=None if ended else NOW,
            finalized_at=NOW if ended else None,
        )
        self.insert(
            "settlement_party",
            settlement_id=settlement_id,
            partner_id=PARTNER,
            connection_id=CONNECTION,
            dispute_deadline_at=NOW,
            disputed=disputed,
        )
        self.transfer(settlement_id, quantity)

    def transfer(self, settlement_id: UUID, quantity: int, closure_id: UUID | None = None) -> None:
        self.insert(
            "settlement_transfer",
            id=UUID(int=next(self._numbers)),
            partner_id=PARTNER,
            settlement_id=settlement_id,
            dispute_closure_id=closure_id,
            connection_id=CONNECTION,
            network_account_id=NETWORK,
            currency="ofcbtc",
            quantity=quantity,
            created_at=NOW,
        )

    def dispute(self, dispute_id: UUID, settlement_id: UUID, settled_in: UUID | None) -> None:
        self.insert(
            "dispute",
            id=dispute_id,
            partner_id=PARTNER,
            settlement_id=settlement_id,
            connection_id=CONNECTION,
            user_id="u",
            expected_transfers=Jsonb([]),
            retracted=False,
            settled_in_settlement_id=settled_in,
            created_at=NOW,
            updated_at=NOW,
        )


def build(connection: psycopg.Connection) -> SampleRows:
    """Deposits 100, allocates 40 and settles 5 back, 2 of them after a dispute. 30, 10 and 3 are held."""
    rows = SampleRows(connection)
    for account_id, kind in ((GO, "go"), (NETWORK, "network")):
        partner_id = PARTNER if kind == "network" else NIL
        rows.insert("account", id=account_id, kind=kind, partner_id=partner_id, created_at=NOW)
    for account_id in (NIL, GO, NETWORK):
        rows.insert("balance", account_id=account_id, currency="ofcbtc", available=0, held=0)

    rows.enter("deposit", DEPOSIT_ENTRY, (GO, "available", 100), (NIL, "available", -100), entry_id=DEPOSIT_ENTRY)
    rows.insert(
        "custody_movement",
        account_id=GO,
        reference="r",
        entry_id=DEPOSIT_ENTRY,
        kind="deposit",
        currency="ofcbtc",
        quantity=100,
        created_at=NOW,
    )
    rows.enter("allocation_cleared", UUID(int=5), (GO, "available", -40), (NETWORK, "available", 40))
    _reserve(rows)
    rows.settlement(OPEN, "dispute_window", disputed=False, quantity=-10)
    held = ((NETWORK, "available", -10), (NETWORK, "held", 10))
    rows.enter("settlement_held", OPEN, *held, entry_id=HELD_ENTRY)
    rows.hold("settlement", OPEN, NETWORK, 10)

    rows.settlement(DISPUTED, "completed", disputed=True, quantity=-9)
    rows.settlement(EXECUTED, "completed", disputed=False, quantity=-3)
    rows.dispute(SETTLED_DISPUTE, DISPUTED, EXECUTED)
    rows.insert(
        "dispute_closure",
        id=CLOSURE,
        partner_id=PARTNER,
        dispute_id=SETTLED_DISPUTE,
        status="approved",
        closed_by="client",
        user_id="u",
        notes="",
        adjusted_transfers=Jsonb([]),
        request_sha256=b"",
        reviewed_by="o",
        reviewed_at=NOW,
        created_at=NOW,
        updated_at=NOW,
    )
    rows.transfer(EXECUTED, -2, CLOSURE)
    executed = ((NETWORK, "available", -5), (GO, "available", 5))
    rows.enter("settlement_executed", EXECUTED, *executed, entry_id=EXECUTED_ENTRY)

    rows.settlement(DISPUTED_OPENLY, "completed", disputed=True, quantity=-3)
    rows.dispute(OPEN_DISPUTE, DISPUTED_OPENLY, None)
    rows.enter("settlement_held", DISPUTED_OPENLY, (NETWORK, "available", -3), (NETWORK, "held", 3))
    rows.hold("dispute", OPEN_DISPUTE, NETWORK, 3)
    return rows


def _reserve(rows: SampleRows) -> None:
    rows.insert(
        "allocation",
        id=RESERVED,
        partner_id=PARTNER,
        client_id=UUID(int=9),
        connection_id=CONNECTION,
        type="allocation",
        status="reserved",
        currency="ofcbtc",
        quantity=30,
        client_external_id="x",
        request_sha256=b"",
        initiated_by="u",
        retriable=False,
        created_at=NOW,
        updated_at=NOW,
        evaluation_id=APPROVAL,
        pending_approval_id=APPROVAL,
        policy_result="approved",
    )
    rows.insert(
        "approval",
        id=APPROVAL,
        enterprise_id="e",
        partner_id=PARTNER,
        kind="allocation",
        allocation_id=RESERVED,
        currency="ofcbtc",
        quantity=30,
        threshold=10,
        status="approved",
        initiated_by="u",
        decided_by="v",
        decided_at=NOW,
        created_at=NOW,
        updated_at=NOW,
    )
    rows.enter("allocation_reserved", RESERVED, (GO, "available", -30), (GO, "held", 30))
    rows.hold("allocation", RESERVED, GO, 30)
