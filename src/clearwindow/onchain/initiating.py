"""Initiating an on-chain settlement, in one transaction. Protocol §7."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Final

from clearwindow.access.values import Member
from clearwindow.accounts import batches
from clearwindow.accounts.values import Entry, EntryKind
from clearwindow.audit import service as audit
from clearwindow.clock import wire_time
from clearwindow.database.pool import Transaction
from clearwindow.errors import InvalidRequestError, PermissionDeniedError
from clearwindow.network.values import Partner
from clearwindow.notices.values import EventType
from clearwindow.onchain import rules, store, wire
from clearwindow.runtime import Runtime
from clearwindow.settlements import amounts, notifying, receiving, shortfalls
from clearwindow.settlements import service as settlements
from clearwindow.settlements import wire as settlements_wire
from clearwindow.settlements.values import Settlement, SettlementState, SettlementType
from clearwindow.signing.values import SignedRequest
from clearwindow.transfers import service as transfers


@dataclass(frozen=True, slots=True)
class InitiatedAnswer:
    """The answer's JSON text: 202 while the settlement is pending, 200 for the repeat after it has ended."""

    body: str
    status: int
    replayed: bool


def initiate(
    runtime: Runtime, member: Member, body: wire.OnchainSettlementRequest, signed: SignedRequest
) -> InitiatedAnswer:
    """Creates the settlement with a transfer per amount, holds all losses, notifies, queues the first step.

    Raises:
        PermissionDeniedError: no active partner with on-chain settlement enabled.
        InvalidRequestError: an entry that cannot be a transfer, a payload that says something else, or losses
            that exceed what connections have; then nothing is written.
        NotAuthenticatedError: the signature is not the partner's.
        ConflictError: the externalId or the nonce belongs to another request.
    """
    count = amounts.require_within_limits(body.settlement_amounts, runtime.limits)
    with runtime.transaction() as tx:
        received = receiving.receive(tx, member, _WAY, body, signed, count)
        if received.existing is not None:
            return _repeat(tx, member, received.existing)
        partner = received.partner
        draft = receiving.draft(runtime, tx, member, _WAY, body, signed, partner)
        settlement = _on_its_way(tx, draft, partner, str(runtime.ids.new()))
        receiving.insert(tx, settlement, received.staged)
        _begin_course(tx, partner, settlement)
        _hold(runtime, tx, partner, settlement)
        notifying.notify_all(tx, EventType.SETTLEMENT_INITIATED, partner, settlement)
        audit.record(tx, member, "settlement.initiate", settlement.id, externalId=body.external_id, amounts=count)
        answer = answer_text(settlement)
        settlements.set_staged_answer(tx, settlement.id, answer)
        return InitiatedAnswer(answer, 202, replayed=False)


def allowed_onchain(partner: Partner) -> Partner:
    if not partner.active:
        raise PermissionDeniedError("partner_inactive", "the partner is inactive: ask the operator")
    if not partner.onchain_enabled:
        raise PermissionDeniedError(
            "onchain_not_enabled", "the partner is not configured for on-chain settlement: ask the operator"
        )
    return partner


def answer_text(settlement: Settlement) -> str:
    output = settlements_wire.settlement_output(settlement, disputed=False)
    answer = wire.OnchainSettlementAnswer(settlement=output)
    return answer.model_dump_json(by_alias=True, exclude_unset=True)


def revive(tx: Transaction, settlement: Settlement) -> Settlement:
    """Puts a failed settlement back to pending, and has what failed on the chain sent again at once."""
    store.retry_failed(tx, settlement.id)
    return settlements.change_state(tx, settlement, SettlementState.ONCHAIN, due_at=tx.now())


_WAY: Final = receiving.Way(allowed_onchain, SettlementState.ONCHAIN, SettlementType.ONCHAIN, in_base_units=True)


def _repeat(tx: Transaction, member: Member, existing: Settlement) -> InitiatedAnswer:
    settlement = settlements.lock(tx, existing.id)
    if settlement.state is SettlementState.ONCHAIN:
        return InitiatedAnswer(settlement.staged_answer, 202, replayed=True)
    if settlement.state is not SettlementState.FAILED:
        return InitiatedAnswer(answer_text(settlement), 200, replayed=True)
    revived = revive(tx, settlement)
    audit.record(tx, member, "settlement.retry", settlement.id)
    answer = json.loads(settlement.staged_answer)
    answer["settlement"]["updatedAt"] = wire_time(revived.updated_at)
    return InitiatedAnswer(json.dumps(answer, ensure_ascii=False, separators=(",", ":")), 202, replayed=True)


def _on_its_way(tx: Transaction, draft: Settlement, partner: Partner, route_transaction_id: str) -> Settlement:
    routed = partner.settlement_transaction_route_id is not None
    return replace(
        draft,
        id=store.reserve(tx, partner.id, draft.external_id, draft.id),
        due_at=draft.created_at,
        rt_id=route_transaction_id if routed else None,
    )


def _begin_course(tx: Transaction, partner: Partner, settlement: Settlement) -> None:
    losses = rules.sla(settlement.created_at, partner.loss_sla_minutes)
    gains = rules.sla(settlement.created_at, partner.gain_sla_minutes)
    store.insert_course(tx, settlement.id, partner.id, losses=losses, gains=gains)


def _hold(runtime: Runtime, tx: Transaction, partner: Partner, settlement: Settlement) -> None:
    transfers.compute_losses(tx, settlement.id)
    entry = Entry(runtime.ids.new(), EntryKind.SETTLEMENT_HELD, settlement.id, partner.id)
    short = batches.hold_liabilities(tx, entry, [])
    if short:
        raise shortfalls.not_covered(tx, partner, short, InvalidRequestError)
