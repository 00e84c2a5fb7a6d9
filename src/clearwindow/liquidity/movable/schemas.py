"""What can be moved, on the wire. Quantities are base units of our currencies, as texts."""

from __future__ import annotations

from collections.abc import Sequence

from clearwindow.api.schema import WireModel
from clearwindow.core.text import present
from clearwindow.liquidity.movable.models import Funds, HeldFor, Movable, OfAccount, OfConnection, Reason


class HoldOutput(WireModel):
    """What an amount is held for.

    ``kind``: ``allocation``, ``deallocation``, ``settlement``, ``dispute``, ``withdrawal`` or ``onchain_deposit``.
    """

    kind: str
    id: str
    quantity: str


class FundsOutput(WireModel):
    """A balance with its largest holds. ``holdCount`` counts all."""

    available: str
    held: str
    holds: list[HoldOutput]
    hold_count: int


class ReasonOutput(WireModel):
    """Why nothing can be moved, by the name of the error. ``pause``: what is paused, and since when."""

    name: str
    pause: dict[str, str] | None = None


class MovableOutput(WireModel):
    """The largest amount that would be accepted now. If it is 0, ``reasons`` say why."""

    largest: str
    reasons: list[ReasonOutput]


class OfConnectionOutput(WireModel):
    currency: str
    allocation: MovableOutput
    deallocation: MovableOutput
    go_account: FundsOutput
    network_account: FundsOutput


class OfConnectionAnswer(WireModel):
    """By currency: what can be allocated to a connection and taken back from it, and what holds the rest."""

    movable_funds: list[OfConnectionOutput]


class OfAccountOutput(WireModel):
    currency: str
    withdrawal: MovableOutput
    go_account: FundsOutput


class OfAccountAnswer(WireModel):
    """By currency: what can be withdrawn from a Go Account, and what holds the rest."""

    movable_funds: list[OfAccountOutput]


def connection_answer(found: Sequence[OfConnection]) -> OfConnectionAnswer:
    return OfConnectionAnswer(
        movable_funds=[
            OfConnectionOutput(
                currency=one.currency,
                allocation=_movable(one.allocation),
                deallocation=_movable(one.deallocation),
                go_account=_funds(one.go_account),
                network_account=_funds(one.network_account),
            )
            for one in found
        ]
    )


def account_answer(found: Sequence[OfAccount]) -> OfAccountAnswer:
    return OfAccountAnswer(
        movable_funds=[
            OfAccountOutput(
                currency=one.currency, withdrawal=_movable(one.withdrawal), go_account=_funds(one.funds)
            )
            for one in found
        ]
    )


def _movable(movable: Movable) -> MovableOutput:
    return MovableOutput(largest=str(movable.largest), reasons=[_reason(one) for one in movable.reasons])


def _reason(reason: Reason) -> ReasonOutput:
    return ReasonOutput.model_validate(present(name=reason.name, pause=reason.pause and dict(reason.pause)))


def _funds(funds: Funds) -> FundsOutput:
    return FundsOutput(
        available=str(funds.balance.available),
        held=str(funds.balance.held),
        holds=[_hold(one) for one in funds.holds],
        hold_count=funds.hold_count,
    )


def _hold(hold: HeldFor) -> HoldOutput:
    return HoldOutput(kind=hold.cause.value, id=str(hold.cause_id), quantity=str(hold.quantity))
