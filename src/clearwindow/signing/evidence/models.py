"""Evidence as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from clearwindow.postgres.paging import FIRST_PAGE, Slice
from clearwindow.signing.models import Operation


@dataclass(frozen=True, slots=True)
class Evidence:
    """An accepted signed request, without its payload, which may be large.

    Attributes:
        number: its place in the order of writing.
        subject_id: the settlement, dispute, closure, allocation, connection, account or endpoint that it made,
            changed or repeated; for deposits their settlement.
        nonce: None if the operation has none.
        public_key: the key that signed, compressed.
    """

    number: int
    id: UUID
    enterprise_id: str
    account_id: UUID
    operation: Operation
    subject_id: UUID
    path_ids: dict[str, str]
    nonce: str | None
    payload_bytes: int
    payload_sha256: bytes
    signature: str
    public_key: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True)
class FullEvidence(Evidence):
    """The same with the payload and with all keys that were active then.

    Attributes:
        payload: None for a new connection: that payload holds the connection's key, which is never returned.
        key_set: the keys, 33 bytes each, one after the other.
    """

    payload: str | None
    key_set: bytes


@dataclass(frozen=True, slots=True)
class EvidenceFilter:
    """Which evidence a list has. None does not restrict. ``enterprise_id``: of the enterprise that signed."""

    enterprise_id: str | None
    operations: Sequence[str] | None = None
    subject_ids: Sequence[UUID] | None = None
    nonces: Sequence[str] | None = None
    received_on_or_after: datetime | None = None
    received_before: datetime | None = None
    part: Slice = FIRST_PAGE
