"""Recording what was done, and reading it back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.types.json import Jsonb

from clearwindow.access.values import Member, Operator
from clearwindow.database.pool import Transaction
from clearwindow.database.queries import Queries

sql: Final = Queries("clearwindow.audit")
Actor = Member | Operator


@dataclass(frozen=True, slots=True)
class AuditRecord:
    sequence: int
    at: datetime
    request_id: str
    actor_kind: str
    actor_id: str
    enterprise_id: str | None
    action: str
    subject_id: str
    details: dict[str, object]
    total: int


def record(tx: Transaction, actor: Actor, action: str, subject_id: UUID | str, **details: object) -> None:
    """Writes one line of the trail. ``details`` must be JSON values and never a secret."""
    tx.run(
        sql["insert_record"],
        at=tx.now(),
        request_id=actor.request_id,
        actor_kind="user" if isinstance(actor, Member) else "operator",
        actor_id=actor.user_id if isinstance(actor, Member) else str(actor.operator_id),
        enterprise_id=actor.enterprise_id if isinstance(actor, Member) else None,
        action=action,
        subject_id=str(subject_id),
        details=Jsonb(details),
    )


def list_records(
    tx: Transaction,
    *,
    subject_id: str | None,
    actor_id: str | None,
    enterprise_id: str | None,
    action: str | None,
    limit: int,
    offset: int,
) -> list[AuditRecord]:
    """The trail, newest first."""
    return tx.all(
        AuditRecord,
        sql["list_records"],
        subject_id=subject_id,
        actor_id=actor_id,
        enterprise_id=enterprise_id,
        action=action,
        limit=limit,
        offset=offset,
    )
