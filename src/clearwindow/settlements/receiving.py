"""What every way to settle begins with: who asks, the amounts, the signature, and one at a time. Protocol §5."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from clearwindow.access.values import Member
from clearwindow.database.pool import Transaction
from clearwindow.errors import ConflictError
from clearwindow.money import AmountUnit
from clearwindow.network import service as network
from clearwindow.network.values import Partner
from clearwindow.runtime import Runtime
from clearwindow.settlements import amounts, rules, store
from clearwindow.settlements.amounts import Amounts, StagedAmounts
from clearwindow.settlements.values import Settlement, SettlementState, SettlementType
from clearwindow.signing import service as signing
from clearwindow.signing.values import SignedRequest
from clearwindow.transfers import service as transfers


class Instruction(Protocol):
    """What all requests for a settlement say."""

    @property
    def external_id(self) -> str: ...

    @property
    def notes(self) -> str | None: ...

    @property
    def settlement_amounts(self) -> Amounts: ...


@dataclass(frozen=True, slots=True)
class Way:
    """One of the ways to settle.

    Attributes:
        allowed: gives the partner back, or says why it may not settle in this way.
        begins_as: the state of a new settlement.
        immediate: without windows.
        in_base_units: whatever unit the partner has for everything else.
    """

    allowed: Callable[[Partner], Partner]
    begins_as: SettlementState
    settlement_type: SettlementType = SettlementType.OFFCHAIN
    immediate: bool = False
    in_base_units: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """A request that is the partner's own, whose settlements wait for each other from here on.

    ``existing`` is the settlement that this very request has made before.
    """

    partner: Partner
    existing: Settlement | None
    staged: StagedAmounts


def receive(
    tx: Transaction, member: Member, way: Way, body: Instruction, signed: SignedRequest, amount_count: int
) -> Received:
    """Puts the amounts aside, believes the signature and locks the partner.

    Raises:
        PermissionDeniedError: no partner that may settle in this way.
        InvalidRequestError: an entry that cannot be a transfer, or a payload that says something else.
        NotAuthenticatedError: the signature is not the partner's.
        ConflictError: the externalId belongs to another request.
    """
    partner = way.allowed(network.require_partner(tx, member.enterprise_id))
    read_as = replace(partner, amount_unit=AmountUnit.BASE) if way.in_base_units else partner
    staged = amounts.stage(tx, read_as, body.settlement_amounts, amount_count)
    signing.verify(tx, partner.go_account_id, signed)
    # What is allowed may have changed until nobody else could change it.
    partner = way.allowed(network.lock_partner(tx, partner.id))
    existing = store.find_by_external_id(tx, partner.id, body.external_id)
    if existing is not None:
        rules.require_same_request(
            existing, signed.sha256, settlement_type=way.settlement_type, immediate=way.immediate
        )
    return Received(partner, existing, staged)


def draft(
    runtime: Runtime,
    tx: Transaction,
    member: Member,
    way: Way,
    body: Instruction,
    signed: SignedRequest,
    partner: Partner,
) -> Settlement:
    """A settlement as it begins, without windows and with nothing due; it is not stored yet, its nonce is used up.

    Raises:
        ConflictError: the nonce belongs to another request.
    """
    signing.use_nonce(tx, member.enterprise_id, signed, ConflictError)
    now = tx.now()
    return Settlement(
        id=runtime.ids.new(),
        partner_id=partner.id,
        external_id=body.external_id,
        state=way.begins_as,
        settlement_type=way.settlement_type,
        request_sha256=signed.sha256,
        staged_answer="",
        notes=body.notes,
        initiated_by=member.user_id,
        cutoff_at=None,
        created_at=now,
        updated_at=now,
        dispute_deadline_at=now,
        top_up_deadline_at=now,
        execute_when_funded=False,
        immediate=way.immediate,
        due_at=None,
        attempts=0,
        last_error=None,
        finalized_at=None,
        reason=None,
    )


def insert(tx: Transaction, settlement: Settlement, staged: StagedAmounts) -> None:
    """Stores the settlement with a transfer for each amount."""
    store.insert(tx, settlement)
    transfers.insert_staged(
        tx,
        settlement_id=settlement.id,
        partner_id=settlement.partner_id,
        dispute_deadline_at=settlement.dispute_deadline_at,
        currencies=staged.currencies,
        decimals=staged.decimals,
    )
