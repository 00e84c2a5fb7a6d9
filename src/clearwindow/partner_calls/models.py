"""Calls to partners as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from clearwindow.strict_json import JsonValue


class Operation(StrEnum):
    """What a call asks or tells."""

    CONNECTION = "connection"
    ALLOCATION = "allocation"
    DEALLOCATION = "deallocation"
    ALLOCATION_CLEAR = "allocation_clear"
    ALLOCATION_RELEASE = "allocation_release"
    DEALLOCATION_CLEAR = "deallocation_clear"
    DEALLOCATION_RELEASE = "deallocation_release"
    SETTLEMENT_FINALIZE = "settlement_finalize"


class Place(NamedTuple):
    """Where a call goes: ``name`` is how a configuration calls it, ``{id}`` in the path is the subject's id."""

    name: str
    method: str
    path: str


PLACES: Final[Mapping[Operation, Place]] = {
    Operation.CONNECTION: Place("connections", "POST", "/bitgo/v1/connections"),
    Operation.ALLOCATION: Place("allocations", "POST", "/bitgo/v1/allocations"),
    Operation.DEALLOCATION: Place("deallocations", "POST", "/bitgo/v1/deallocations"),
    Operation.ALLOCATION_CLEAR: Place("allocationClear", "PUT", "/bitgo/v1/allocation/{id}/clear"),
    Operation.ALLOCATION_RELEASE: Place("allocationRelease", "PUT", "/bitgo/v1/allocation/{id}/release"),
    Operation.DEALLOCATION_CLEAR: Place("deallocationClear", "PUT", "/bitgo/v1/deallocation/{id}/clear"),
    Operation.DEALLOCATION_RELEASE: Place("deallocationRelease", "PUT", "/bitgo/v1/deallocation/{id}/release"),
    Operation.SETTLEMENT_FINALIZE: Place("settlementFinalize", "POST", "/bitgo/v1/settlements/{id}/finalize"),
}

TELLINGS: Final = (
    Operation.ALLOCATION_CLEAR,
    Operation.ALLOCATION_RELEASE,
    Operation.DEALLOCATION_CLEAR,
    Operation.DEALLOCATION_RELEASE,
    Operation.SETTLEMENT_FINALIZE,
)
"""What is only told: nothing of ours waits for the answer."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how a partner is called; without an address it is never called."""

    enterprise_id: str
    callback_url: str | None = None
    callback_paths: Mapping[str, str] = field(default_factory=dict)
    async_allocations: bool = False

    @property
    def is_called(self) -> bool:
        return self.callback_url is not None


@dataclass(frozen=True, slots=True)
class Callee:
    """A partner as far as calling it goes."""

    partner_id: UUID
    enterprise_id: str


@dataclass(frozen=True, slots=True)
class OwedCall:
    """A call that a partner is owed until it has answered."""

    id: UUID
    partner_id: UUID
    enterprise_id: str
    operation: Operation
    subject_id: UUID
    attempts: int


@dataclass(frozen=True, slots=True)
class ListedCall:
    """A call as the operator sees it; its body stays sealed."""

    id: UUID
    partner_id: UUID
    operation: str
    subject_id: UUID
    created_at: datetime
    due_at: datetime | None
    attempts: int
    last_error: str | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Circuit:
    """How a partner has answered of late; nothing is sent to it before ``open_until``."""

    partner_id: UUID
    failures: int = 0
    open_until: datetime | None = None
    last_error: str | None = None
    last_failed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A partner that is called, as the operator sees it: its circuit, and what it is owed."""

    partner_id: UUID
    name: str
    failures: int
    open_until: datetime | None
    last_error: str | None
    last_failed_at: datetime | None
    owed: int
    first_created_at: datetime | None


@dataclass(frozen=True, slots=True)
class CallKey:
    """A key that calls are signed with; ``retired_at`` is when the next one takes its place."""

    id: str
    reference: str
    public_jwk: Mapping[str, str]
    created_at: datetime
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The partner's yes, or its having heard."""

    fields: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Refused:
    """The partner's no, in its own words where it gave any."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing that is a yes or a no: the call is repeated with the same body."""

    why: str
    retry_after_seconds: int | None = None
    tried: bool = True
    """False where nothing was sent, for a reason of this process or of the circuit."""
    answered: bool = False
    """True where the endpoint is there, and only will not take this call."""


@dataclass(frozen=True, slots=True)
class NotCalled:
    """The partner has no address to call (any more)."""


Answer = Accepted | Refused | Silent | NotCalled
