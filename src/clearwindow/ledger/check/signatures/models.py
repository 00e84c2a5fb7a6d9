"""What the check of signatures reads: kept requests, and the records that they made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from clearwindow.ledger.check.service import Finding


@dataclass(frozen=True, slots=True)
class KeptRequest:
    """One row of evidence, with its key set, its encrypted payload, and whether the account ever had the key."""

    number: int
    id: UUID
    enterprise_id: str
    operation: str
    subject_id: UUID
    path_ids: dict[str, str]
    payload: str | None
    payload_bytes: int
    payload_sha256: bytes
    signature: str
    signature_sha256: bytes
    public_key: bytes
    key_set_sha256: bytes
    request_sha256: bytes
    public_keys: bytes | None
    ciphertext: bytes | None
    is_accounts_key: bool


@dataclass(frozen=True, slots=True)
class SettlementRecord:
    id: UUID
    enterprise_id: str | None
    external_id: str
    settlement_type: str
    immediate: bool
    notes: str | None
    cutoff_at: datetime | None
    amount_scale: dict[str, tuple[str, int]] | None
    withdrawn_reason: str | None


@dataclass(frozen=True, slots=True)
class DepositRecord:
    settlement_id: UUID
    external_settlement_id: str
    currency: str
    partner_currency: str
    on_chain_tx_id: str


@dataclass(frozen=True, slots=True)
class DisputeRecord:
    """``last_update``: the number of the last signed request that retracted it or took the retraction back."""

    id: UUID
    settlement_id: UUID
    connection_id: UUID
    retracted: bool
    raised_with: dict[str, object] | None
    last_update: int | None


@dataclass(frozen=True, slots=True)
class ClosureRecord:
    id: UUID
    dispute_id: UUID
    closed_by: str
    notes: str


@dataclass(frozen=True, slots=True)
class AllocationRecord:
    id: UUID
    type: str
    connection_id: UUID
    currency: str
    quantity: int
    client_external_id: str
    notes: str | None
    status: str


@dataclass(frozen=True, slots=True)
class ConnectionRecord:
    """``name``: what it was requested with; None if an older version made it."""

    id: UUID
    partner_id: UUID
    name: str | None


@dataclass(frozen=True, slots=True)
class AccountRecord:
    id: UUID
    enterprise_id: str


@dataclass(frozen=True, slots=True)
class EndpointRecord:
    id: UUID
    enterprise_id: str
    deleted: bool


@dataclass(frozen=True, slots=True)
class StandingTopUpRecord:
    id: UUID
    enterprise_id: str | None
    go_account_id: UUID
    currency: str
    per_settlement: int


MovedAmounts = Mapping[tuple[UUID | None, UUID, str], int]
"""Base units by the other side (None: the partner), the connection and our name of the currency."""


@dataclass(frozen=True, slots=True)
class Records:
    """The records of a batch of kept requests, by id."""

    settlements: Mapping[UUID, SettlementRecord] = field(default_factory=dict)
    deposits: Mapping[UUID, Sequence[DepositRecord]] = field(default_factory=dict)
    disputes: Mapping[UUID, DisputeRecord] = field(default_factory=dict)
    closures: Mapping[UUID, ClosureRecord] = field(default_factory=dict)
    allocations: Mapping[UUID, AllocationRecord] = field(default_factory=dict)
    connections: Mapping[UUID, ConnectionRecord] = field(default_factory=dict)
    accounts: Mapping[UUID, AccountRecord] = field(default_factory=dict)
    endpoints: Mapping[UUID, EndpointRecord] = field(default_factory=dict)
    standing_top_ups: Mapping[UUID, StandingTopUpRecord] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SignatureReport:
    """What the check found.

    Attributes:
        verified: how many signed requests were read and verified.
        before_evidence: how many records of each kind were made before evidence was kept, and have none.
    """

    findings: Sequence[Finding]
    verified: int
    before_evidence: Mapping[str, int]
