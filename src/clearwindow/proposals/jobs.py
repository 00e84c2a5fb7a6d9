"""The end of proposals whose time has run out, as due work."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from clearwindow.identity.acts import ProposalStatus
from clearwindow.postgres.pool import Transaction
from clearwindow.proposals import service, store
from clearwindow.runtime import Runtime

log = structlog.get_logger(__name__)

_RETRY: Final = timedelta(minutes=1)


class ProposalWork:
    """Ends proposals that nobody has decided in time, and destroys values that nobody has collected in time."""

    name: Final = "proposals"

    def due(self, runtime: Runtime, limit: int) -> list[UUID]:
        with runtime.transaction() as tx:
            return store.list_due(tx, limit)

    def perform(self, runtime: Runtime, job: UUID) -> bool:
        with runtime.transaction() as tx:
            proposal = store.lock_due(tx, job)
            if proposal is None:
                return False
            end = service.expire if proposal.status is ProposalStatus.PENDING else service.destroy_value
            end(tx, service.act_of(runtime, proposal), proposal)
            return True

    def postpone(self, runtime: Runtime, job: UUID, error: str) -> None:
        log.warning("proposal_not_expired", proposal_id=str(job), error=error)
        with runtime.transaction() as tx:
            store.postpone(tx, job, tx.now() + _RETRY)

    def next_due_at(self, tx: Transaction) -> datetime | None:
        return store.next_due_at(tx)

    def count_due(self, tx: Transaction) -> int:
        return store.count_due(tx)
