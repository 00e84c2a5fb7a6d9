"""All SQL of proposals and their approvals."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.types.json import Jsonb

from clearwindow.identity.acts import Proposal
from clearwindow.identity.models import Operator
from clearwindow.postgres.paging import NEWEST_FIRST, Listing, keyset_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries
from clearwindow.proposals.models import Ending, ProposalApproval, ProposalFilter

sql: Final = Queries("clearwindow.proposals")


def insert_proposal(tx: Transaction, made: Proposal) -> bool:
    """Returns False if a proposal of this act, subject and key waits already."""
    values = {name: getattr(made, name) for name in ("id", "act", "subject_id", "key", "enterprise_id", "summary")}
    values |= {name: getattr(made, name) for name in ("proposed_by", "token_made_by", "approvals_needed")}
    values |= {"created_at": made.created_at, "expires_at": made.expires_at}
    return tx.run(sql["insert_proposal"], request=Jsonb(made.request), target=Jsonb(made.target), **values) == 1


def find_proposal(tx: Transaction, proposal_id: UUID) -> Proposal | None:
    return tx.first(Proposal, sql["find_proposal"], id=proposal_id)


def lock_proposal(tx: Transaction, proposal_id: UUID) -> Proposal:
    """Returns a proposal that exists, locked until the transaction ends."""
    return tx.one(Proposal, sql["lock_proposal"], id=proposal_id)


def lock_pending(tx: Transaction, act: str, subject_id: str, key: str) -> Proposal | None:
    return tx.first(Proposal, sql["lock_pending"], act=act, subject_id=subject_id, key=key)


def lock_due(tx: Transaction, proposal_id: UUID) -> Proposal | None:
    """Returns the proposal if its time has run out and nobody else has locked it."""
    return tx.first(Proposal, sql["lock_due"], id=proposal_id, now=tx.now())


def list_due(tx: Transaction, limit: int) -> list[UUID]:
    return tx.scalars(UUID, sql["list_due"], now=tx.now(), limit=limit)


def next_due_at(tx: Transaction) -> datetime | None:
    return tx.scalars(datetime, sql["next_due_at"])[0]


def count_due(tx: Transaction) -> int:
    return tx.scalars(int, sql["count_due"], now=tx.now())[0]


def postpone(tx: Transaction, proposal_id: UUID, due_at: datetime) -> None:
    tx.run(sql["postpone"], id=proposal_id, due_at=due_at)


def end_proposal(tx: Transaction, proposal_id: UUID, ending: Ending) -> Proposal:
    """Ends a pending proposal, which the caller has locked."""
    values = {
        "status": ending.status,
        "ended_by": ending.ended_by,
        "reason": ending.reason,
        "result": None if ending.result is None else Jsonb(ending.result),
        "sealed_value": ending.sealed_value,
        "due_at": ending.due_at,
    }
    return tx.one(Proposal, sql["end_proposal"], id=proposal_id, now=tx.now(), **values)


def collect(tx: Transaction, proposal_id: UUID) -> None:
    """Forgets the value that its proposer has collected."""
    tx.run(sql["collect"], id=proposal_id, now=tx.now())


def destroy_value(tx: Transaction, proposal_id: UUID) -> None:
    """Forgets the value that nobody has collected."""
    tx.run(sql["destroy_value"], id=proposal_id)


def insert_approval(tx: Transaction, proposal: Proposal, operator: Operator) -> None:
    tx.run(
        sql["insert_approval"],
        proposal_id=proposal.id,
        operator_id=operator.operator_id,
        proposed_by=proposal.proposed_by,
        token_made_by=operator.token_made_by,
        now=tx.now(),
    )


def approvals_of(tx: Transaction, proposal_ids: Collection[UUID]) -> dict[UUID, list[ProposalApproval]]:
    """Returns the approvals of each proposal, oldest first."""
    found: dict[UUID, list[ProposalApproval]] = {proposal_id: [] for proposal_id in proposal_ids}
    for approval in tx.all(ProposalApproval, sql["list_approvals"], proposal_ids=list(proposal_ids)):
        found[approval.proposal_id].append(approval)
    return found


def list_proposals(tx: Transaction, wanted: ProposalFilter) -> Listing[Proposal]:
    values = {name: value for name, value in asdict(wanted).items() if name != "part"}
    return keyset_page(tx, Proposal, sql["list_proposals"], values, NEWEST_FIRST, wanted.part)
