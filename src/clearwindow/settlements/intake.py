"""What every request for a settlement goes through: repeats, amounts, signature, partner's lock. Protocol §2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from clearwindow.core.errors import REFUSALS, ConflictError
from clearwindow.core.money import AmountUnit
from clearwindow.custody import signatures
from clearwindow.custody import store as custody
from clearwindow.identity.models import Member
from clearwindow.network import parties
from clearwindow.network import store as network
from clearwindow.network.models import CurrencyMap, MappedCurrency, Partner
from clearwindow.pauses import rules as pause_rules
from clearwindow.pauses import store as pauses
from clearwindow.postgres.asking import Later
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.settlements import amounts, rules, store
from clearwindow.settlements.disputes import store as disputes
from clearwindow.settlements.disputes.models import AssignedClosure
from clearwindow.settlements.models import (
    AmountScale,
    Instruction,
    Method,
    Request,
    Settlement,
    SettlementState,
    StagedAmounts,
)
from clearwindow.settlements.transfers import store as transfers
from clearwindow.signing import nonces, repeats
from clearwindow.signing.models import SignedRequest, VerifiedRequest


@dataclass(frozen=True, slots=True)
class Admitted:
    """A new request that passed every check before its nonce, whose partner is locked.

    Attributes:
        partner: as it is under the lock.
        staged: the amounts.
        verified: the signature.
        last_cutoff: of the partner's last settlement that has one and was not rejected.
        closures: of the partner's disputes, approved and in no settlement yet. They are locked.
    """

    partner: Partner
    staged: StagedAmounts
    verified: VerifiedRequest
    last_cutoff: datetime | None
    closures: Sequence[AssignedClosure]


@dataclass(frozen=True, slots=True)
class Repeated:
    """The settlement that an earlier, same request made.

    ``may_act``: it has failed and may be tried again, because this request passed every check that a new one must
    pass. Then the partner and the settlement are locked. Otherwise nothing is locked, and nothing may be written.
    """

    partner: Partner
    settlement: Settlement
    may_act: bool


def read(
    runtime: Runtime, member: Member, method: Method, instruction: Instruction, signed: SignedRequest
) -> Request:
    """Returns the request after the checks that need no database.

    Raises:
        InvalidRequestError: there are too many connections or amounts, or the payload differs from the body.
    """
    count = amounts.require_within_limits(instruction.settlement_amounts, runtime.limits)
    return Request(member, method, instruction, signatures.require_match(signed), count)


def receive(tx: Transaction, request: Request) -> Admitted | Repeated:
    """Answers whether the request is new, after all checks that come before its nonce. Protocol §2.

    A byte-identical repeat is found first and takes no lock. If it repeats a failed settlement, it goes through the
    checks of a new request; a refusal only keeps it from trying the settlement again.

    Raises:
        PermissionDeniedError: the caller is no partner that may settle by this method.
        InvalidRequestError: an amount cannot be a transfer.
        NotAuthenticatedError: the signature is not the partner's.
        ConflictError: the externalId belongs to another request, or the nonce of the same request signed anew does.
    """
    enterprise_id, external_id = request.member.enterprise_id, request.instruction.external_id
    with tx.together():
        found_partner = network.ask_partner(tx, enterprise_id=enterprise_id)
        found_existing = store.find_of_enterprise(tx, enterprise_id, external_id)
        found_currencies = network.ask_mapped_currencies(tx, [enterprise_id])
    partner, existing = parties.as_partner(found_partner()), found_existing()
    currencies = found_currencies()[enterprise_id]
    if existing is None or not _is_repeat(tx, request, existing):
        return _admit(tx, request, partner, currencies, existing, is_repeat=False)
    if existing.state is not SettlementState.FAILED:
        return Repeated(partner, existing, may_act=False)
    try:
        return _admit(tx, request, partner, currencies, existing, is_repeat=True)
    except REFUSALS:
        return Repeated(partner, existing, may_act=False)


def _admit(
    tx: Transaction,
    request: Request,
    partner: Partner,
    currencies: Mapping[str, MappedCurrency],
    existing: Settlement | None,
    *,
    is_repeat: bool,
) -> Admitted | Repeated:
    method = request.method
    partner = method.allowed(partner)
    read_as = replace(partner, amount_unit=AmountUnit.BASE) if method.in_base_units else partner
    currency_map = CurrencyMap(read_as.amount_unit, currencies)
    staged, verified = _check(tx, read_as, currency_map, request, is_repeat=is_repeat)
    if existing is None or existing.state is SettlementState.FAILED:
        with tx.together():
            locked = parties.ask_lock(tx, partner.id)
            # Before the lock was taken, the partner may have changed, and the same request may have come.
            found = store.find_by_external_id(tx, partner.id, request.instruction.external_id)
            last_cutoff = store.last_cutoff(tx, partner.id)
            closures = disputes.lock_approved_closures(tx, partner.id)
        partner, existing = method.allowed(locked()), found()
        if existing is None:
            return Admitted(partner, staged, verified, last_cutoff(), closures())
    if not _is_repeat(tx, request, existing):
        require_same(tx, method, request.instruction, existing, staged)
        nonces.use_again(tx, request.member.enterprise_id, verified, ConflictError, existing.id)
    if existing.state is not SettlementState.FAILED:
        return Repeated(partner, existing, may_act=False)
    settlement = store.lock(tx, existing.id)
    failed = settlement.state is SettlementState.FAILED
    return Repeated(partner, settlement, may_act=failed and not pauses.standing_for_settlement(tx, settlement.id))


def _check(
    tx: Transaction, partner: Partner, currency_map: CurrencyMap, request: Request, *, is_repeat: bool
) -> tuple[StagedAmounts, VerifiedRequest]:
    """Checks each amount, then intent and signature. What they need of the database is read in one round trip.

    Raises:
        InvalidRequestError: a connection is unknown or another partner's, a currency is unmapped, or an amount is
            zero, too large or too fine. The error names them. Or the payload is for something else.
        NotAuthenticatedError: the signature is not the partner's.
    """
    with tx.together():
        found = amounts.ask_check(tx, partner, currency_map, request.instruction.settlement_amounts)
        keys = custody.ask_keys(tx, partner.go_account_id)
        requires_intent = custody.ask_requires_intent(tx, partner.go_account_id)
    checked = found()
    if checked.problems:
        raise checked.problems[0]
    verified = signatures.verify_with(
        keys(),
        partner.go_account_id,
        request.signed,
        tx.now(),
        requires_intent=requires_intent(),
        amount_unit=partner.amount_unit,
        is_repeat=is_repeat,
    )
    return checked.staged, verified


def _is_repeat(tx: Transaction, request: Request, existing: Settlement) -> bool:
    """Returns whether this request was accepted before for the settlement: the same bytes and method."""
    if not request.method.made(existing):
        return False
    if existing.request_sha256 == request.signed.sha256:
        return True
    return nonces.is_repeat(tx, request.member.enterprise_id, request.signed, existing.id)


def require_same(
    tx: Transaction, method: Method, instruction: Instruction, existing: Settlement, staged: StagedAmounts
) -> None:
    """Requires that a request of other bytes is the one that made the settlement, signed anew.

    Raises:
        ConflictError: it differs. The error names the fields and the settlement.
    """
    scale = store.find_amount_scale(tx, existing.id)
    if not method.made(existing):
        fields = ["operation"]
    elif scale is None:
        fields = []
    else:
        same_amounts = _has_amounts(tx, existing, scale, staged)
        fields = rules.differing_fields(existing, instruction, same_amounts=same_amounts)
        if not fields:
            return
    raise ConflictError("external_id_taken", *repeats.differs("externalId", "settlement", existing.id, fields))


def _has_amounts(tx: Transaction, settlement: Settlement, scale: AmountScale, staged: StagedAmounts) -> bool:
    if scale.keys() != set(staged.names):
        return False
    currencies, decimals = zip(*(scale[name] for name in staged.names), strict=True)
    return transfers.has_staged_amounts(tx, staged.amounts, settlement.id, currencies, decimals)


def draft(tx: Transaction, request: Request, received: Admitted, settlement_id: UUID) -> Settlement:
    """Returns a new settlement without windows and with nothing due. Stores nothing."""
    method, instruction = request.method, request.instruction
    now = tx.now()
    return Settlement(
        id=settlement_id,
        partner_id=received.partner.id,
        external_id=instruction.external_id,
        state=method.begins_as,
        settlement_type=method.settlement_type,
        request_sha256=request.signed.sha256,
        staged_answer="",
        notes=instruction.notes,
        initiated_by=request.member.user_id,
        cutoff_at=None,
        created_at=now,
        updated_at=now,
        dispute_deadline_at=now,
        top_up_deadline_at=now,
        execute_when_funded=False,
        immediate=method.immediate,
        due_at=None,
        attempts=0,
        last_error=None,
        finalized_at=None,
        reason=None,
    )


def accept(tx: Transaction, request: Request, received: Admitted, settlement: Settlement) -> Later[None]:
    """Uses up nonce and text, and stores the settlement with a transfer for each staged amount.

    Until the answer was read, the caller must commit nothing.

    Raises:
        ConflictError: when the answer is read, if the nonce or the text belongs to another request.
        RequestError: then, as the method says it, if something that the settlement touches is paused, or a
            connection would lose more than its client allows.
    """
    stopped_by, staged = request.method.stopped_by, received.staged
    used = nonces.ask_use(tx, request.member.enterprise_id, received.verified, ConflictError, settlement.id)
    store.insert(tx, settlement, staged.scale)
    transfers.insert_staged(
        tx,
        staged.amounts,
        settlement_id=settlement.id,
        partner_id=settlement.partner_id,
        dispute_deadline_at=settlement.dispute_deadline_at,
        currencies=staged.currencies,
        decimals=staged.decimals,
    )
    # The stored rows say what the settlement touches. A refusal rolls them back.
    standing = pauses.ask_standing_for_settlement(tx, settlement.id)
    day_from, day_until = rules.utc_day(settlement.created_at)
    beyond = transfers.losses_beyond_limits(tx, settlement.id, settlement.partner_id, day_from, day_until)

    def require() -> None:
        used()
        pause_rules.require_open(standing(), stopped_by)
        rules.require_within_loss_limits(beyond(), stopped_by)

    return Later(require)
