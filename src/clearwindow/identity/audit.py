"""The audit trail: who did what, in which request. Protocol §2."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from clearwindow.identity import store
from clearwindow.identity.models import Actor, AuditFilter, AuditRecord
from clearwindow.postgres.paging import Listing
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime


def record(tx: Transaction, actor: Actor, action: str, subject_id: UUID | str, **details: object) -> None:
    """Writes one record in the transaction of the action. ``details`` must be JSON values, and never a secret."""
    store.insert_audit_record(tx, actor, action, str(subject_id), details)


def list_records(runtime: Runtime, wanted: AuditFilter) -> Listing[AuditRecord]:
    """Returns one page of the trail, newest first."""
    with runtime.transaction() as tx:
        return store.list_audit_records(tx, wanted)


def known_requests(tx: Transaction, request_ids: Collection[str]) -> frozenset[str]:
    """Returns those of these requests that left a record."""
    return store.audited_requests(tx, request_ids)
