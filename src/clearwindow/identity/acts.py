"""Acts of operators that others may have to approve first. Protocol §12.

Each room describes its own acts. The room ``proposals`` keeps what waits, and ``bootstrap`` hands it all acts, so
that no room imports one above it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Final, Generic, TypeVar, cast
from uuid import UUID

from clearwindow.core.errors import ConflictError
from clearwindow.identity.models import Operator
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime

R = TypeVar("R")
T = TypeVar("T")
State = Mapping[str, str | None]


CONFIRMATION_ERRORS: Final = (
    "proposal_differs",
    "proposal_ended",
    "proposal_target_changed",
    "proposer_not_in_office",
    "own_proposal",
    "acted_as_client",
    "same_approver",
    "approver_needed",
)
"""What is wrong with an approval by repeating another operator's request."""


class ProposalStatus(StrEnum):
    PENDING = "pending"
    CARRIED_OUT = "carried_out"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Asked(Generic[R]):
    """What an operator asks for: the subject that changes, and the request."""

    subject_id: str
    request: R


@dataclass(frozen=True, slots=True)
class Stake:
    """What a proposal is about.

    Attributes:
        summary: one line for those who approve.
        target: what the act depends on. If any of it has changed at the approval, nothing is carried out.
        key: tells proposals of one act and subject apart. Only one of each waits.
        enterprise_id: the enterprise that the act affects, which gets events of it.
    """

    summary: str
    target: State
    key: str = ""
    enterprise_id: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What a proposal keeps of what was done. ``value`` is shown once, to its proposer."""

    result: Mapping[str, object]
    value: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Scene:
    """Where an act takes place: its transaction, and the operator who asked for it.

    ``proposal_id``: the proposal that is carried out. None if the act needs nobody else.
    """

    runtime: Runtime
    tx: Transaction
    operator: Operator
    proposal_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one operator has asked for, and others must approve.

    Attributes:
        subject_id: what the act changes.
        key: tells proposals of one act and subject apart.
        token_made_by: the operator who made the proposer's token.
        due_at: when the worker ends it; None if it has ended.
        ended_by: the operator who approved last, rejected or withdrew it.
        sealed_value: what its proposer may still collect, encrypted.
    """

    id: UUID
    act: str
    subject_id: str
    key: str
    enterprise_id: str | None
    request: dict[str, object]
    target: dict[str, str | None]
    summary: str
    proposed_by: UUID
    token_made_by: UUID | None
    approvals_needed: int
    status: ProposalStatus
    created_at: datetime
    expires_at: datetime
    due_at: datetime | None
    ended_at: datetime | None = None
    ended_by: UUID | None = None
    reason: str | None = None
    result: dict[str, object] | None = None
    sealed_value: bytes | None = field(default=None, repr=False)
    collected_at: datetime | None = None


class Act(ABC, Generic[R, T]):
    """A kind of act that may have to be proposed."""

    name: ClassVar[str]
    operation: ClassVar[str]
    """The operation that proposes it, by its id in the table of roles."""
    always_proposed: ClassVar[bool] = False
    """Whether it needs another operator even if the settings ask for no approvals."""
    confirmed_by_repeat: ClassVar[bool] = False
    """Whether the same request by another operator approves it."""
    errors: ClassVar[tuple[str, ...]] = ()
    """What a request may also be refused for, if repeating another operator's approves it."""

    @abstractmethod
    def stake(self, scene: Scene, asked: Asked[R]) -> Stake | None:
        """Locks the target and returns what is at stake; None if nothing is, and the act needs nobody else.

        Raises:
            RequestError: what was asked for cannot be done.
        """

    @abstractmethod
    def carry_out(self, scene: Scene, asked: Asked[R]) -> T:
        """Does it, with its audit record and events."""

    @abstractmethod
    def told(self, done: T) -> Told:
        """Returns what the proposal keeps of it."""

    @abstractmethod
    def stored(self, request: R) -> dict[str, object]:
        """Returns the request as JSON values, as the wire has it. The same request always gives the same values."""

    @abstractmethod
    def restored(self, stored: Mapping[str, object]) -> R:
        """Returns the request that was stored."""

    def client_hands(self, tx: Transaction, asked: Asked[R]) -> Collection[UUID]:  # noqa: ARG002 - most have none
        """Returns the operators who acted as a client in what the act decides about, with tokens that they made."""
        return ()

    def hold(self, scene: Scene, proposal_id: UUID, asked: Asked[R]) -> None:
        """Keeps what the act will need while its proposal waits."""

    def release(self, tx: Transaction, proposal_id: UUID, asked: Asked[R]) -> None:
        """Gives back what ``hold`` kept, before the act is carried out or when its proposal ends without it."""

    def take_back(self, tx: Transaction, proposer: Operator, result: Mapping[str, Any]) -> None:
        """Undoes what was done, if the value that it made was not collected in time."""


def perform(runtime: Runtime, operator: Operator, act: Act[R, T], asked: Asked[R]) -> T | Proposal:
    """Carries the act out, or proposes it if others must approve it first.

    Raises:
        RequestError: it cannot be done.
        ConflictError: another request of this kind waits.
    """
    with runtime.transaction() as tx:
        scene = Scene(runtime, tx, operator)
        if act.always_proposed or runtime.oversight.approvals_needed > 0:
            stake = act.stake(scene, asked)
            if stake is not None:
                done = cast("T | Proposal", runtime.proposing.propose(scene, act, asked, stake))
                if isinstance(done, Proposal) and not act.confirmed_by_repeat:
                    _require_same(done, act.stored(asked.request))
                return done
        return act.carry_out(scene, asked)


def _require_same(waiting: Proposal, request: Mapping[str, object]) -> None:
    """Checks that the proposal that waits is of this request."""
    names = sorted(waiting.request.keys() | request.keys())
    differing = [name for name in names if waiting.request.get(name) != request.get(name)]
    if differing:
        raise ConflictError(
            "proposal_differs",
            f"proposal {waiting.id} waits with another {differing[0]}: approve, reject or withdraw it first",
            {"proposalId": str(waiting.id), "differing": differing},
        )
