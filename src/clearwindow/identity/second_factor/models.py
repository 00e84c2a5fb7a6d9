"""Second factors as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """An operator's authenticator as stored.

    Attributes:
        recovery_sha256: the hashes of the recovery codes that are not used yet.
        last_step: the newest step of time whose code was accepted. It and all before it are used up.
        failures: wrong codes since the last right one.
        locked_until: until when no code is looked at.
        confirmed_at: when its first code was accepted. None: it is not in force yet.
    """

    id: UUID
    operator_id: UUID
    sealed_secret: bytes
    recovery_sha256: list[bytes]
    last_step: int
    failures: int
    locked_until: datetime | None
    created_at: datetime
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A new secret. Only the answer to its request shows it."""

    secret: str = field(repr=False)
    address: str = field(repr=False)
    """``otpauth://…``: what an authenticator reads from a QR code."""


class FactorStatus(StrEnum):
    NONE = "none"
    UNCONFIRMED = "unconfirmed"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True)
class FactorState:
    """What an operator sees of its own second factor. ``required``: approvals need one."""

    status: FactorStatus
    required: bool
    recovery_codes_left: int = 0
    locked_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class TotpCode:
    """A right code of the authenticator, of this step of time."""

    step: int


@dataclass(frozen=True, slots=True)
class RecoveryCode:
    """A right recovery code, by its hash."""

    sha256: bytes


@dataclass(frozen=True, slots=True)
class Used:
    """A code that was right, and is used up."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """Any other text."""


Verdict = TotpCode | RecoveryCode | Used | Wrong


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A confirmed second factor's recovery codes. Only the answer to its request shows them."""

    recovery_codes: Sequence[str] = field(repr=False)
