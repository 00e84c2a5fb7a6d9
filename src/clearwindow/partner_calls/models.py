"""Calls to partners as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from clearwindow.core.strict_json import JsonValue


class Operation(StrEnum):
    """The kind of a call: a question or a notice."""

    CONNECTION = "connection"
    ALLOCATION = "allocation"
    DEALLOCATION = "deallocation"
    ALLOCATION_CLEAR = "allocation_clear"
    ALLOCATION_RELEASE = "allocation_release"
    DEALLOCATION_CLEAR = "deallocation_clear"
    DEALLOCATION_RELEASE = "deallocation_release"
    SETTLEMENT_FINALIZE = "settlement_finalize"


class Place(NamedTuple):
    """Where a call goes.

    ``name`` is its name in the configuration. ``{id}`` in the path stands for the subject's id.
    """

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

STATES: Final[dict[Operation, Place]] = {
    Operation.ALLOCATION: Place("allocationState", "GET", "/bitgo/v1/allocation/{id}"),
    Operation.DEALLOCATION: Place("deallocationState", "GET", "/bitgo/v1/deallocation/{id}"),
}
"""Where the state of a question's subject is asked, if the partner's configuration has the path (choice C132)."""

NOTICES: Final = (
    Operation.ALLOCATION_CLEAR,
    Operation.ALLOCATION_RELEASE,
    Operation.DEALLOCATION_CLEAR,
    Operation.DEALLOCATION_RELEASE,
    Operation.SETTLEMENT_FINALIZE,
)
"""Calls that only inform the partner. Nothing waits for the answer."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how a partner is called. Without an address it is never called."""

    enterprise_id: str
    callback_url: str | None = None
    callback_paths: Mapping[str, str] = field(default_factory=dict)
    async_allocations: bool = False

    @property
    def is_called(self) -> bool:
        return self.callback_url is not None


@dataclass(frozen=True, slots=True)
class Callee:
    """The ids of a partner that is called."""

    partner_id: UUID
    enterprise_id: str


@dataclass(frozen=True, slots=True)
class OwedCall:
    """A call to a partner that is repeated until the partner answers."""

    id: UUID
    partner_id: UUID
    enterprise_id: str
    operation: Operation
    subject_id: UUID
    attempts: int
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class ListedCall:
    """A call as the operator sees it, without its body, which is encrypted."""

    id: UUID
    partner_id: UUID
    operation: Operation
    subject_id: UUID
    created_at: datetime
    due_at: datetime | None
    attempts: int
    last_error: str | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Circuit:
    """The failures in a row of a partner's endpoint. Nothing is sent to it before ``open_until``."""

    partner_id: UUID
    failures: int = 0
    open_until: datetime | None = None
    last_error: str | None = None
    last_failed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A called partner as the operator sees it: its circuit, and the number of its owed calls."""

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
    """A key that signs calls. ``retired_at`` is when the next key replaces it."""

    id: str
    reference: str
    public_jwk: Mapping[str, str]
    created_at: datetime
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class SealedKey:
    """A private key that calls are signed with, encrypted by the vault."""

    id: str
    sealed_private: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls a list has. A filter that is None selects all."""

    partner_ids: list[UUID] | None = None
    subject_ids: list[UUID] | None = None
    owed: bool | None = None
    created_on_or_after: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The partner accepted the question, or received the notice."""

    fields: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Refused:
    """The partner refused. ``reason`` is the partner's text, if it gave any."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Silent:
    """The partner neither accepted nor refused. The call is repeated with the same body."""

    why: str
    retry_after_seconds: int | None = None
    tried: bool = True
    """False if nothing was sent, because of this process or the circuit."""
    answered: bool = False
    """True if the endpoint answered but refused this notice."""
    cut_short: bool = False
    """True if this process did not wait for the answer, because too many others waited."""


@dataclass(frozen=True, slots=True)
class NotCalled:
    """The partner has no address to call, or no longer has one."""


Answer = Accepted | Refused | Silent | NotCalled
