"""Settlements, what views return of them, and the filters of their lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal
from uuid import UUID

from clearwindow.core.errors import PermissionDeniedError, RequestError
from clearwindow.identity.models import Member
from clearwindow.network.models import Client, Connection, CurrencyMap, Partner
from clearwindow.postgres.paging import FIRST_PAGE, Listing, Slice
from clearwindow.settlements.disputes.models import DisputeDetail
from clearwindow.settlements.transfers.models import (
    AmountArrays,
    Direction,
    PreviewedBalance,
    PreviewedTotal,
    TradingAccounts,
    Transfer,
)
from clearwindow.signing.models import SignedRequest


class SettlementState(StrEnum):
    """The states of a settlement. The wire shows the first three as ``pending``."""

    DISPUTE_WINDOW = "dispute_window"
    TOP_UP_WINDOW = "top_up_window"
    ONCHAIN = "onchain"
    FAILED = "failed"
    COMPLETED = "completed"
    REJECTED = "rejected"


TRANSITIONS: Final[dict[SettlementState, frozenset[SettlementState]]] = {
    SettlementState.DISPUTE_WINDOW: frozenset({SettlementState.TOP_UP_WINDOW, SettlementState.REJECTED}),
    SettlementState.TOP_UP_WINDOW: frozenset(
        {SettlementState.COMPLETED, SettlementState.FAILED, SettlementState.REJECTED}
    ),
    SettlementState.ONCHAIN: frozenset(
        {SettlementState.COMPLETED, SettlementState.FAILED, SettlementState.REJECTED}
    ),
    SettlementState.FAILED: frozenset(
        {
            SettlementState.TOP_UP_WINDOW,
            SettlementState.ONCHAIN,
            SettlementState.COMPLETED,
            SettlementState.REJECTED,
        }
    ),
    SettlementState.COMPLETED: frozenset(),
    SettlementState.REJECTED: frozenset(),
}
"""The trigger ``settlement_transition`` enforces the same table."""


class SettlementType(StrEnum):
    ONCHAIN = "onchain"
    OFFCHAIN = "offchain"


FlatAmounts = Mapping[str, Mapping[str, str]]
"""By connection and currency, in the partner's names and unit. + the connection gains."""
NestedAmounts = Mapping[str, FlatAmounts]
"""By source, destination and currency, for brokers. + the destination gains."""
Amounts = FlatAmounts | NestedAmounts
AmountScale = Mapping[str, tuple[str, int]]
"""By the partner's currency names in a request: our name, and the decimals that its amounts were scaled by."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """When the windows end. They do not change after the settlement is staged."""

    dispute_deadline_at: datetime
    top_up_deadline_at: datetime


@dataclass(frozen=True, slots=True)
class Instruction:
    """What a partner asks to settle, at once, after a dispute window or on chain."""

    external_id: str
    notes: str | None
    settlement_amounts: Amounts
    cutoff_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """One signed instruction of a partner. ``due_at`` is when the worker must take its next step.

    An ``immediate`` settlement has no windows: it executes with the request, or fails and stays failed until a
    request or an operator tries it again.
    """

    id: UUID
    partner_id: UUID
    external_id: str
    state: SettlementState
    settlement_type: SettlementType
    request_sha256: bytes
    staged_answer: str
    notes: str | None
    initiated_by: str
    cutoff_at: datetime | None
    created_at: datetime
    updated_at: datetime
    dispute_deadline_at: datetime
    top_up_deadline_at: datetime
    execute_when_funded: bool
    immediate: bool
    due_at: datetime | None
    attempts: int
    last_error: str | None
    finalized_at: datetime | None
    reason: str | None
    rt_id: str | None = None
    loss_sla_alert_sent: bool = False
    gain_sla_alert_sent: bool = False
    closures_wait: bool = False
    """The settlement is rejected, and the transfers of the closures that it took still run."""
    warnings: tuple[str, ...] = ()
    """What may be a mistake in the request, and was told in its answer."""
    withdrawn_at: datetime | None = None
    """When the partner took it back. None of its own transfers runs, and those of the closures that it took do."""
    withdrawn_reason: str | None = None
    paused_since: datetime | None = None
    """Since when something that the settlement touches is paused. It does not execute meanwhile."""

    @property
    def is_without_new(self) -> bool:
        """Whether only the transfers of closures run."""
        return self.state is SettlementState.REJECTED or self.withdrawn_at is not None


@dataclass(frozen=True, slots=True)
class StagedAmounts:
    """The currencies of the staged amounts, numbered from 1: the partner's names, ours, and decimals to scale by.

    ``digits_only``: the amounts are in base units, so that none may have a decimal point.
    """

    names: list[str]
    currencies: list[str]
    decimals: list[int]
    digits_only: bool
    amounts: AmountArrays

    @property
    def scale(self) -> AmountScale:
        """What the same request is scaled with later, when the partner's currency map may have changed."""
        return dict(zip(self.names, zip(self.currencies, self.decimals, strict=True), strict=True))


@dataclass(frozen=True, slots=True)
class Method:
    """A way to settle: with a dispute window, at once, or on chain.

    Attributes:
        allowed: returns the partner, or raises if it may not settle by this method.
        begins_as: the state of a new settlement.
        immediate: whether the settlement has no windows.
        in_base_units: whether amounts are base units even if the partner's other amounts are not.
        stopped_by: the kind of error that says that something is paused, or beyond a client's limit of loss.
    """

    allowed: Callable[[Partner], Partner]
    begins_as: SettlementState
    settlement_type: SettlementType = SettlementType.OFFCHAIN
    immediate: bool = False
    in_base_units: bool = False
    stopped_by: type[RequestError] = PermissionDeniedError

    def made(self, settlement: Settlement) -> bool:
        return settlement.settlement_type is self.settlement_type and settlement.immediate is self.immediate


