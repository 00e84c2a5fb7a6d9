"""Initiating an on-chain settlement, in one transaction. Protocol §7."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from clearwindow.core.errors import InvalidRequestError, PermissionDeniedError
from clearwindow.events.models import EventType
from clearwindow.identity import audit
from clearwindow.identity.models import Member
from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import Entry, EntryKind, Shortfall
from clearwindow.network.models import Partner
from clearwindow.postgres.asking import Later
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.settlements import events, funding, intake
from clearwindow.settlements import rules as settlement_rules
from clearwindow.settlements import store as settlements
from clearwindow.settlements.models import Instruction, Method, Settlement, SettlementState, SettlementType
from clearwindow.settlements.onchain import rules, store
from clearwindow.settlements.transfers import store as transfers
from clearwindow.signing.models import SignedRequest


@dataclass(frozen=True, slots=True)
class InitiatedAnswer:
    """The answer's JSON text. The status is 202 while the settlement is pending, 200 once it has ended."""

    body: str
    status: int
    replayed: bool


Render = Callable[[Settlement], str]
"""Returns the answer's JSON text from a settlement."""


def initiate(
    runtime: Runtime, member: Member, instruction: Instruction, signed: SignedRequest, render: Render
) -> InitiatedAnswer:
    """Creates the settlement with a transfer for each amount, holds all losses, notifies and queues the first step.

    Raises:
        PermissionDeniedError: the caller is no active partner with on-chain settlement enabled.
        InvalidRequestError: an amount cannot be a transfer, the payload differs from the body, or losses exceed
            what connections have. Then nothing is written.
        NotAuthenticatedError: the signature is not the partner's.
        ConflictError: the externalId or the nonce belongs to another request.
    """
    request = intake.read(runtime, member, _METHOD, instruction, signed)
    with runtime.transaction() as tx:
        received = intake.receive(tx, request)
        if isinstance(received, intake.Repeated):
            return _repeat(tx, member, received, render)
        partner = received.partner
        # Deposits that came first have reserved the id.
        settlement_id = store.reserve(tx, partner.id, instruction.external_id, tx.new_id())
        draft = intake.draft(tx, request, received, settlement_id)
        settlement = _with_route(draft, partner, str(tx.new_id()))
        answer = render(settlement)
        with tx.together():
            accepted = intake.accept(tx, request, received, settlement)
            _begin(tx, partner, settlement)
            short = _hold(tx, partner, settlement)
            events.notify_all(tx, EventType.SETTLEMENT_INITIATED, partner, settlement)
            details = {"externalId": instruction.external_id, "amounts": request.amount_count}
            audit.record(tx, member, "settlement.initiate", settlement.id, **details)
            stored = settlements.set_staged_answer(tx, settlement.id, answer)
        accepted()
        if uncovered := short():
            raise funding.not_covered(tx, partner, uncovered, InvalidRequestError)
        stored()
        return InitiatedAnswer(answer, 202, replayed=False)


def allowed_onchain(partner: Partner) -> Partner:
    if not partner.active:
        raise PermissionDeniedError("partner_inactive", "the partner is inactive: ask the operator")
    if not partner.onchain_enabled:
        raise PermissionDeniedError(
            "onchain_not_enabled", "the partner is not configured for on-chain settlement: ask the operator"
        )
    return partner


def retry(tx: Transaction, settlement: Settlement) -> Settlement:
    """Makes a failed settlement pending. Its failed transfers are sent again at once."""
    store.retry_failed(tx, settlement.id)
    return settlements.change_state(tx, settlement, SettlementState.ONCHAIN, due_at=tx.now())


_METHOD: Final = Method(allowed_onchain, SettlementState.ONCHAIN, SettlementType.ONCHAIN, in_base_units=True)


def _repeat(tx: Transaction, member: Member, received: intake.Repeated, render: Render) -> InitiatedAnswer:
    settlement = received.settlement
    if received.may_act:
        pending = retry(tx, settlement)
        audit.record(tx, member, "settlement.retry", settlement.id)
        answer = settlement_rules.answer_after_retry(settlement.staged_answer, pending.updated_at)
        return InitiatedAnswer(answer, 202, replayed=True)
    if settlement.state in {SettlementState.ONCHAIN, SettlementState.FAILED}:
        return InitiatedAnswer(settlement.staged_answer, 202, replayed=True)
    return InitiatedAnswer(render(settlement), 200, replayed=True)


def _with_route(draft: Settlement, partner: Partner, route_transaction_id: str) -> Settlement:
    routed = partner.settlement_transaction_route_id is not None
    return replace(draft, due_at=draft.created_at, rt_id=route_transaction_id if routed else None)


def _begin(tx: Transaction, partner: Partner, settlement: Settlement) -> None:
    losses = rules.sla(settlement.created_at, partner.loss_sla_minutes)
    gains = rules.sla(settlement.created_at, partner.gain_sla_minutes)
    store.insert_progress(tx, settlement.id, partner.id, losses=losses, gains=gains)


def _hold(tx: Transaction, partner: Partner, settlement: Settlement) -> Later[list[Shortfall]]:
    entry = Entry(tx.new_id(), EntryKind.SETTLEMENT_HELD, settlement.id, partner.id)
    return ledger.hold_liabilities(tx, entry, transfers.losses(settlement.id))
