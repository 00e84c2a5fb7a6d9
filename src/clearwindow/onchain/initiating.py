"""Initiating an on-chain settlement, in one transaction. Protocol §7."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from clearwindow.access.values import Member
from clearwindow.accounts import batches
from clearwindow.accounts.values import Entry, EntryKind
from clearwindow.audit import service as audit
from clearwindow.clock import wire_time
from clearwindow.database.pool import Transaction
from clearwindow.errors import ConflictError, InvalidRequestError, PermissionDeniedError
from clearwindow.money import AmountUnit
from clearwindow.network import service as network
from clearwindow.network.values import Partner
from clearwindow.notices.values import EventType
from clearwindow.onchain import rules, store, wire
from clearwindow.runtime import Runtime
from clearwindow.settlements import amounts, notifying, staging
from clearwindow.settlements import service as settlements
from clearwindow.settlements import wire as settlements_wire
from clearwindow.settlements.values import Settlement, SettlementState, SettlementType
from clearwindow.signing import service as signing
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
        partner = allowed_onchain(network.require_partner(tx, member.enterprise_id))
        # On chain, amounts are base units whatever unit the partner has for everything else.
        in_base_units = replace(partner, amount_unit=AmountUnit.BASE)
        staged = amounts.stage(tx, in_base_units, body.settlement_amounts, count)
        signing.verify(tx, partner.go_account_id, signed)
        partner = allowed_onchain(network.lock_partner(tx, partner.id))
        existing = settlements.find_by_external_id(tx, partner.id, body.external_id)
        if existing is not None:
            return _repeat(tx, member, existing, signed)
        signing.use_nonce(tx, member.enterprise_id, signed, ConflictError)
        settlement = _create(runtime, tx, partner, member, body, signed)
        transfers.insert_staged(
            tx,
            settlement_id=settlement.id,
            partner_id=partner.id,
            dispute_deadline_at=settlement.dispute_deadline_at,
            currencies=staged.currencies,
            decimals=staged.decimals,
        )
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


def _repeat(tx: Transaction, member: Member, existing: Settlement, signed: SignedRequest) -> InitiatedAnswer:
    if existing.request_sha256 != signed.sha256 or existing.settlement_type is not SettlementType.ONCHAIN:
        raise ConflictError(
            "external_id_taken",
            "a settlement with this externalId exists with other properties: choose a new externalId,"
            " or send the first request again byte for byte",
            {"settlementId": str(existing.id)},
        )
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


def _create(
    runtime: Runtime,
    tx: Transaction,
    partner: Partner,
    member: Member,
    body: wire.OnchainSettlementRequest,
    signed: SignedRequest,
) -> Settlement:
    now = tx.now()
    routed = partner.settlement_transaction_route_id is not None
    settlement = Settlement(
        id=store.reserve(tx, partner.id, body.external_id, runtime.ids.new()),
        partner_id=partner.id,
        external_id=body.external_id,
        state=SettlementState.ONCHAIN,
        settlement_type=SettlementType.ONCHAIN,
        request_sha256=signed.sha256,
        staged_answer="",
        notes=body.notes,
        initiated_by=member.user_id,
        cutoff_at=None,
        created_at=now,
        updated_at=now,
        # There are no windows on chain: both have ended when the settlement begins, so that nobody disputes it.
        dispute_deadline_at=now,
        top_up_deadline_at=now,
        execute_when_funded=False,
        immediate=False,
        due_at=now,
        attempts=0,
        last_error=None,
        finalized_at=None,
        reason=None,
        rt_id=str(runtime.ids.new()) if routed else None,
    )
    settlements.insert(tx, settlement)
    return settlement


def _begin_course(tx: Transaction, partner: Partner, settlement: Settlement) -> None:
    losses = rules.sla(settlement.created_at, partner.loss_sla_minutes)
    gains = rules.sla(settlement.created_at, partner.gain_sla_minutes)
    store.insert_course(tx, settlement.id, partner.id, losses=losses, gains=gains)


def _hold(runtime: Runtime, tx: Transaction, partner: Partner, settlement: Settlement) -> None:
    transfers.compute_losses(tx, settlement.id)
    entry = Entry(runtime.ids.new(), EntryKind.SETTLEMENT_HELD, settlement.id, partner.id)
    short = batches.hold_liabilities(tx, entry, [])
    if short:
        raise staging.not_covered(tx, partner, short, InvalidRequestError)
