"""Staging a settlement: the six effects of the endpoint, in one transaction. Protocol §5."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from clearwindow.access.values import Member
from clearwindow.accounts import batches
from clearwindow.accounts.values import Entry, EntryKind
from clearwindow.audit import service as audit
from clearwindow.clock import wire_time
from clearwindow.database.pool import Transaction
from clearwindow.disputes import service as disputes
from clearwindow.disputes.values import AssignedClosure, DisputeFilter
from clearwindow.errors import PermissionDeniedError
from clearwindow.http.wire import present
from clearwindow.network import service as network
from clearwindow.network.values import Partner
from clearwindow.notices.values import EventType
from clearwindow.runtime import Runtime
from clearwindow.settlements import amounts, notifying, receiving, rules, shortfalls, store, wire
from clearwindow.settlements.values import Settlement, SettlementState
from clearwindow.signing.values import SignedRequest
from clearwindow.transfers import service as transfers


@dataclass(frozen=True, slots=True)
class StagedAnswer:
    """The answer's JSON text, and whether it is the repeat of an earlier one."""

    body: str
    replayed: bool


def stage_settlement(
    runtime: Runtime, member: Member, body: wire.StageSettlementRequest, signed: SignedRequest
) -> StagedAnswer:
    """Creates the settlement with its transfers, assigns closed disputes, holds the liabilities, notifies, queues.

    Raises:
        PermissionDeniedError: no active partner with a dispute window.
        InvalidRequestError: an entry that cannot be a transfer, or a payload that says something else.
        NotAuthenticatedError: the signature is not the partner's.
        ConflictError: the externalId or the nonce belongs to another request.
        UnprocessableError: liabilities exceed what connections have; then nothing is written.
    """
    count = amounts.require_within_limits(body.settlement_amounts, runtime.limits)
    with runtime.transaction() as tx:
        received = receiving.receive(tx, member, _WAY, body, signed, count)
        if received.existing is not None:
            return _repeat(tx, member, received.existing)
        partner = received.partner
        settlement = _with_windows(receiving.draft(runtime, tx, member, _WAY, body, signed, partner), partner, body)
        receiving.insert(tx, settlement, received.staged)
        taken = _take_closures(tx, settlement)
        _hold(runtime, tx, partner, settlement, taken)
        notifying.notify_all(tx, EventType.SETTLEMENT_INITIATED, partner, settlement)
        audit.record(tx, member, "settlement.stage", settlement.id, externalId=body.external_id, amounts=count)
        answer = _answer(tx, settlement, taken)
        store.set_staged_answer(tx, settlement.id, answer)
        return StagedAnswer(answer, replayed=False)


def require_partner(runtime: Runtime, member: Member) -> None:
    """Whether a request that is about to be signed comes from a partner."""
    with runtime.transaction() as tx:
        network.require_partner(tx, member.enterprise_id)


def _allowed_to_stage(partner: Partner) -> Partner:
    if not partner.active:
        raise PermissionDeniedError("partner_inactive", "the partner is inactive: ask the operator")
    if partner.client_dispute_window_minutes is None:
        raise PermissionDeniedError(
            "disputes_not_enabled", "the partner has no dispute window configured: use version 1 of this endpoint"
        )
    return partner


_WAY: Final = receiving.Way(_allowed_to_stage, SettlementState.DISPUTE_WINDOW)


def _repeat(tx: Transaction, member: Member, existing: Settlement) -> StagedAnswer:
    settlement = store.lock(tx, existing.id)
    if settlement is None or settlement.state is not SettlementState.FAILED:
        return StagedAnswer(existing.staged_answer, replayed=True)
    revived = revive(tx, settlement)
    audit.record(tx, member, "settlement.retry", settlement.id)
    answer = json.loads(existing.staged_answer)
    answer["settlement"]["updatedAt"] = wire_time(revived.updated_at)
    return StagedAnswer(json.dumps(answer, ensure_ascii=False, separators=(",", ":")), replayed=True)


def revive(tx: Transaction, settlement: Settlement) -> Settlement:
    """Puts a failed settlement back to pending and has it tried again at once."""
    rules.require_transition(settlement, SettlementState.TOP_UP_WINDOW)
    return store.change_state(tx, settlement, SettlementState.TOP_UP_WINDOW, due_at=tx.now())


def _with_windows(draft: Settlement, partner: Partner, body: wire.StageSettlementRequest) -> Settlement:
    if partner.client_dispute_window_minutes is None:
        raise AssertionError("a partner without a dispute window stages no settlement")
    ends = rules.deadlines(draft.created_at, partner.client_dispute_window_minutes, partner.top_up_window_minutes)
    return replace(
        draft,
        cutoff_at=body.cutoff_at,
        dispute_deadline_at=ends.dispute_deadline_at,
        top_up_deadline_at=ends.top_up_deadline_at,
        execute_when_funded=partner.execute_when_funded,
        due_at=ends.dispute_deadline_at,
    )


def _take_closures(tx: Transaction, settlement: Settlement) -> list[AssignedClosure]:
    taken = disputes.take_approved_closures(tx, settlement.partner_id, settlement.id)
    if taken:
        closure_ids = [closure.closure_id for closure in taken]
        transfers.insert_parties_of_closures(
            tx,
            settlement_id=settlement.id,
            partner_id=settlement.partner_id,
            dispute_deadline_at=settlement.dispute_deadline_at,
            connection_ids=sorted({closure.connection_id for closure in taken}),
            closure_ids=closure_ids,
        )
        transfers.assign_closure_transfers(tx, settlement.id, closure_ids)
    return taken


def _hold(
    runtime: Runtime, tx: Transaction, partner: Partner, settlement: Settlement, taken: Sequence[AssignedClosure]
) -> None:
    transfers.compute_liabilities(tx, settlement.id)
    entry = Entry(runtime.ids.new(), EntryKind.SETTLEMENT_HELD, settlement.id, partner.id)
    short = batches.hold_liabilities(tx, entry, [closure.dispute_id for closure in taken])
    if short:
        raise shortfalls.not_covered(tx, partner, short)


def _answer(tx: Transaction, settlement: Settlement, taken: Sequence[AssignedClosure]) -> str:
    settling = []
    if taken:
        taken_ids = [closure.dispute_id for closure in taken]
        settling = disputes.describe(tx, DisputeFilter(dispute_ids=taken_ids, limit=len(taken))).items
    fields = wire.settlement_fields(settlement, disputed=False) | present(settling_disputes=settling)
    output = wire.StagedSettlementOutput.model_validate(fields)
    return wire.StagedSettlementAnswer(settlement=output).model_dump_json(by_alias=True, exclude_unset=True)