@dataclass(frozen=True, slots=True)
class Request:
    """A request for a settlement by one method, with the number of its amounts."""

    member: Member
    method: Method
    instruction: Instruction
    signed: SignedRequest
    amount_count: int


@dataclass(frozen=True, slots=True)
class DueSettlement:
    """A settlement whose next step is due."""

    id: UUID
    partner_id: UUID
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A due settlement that a batch may take.

    Attributes:
        settlement: as it is under its lock.
        transfers: how many it has, or more than a batch may have.
        in_dispute: somebody disputes it, or it has taken closures of disputes.
        paused: it touches something that is paused. Its window may end, but it does not execute.
        change: how much executing it changes the partner's account, by currency.
    """

    settlement: Settlement
    transfers: int
    in_dispute: bool
    paused: bool
    change: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Why and by whom a settlement is taken back, and the time at which it was decided that it may be."""

    reason: str
    user_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class FundingGap:
    """What a settlement needs of one currency and what is available for it, in base units."""

    currency: str
    needed: int
    available: int

    @property
    def shortfall(self) -> int:
        return self.needed - self.available


@dataclass(frozen=True, slots=True)
class SettlementFilter:
    """What a list of settlements shows.

    Attributes:
        own_connection_ids: limits a client to settlements with one of its connections.
        counterparty_connection_ids: only settlements with a transfer between one of these and one of
            ``party_connection_ids``.
    """

    partner_ids: Sequence[UUID] | None = None
    own_connection_ids: Sequence[UUID] | None = None
    party_connection_ids: Sequence[UUID] | None = None
    counterparty_connection_ids: Sequence[UUID] | None = None
    settlement_ids: Sequence[UUID] | None = None
    external_ids: Sequence[str] | None = None
    states: Sequence[SettlementState] | None = None
    created_on_or_after: datetime | None = None
    created_before: datetime | None = None
    updated_on_or_after: datetime | None = None
    updated_before: datetime | None = None
    only_disputed: bool = False
    part: Slice = FIRST_PAGE


@dataclass(frozen=True, slots=True)
class WorkFilter:
    """What the list of due work shows. ``due_before`` is exclusive."""

    partner_ids: Sequence[UUID] | None = None
    states: Sequence[str] | None = None
    due_on_or_after: datetime | None = None
    due_before: datetime | None = None
    part: Slice = FIRST_PAGE


@dataclass(frozen=True, slots=True)
class SettlementLine:
    """A settlement in a list. ``direction``: which way the reader's transfers go, in a client's list."""

    settlement: Settlement
    disputed: bool
    direction: Direction | None = None


@dataclass(frozen=True, slots=True)
class SettlementDetail:
    """One settlement with a page of its transfers and all its disputes.

    Attributes:
        accounts: the accounts of both sides of the transfers.
        settling: the disputes that the settlement settles.
        raised: the disputes that clients raised on the settlement.
        transfer_count: the number of transfers on all pages.
    """

    settlement: Settlement
    disputed: bool
    transfers: Sequence[Transfer]
    accounts: TradingAccounts
    settling: Sequence[DisputeDetail]
    raised: Sequence[DisputeDetail]
    transfer_count: int


@dataclass(frozen=True, slots=True)
class ClientSettlementDetail:
    """The part of one settlement that is a client's own, with a page of its transfers."""

    settlement: Settlement
    disputed: bool
    transfers: Sequence[Transfer]
    client: Client
    connections: Mapping[UUID, Connection]
    settling: Sequence[DisputeDetail]
    raised: Sequence[DisputeDetail]
    transfer_count: int


@dataclass(frozen=True, slots=True)
class ClientTransfers:
    """A page of a client's transfers, with their settlements by id."""

    page: Listing[Transfer]
    settlements: Mapping[UUID, Settlement]
    client: Client
    connections: Mapping[UUID, Connection]


@dataclass(frozen=True, slots=True)
class WaitingSettlement:
    """A settlement that waits for the worker. ``status``: for its time, for the end of a pause, due, or failing."""

    settlement: Settlement
    due_at: datetime
    status: Literal["waiting", "due", "failing", "paused"]


@dataclass(frozen=True, slots=True)
class PreviewedFunds:
    """What a settlement would move and hold.

    Attributes:
        balances: a page of the balances that it would change, those that are short first.
        totals: its sums by currency.
        partner_available: what the partner's own account has now, by currency.
        closures: how many closures it would take.
    """

    balances: Listing[PreviewedBalance]
    totals: Sequence[PreviewedTotal]
    partner_available: Mapping[str, int]
    closures: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What staging a settlement would do.

    Attributes:
        deadlines: the ends of its windows if it were staged at ``previewed_at``.
        amounts: how many the request has.
        refusals: why staging would refuse it, the first as staging would answer it. Empty: it would be accepted.
        repeats: the settlement that an earlier, same request made, which staging would answer with.
        settling: the disputes whose closures it would take.
        funds: missing if it repeats another, or if its amounts cannot be transfers.
    """

    partner: Partner
    currency_map: CurrencyMap
    previewed_at: datetime
    deadlines: Deadlines
    amounts: int
    warnings: Sequence[str]
    refusals: Sequence[RequestError]
    repeats: Settlement | None
    settling: Sequence[DisputeDetail]
    funds: PreviewedFunds | None
