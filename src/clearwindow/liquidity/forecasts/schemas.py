"""Forecasts on the wire. All quantities are base units of our currencies, as texts."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from clearwindow.api.filters import Page, Uuids
from clearwindow.api.schema import WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.text import present
from clearwindow.liquidity.forecasts import rules
from clearwindow.liquidity.forecasts.models import Account, Forecast, SettlementForecast, Stake, Step


class ClientForecastFilters(Page):
    """The pages are of network accounts, by connection and currency. The steps are in every page."""


class PartnerForecastFilters(ClientForecastFilters):
    connection_ids: Uuids = None


class FundingOutput(WireModel):
    """The partner's account in one currency when a step is taken. ``change``: by executing, + it gains.

    ``topUp``: what a standing top-up brings. ``shortfall``: what nothing covers.
    """

    currency: str
    change: str
    available: str
    top_up: str
    shortfall: str


class StepOutput(WireModel):
    """What happens at one moment, and the settlement's ``stage`` after it. Clients get no ``partnerAccount``."""

    at: str
    outcome: str
    stage: str
    partner_account: list[FundingOutput] | None = None


class PartnerAccountOutput(WireModel):
    """The partner's account now.

    ``mostNeeded``: the most that executing takes, whoever disputes until the window ends. ``shortfall``: what is
    missing for that.
    """

    currency: str
    change: str
    available: str
    most_needed: str
    shortfall: str


class StakeAfterOutput(WireModel):
    """A network account after a step: what moves, how ``available`` changes, and what is still held."""

    moves: str
    available_change: str
    held: str
    held_for_disputes: str


class StakeOutput(WireModel):
    """A network account in one currency.

    ``quantity``: what executing moves, + the connection gains. ``held``: what the settlement and its disputes hold
    now; inside the dispute window it is the most that the connection can lose. ``afterSteps``: in the order of the
    steps.
    """

    connection_id: str
    currency: str
    quantity: str
    held: str
    held_for_disputes: str
    after_steps: list[StakeAfterOutput]


class ForecastOutput(WireModel):
    """``disputes``: whether open disputes are taken as they stand, or as retracted inside the window."""

    disputes: str
    steps: list[StepOutput]
    partner_account: list[PartnerAccountOutput] | None = None
    network_accounts: list[StakeOutput]


class ForecastAnswer(WireModel):
    """What happens to a settlement if nothing changes.

    ``forecasts`` is empty if the settlement has ended, is immediate, or is on chain: time alone changes nothing. It
    has two entries if open disputes may still be retracted. ``consideredSettlements`` counts the partner's open
    settlements that were looked at, because they share its account; ``allConsidered`` is false if there are more.
    """

    settlement_id: str
    external_id: str
    stage: str
    as_of: str
    open_disputes: int
    considered_settlements: int | None = None
    all_considered: bool | None = None
    forecasts: list[ForecastOutput] = Field(max_length=2)


def partner_answer(found: SettlementForecast) -> ForecastAnswer:
    fields = _head(found) | {"considered_settlements": found.considered, "all_considered": found.whole}
    forecasts = [_forecast(one, partner_account=_account(one.account)) for one in found.forecasts]
    return ForecastAnswer.model_validate(fields | {"forecasts": forecasts})


def client_answer(found: SettlementForecast) -> ForecastAnswer:
    forecasts = [_forecast(one) for one in found.forecasts]
    return ForecastAnswer.model_validate(_head(found) | {"forecasts": forecasts})


def _head(found: SettlementForecast) -> dict[str, object]:
    settlement = found.settlement
    return {
        "settlement_id": str(settlement.id),
        "external_id": settlement.external_id,
        "stage": settlement.state.value,
        "as_of": wire_time(found.as_of),
        "open_disputes": found.open_disputes,
    }


def _forecast(one: Forecast, partner_account: list[PartnerAccountOutput] | None = None) -> ForecastOutput:
    changes = None if partner_account is None else {each.currency: each.change for each in one.account}
    return ForecastOutput.model_validate(
        present(
            disputes=one.disputes.value,
            steps=[_step(step, changes) for step in one.steps],
            partner_account=partner_account,
            network_accounts=[_stake(stake, one.steps) for stake in one.page.items],
        )
    )


def _step(step: Step, changes: dict[str, int] | None) -> StepOutput:
    short = {gap.currency: gap.shortfall for gap in step.gaps}
    account = None
    if changes is not None:
        account = [
            FundingOutput(
                currency=currency,
                change=str(changes[currency]),
                available=str(available),
                top_up=str(step.top_ups.get(currency, 0)),
                shortfall=str(short.get(currency, 0)),
            )
            for currency, available in sorted(step.available.items())
        ]
    return StepOutput.model_validate(
        present(at=wire_time(step.at), outcome=step.outcome.value, stage=step.state.value, partner_account=account)
    )


def _account(account: Sequence[Account]) -> list[PartnerAccountOutput]:
    return [
        PartnerAccountOutput(
            currency=one.currency,
            change=str(one.change),
            available=str(one.available),
            most_needed=str(one.most_needed),
            shortfall=str(max(0, one.most_needed - one.available)),
        )
        for one in account
    ]


def _stake(stake: Stake, steps: Sequence[Step]) -> StakeOutput:
    for_disputes = stake.held_for_closures + sum(target.held for target in stake.targets)
    return StakeOutput(
        connection_id=str(stake.connection_id),
        currency=stake.currency,
        quantity=str(stake.quantity),
        held=str(stake.held + for_disputes),
        held_for_disputes=str(for_disputes),
        after_steps=[
            StakeAfterOutput(
                moves=str(after.moves),
                available_change=str(after.available),
                held=str(after.held),
                held_for_disputes=str(after.held_for_disputes),
            )
            for after in rules.follow(stake, [step.outcome for step in steps])
        ],
    )
