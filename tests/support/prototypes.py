"""One value of each kind, for tests of rules: a test takes a copy with ``replace`` and changes what it is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from clearwindow.allocations.models import Allocation, AllocationStatus, AllocationType
from clearwindow.core.money import AmountUnit
from clearwindow.identity.acts import Proposal, ProposalStatus
from clearwindow.identity.models import TrustOrg
from clearwindow.network.models import Client, Connection, ConnectionKeySchema, CurrencyMap, MappedCurrency, Partner
from clearwindow.settlements.disputes.models import ClosedBy, Closure, ClosureStatus, Dispute
from clearwindow.settlements.models import Settlement, SettlementState, SettlementType
from clearwindow.settlements.transfers.models import Party

NOW: Final = datetime(2026, 1, 5, 12, tzinfo=UTC)


def minute(number: float) -> datetime:
    return NOW + timedelta(minutes=number)


def an_id(number: int) -> UUID:
    return UUID(int=number)


CLIENT: Final = Client(
    id=an_id(1),
    enterprise_id="the client",
    go_account_id=an_id(2),
    active=True,
    created_at=NOW,
    updated_at=NOW,
    trust_org=TrustOrg.TRUST,
    name="Client",
)
PARTNER: Final = Partner(
    id=an_id(3),
    enterprise_id="the partner",
    go_account_id=an_id(4),
    client_id=an_id(5),
    name="Partner",
    broker=False,
    institution_id=None,
    institution_identifier="partner",
    connection_key_schema=next(iter(ConnectionKeySchema)),
    active=True,
    stable_partner=False,
    allocation_policies_enabled=False,
    client_dispute_window_minutes=Decimal(10),
    top_up_window_minutes=Decimal(5),
    created_at=NOW,
    updated_at=NOW,
    amount_unit=AmountUnit.DECIMAL,
    execute_when_funded=False,
    auto_approve_client_closures=False,
    public_key=None,
    onchain_enabled=False,
    loss_sla_minutes=None,
    gain_sla_minutes=None,
    settlement_transaction_route_id=None,
    trust_org=TrustOrg.TRUST,
)
CONNECTION: Final = Connection(
    id=an_id(6),
    partner_id=PARTNER.id,
    client_id=CLIENT.id,
    network_account_id=an_id(7),
    name="Connection",
    active=True,
    nonce="nonce",
    proof="proof",
    partners_client_id="their client",
    partners_connection_id="their connection",
    initiated_by="anna",
    created_at=NOW,
    updated_at=NOW,
)
CURRENCIES: Final = CurrencyMap(AmountUnit.DECIMAL, {"BTC": MappedCurrency("ofcbtc", 8, "btc")})
ALLOCATION: Final = Allocation(
    id=an_id(8),
    partner_id=PARTNER.id,
    client_id=CLIENT.id,
    connection_id=CONNECTION.id,
    type=AllocationType.ALLOCATION,
    status=AllocationStatus.RESERVED,
    currency="ofcbtc",
    quantity=150_000_000,
    client_external_id="first",
    partner_external_id=None,
    request_sha256=b"",
    initiated_by="anna",
    notes="a note",
    refusal=None,
    reason=None,
    retriable=True,
    created_at=NOW,
    updated_at=NOW,
    evaluation_id=None,
    pending_approval_id=None,
    policy_result=None,
)
SETTLEMENT: Final = Settlement(
    id=an_id(9),
    partner_id=PARTNER.id,
    external_id="day 1",
    state=SettlementState.DISPUTE_WINDOW,
    settlement_type=SettlementType.OFFCHAIN,
    request_sha256=b"first",
    staged_answer="",
    notes=None,
    initiated_by="ada",
    cutoff_at=None,
    created_at=NOW,
    updated_at=NOW,
    dispute_deadline_at=minute(10),
    top_up_deadline_at=minute(15),
    execute_when_funded=False,
    immediate=False,
    due_at=minute(10),
    attempts=0,
    last_error=None,
    finalized_at=None,
    reason=None,
)
PARTY: Final = Party(
    settlement_id=SETTLEMENT.id,
    partner_id=PARTNER.id,
    connection_id=CONNECTION.id,
    dispute_deadline_at=minute(10),
    disputed=False,
    has_new_transfers=True,
)
DISPUTE: Final = Dispute(
    id=an_id(10),
    partner_id=PARTNER.id,
    settlement_id=SETTLEMENT.id,
    connection_id=CONNECTION.id,
    user_id="anna",
    reason=None,
    expected_transfers={"ofcbtc": "5"},
    retracted=False,
    retracted_by=None,
    retracted_at=None,
    retracted_reason=None,
    settled_in_settlement_id=None,
    created_at=NOW,
    updated_at=NOW,
)
CLOSURE: Final = Closure(
    id=an_id(11),
    partner_id=PARTNER.id,
    dispute_id=DISPUTE.id,
    status=ClosureStatus.PENDING_REVIEW,
    closed_by=ClosedBy.CLIENT,
    user_id="anna",
    notes="agreed",
    adjusted_transfers={"ofcbtc": "5"},
    request_sha256=b"",
    reviewed_by=None,
    review_notes=None,
    reviewed_at=None,
    created_at=NOW,
    updated_at=NOW,
)
PROPOSAL: Final = Proposal(
    id=an_id(12),
    act="deposit",
    subject_id="an account",
    key="",
    enterprise_id=None,
    request={},
    target={"active": "true", "name": None},
    summary="a deposit",
    proposed_by=an_id(13),
    token_made_by=None,
    approvals_needed=1,
    status=ProposalStatus.PENDING,
    created_at=NOW,
    expires_at=minute(10),
    due_at=minute(10),
)
