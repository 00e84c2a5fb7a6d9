"""What is to come, and what can be moved. Quantities are base units of our currencies."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime

from clearwindow.client.answers.base import BaseUnits, OpenText, Value

Outcome = Annotated[
    Literal[
        "amounts_become_final",
        "completes",
        "completes_if_funded",
        "closures_run",
        "waits_for_funds",
        "fails_for_lack_of_funds",
        "waits_for_resume",
    ],
    OpenText,
]


class Funding(Value):
    """The partner's account in one currency when a step is taken. ``change``: by executing, + it gains.

    ``top_up``: what a standing top-up brings. ``shortfall``: what nothing covers.
    """

    currency: str
    change: BaseUnits
    available: BaseUnits
    top_up: BaseUnits
    shortfall: BaseUnits


class ForecastStep(Value):
    """What happens at one moment, and the settlement's ``stage`` after it. Clients get no ``partner_account``."""

    at: AwareDatetime
    outcome: Outcome
    stage: str
    partner_account: tuple[Funding, ...] | None = None


class PartnerAccountForecast(Value):
    """The partner's account now. ``most_needed``: the most that executing takes, whoever disputes."""

    currency: str
    change: BaseUnits
    available: BaseUnits
    most_needed: BaseUnits
    shortfall: BaseUnits


class NetworkAccountAfter(Value):
    """A network account after a step: what moves, how the available balance changes, and what is still held."""

    moves: BaseUnits
    available_change: BaseUnits
    held: BaseUnits
    held_for_disputes: BaseUnits


class NetworkAccountForecast(Value):
    """A network account in one currency. ``after_steps`` has the order of the forecast's steps."""

    connection_id: str
    currency: str
    quantity: BaseUnits
    held: BaseUnits
    held_for_disputes: BaseUnits
    after_steps: tuple[NetworkAccountAfter, ...]


class Forecast(Value):
    """What happens if nothing changes. ``disputes``: open ones are taken as they stand, or as retracted."""

    disputes: Annotated[Literal["standing", "retracted"], OpenText]
    steps: tuple[ForecastStep, ...]
    partner_account: tuple[PartnerAccountForecast, ...] | None = None
    network_accounts: tuple[NetworkAccountForecast, ...]


class SettlementForecast(Value):
    """The forecasts of a settlement: none at its end, two if open disputes may still be retracted.

    ``meta.total`` counts the network accounts on all pages.
    """

    settlement_id: str
    external_id: str
    stage: str
    as_of: AwareDatetime
    open_disputes: int
    considered_settlements: int | None = None
    all_considered: bool | None = None
    forecasts: tuple[Forecast, ...]


class HeldAmount(Value):
    """What an amount is held for: ``kind`` and the id of the allocation, settlement, dispute and so on."""

    kind: str
    id: str
    quantity: BaseUnits


class Funds(Value):
    """A balance with its largest holds. ``hold_count`` counts all."""

    available: BaseUnits
    held: BaseUnits
    holds: tuple[HeldAmount, ...]
    hold_count: int


class Reason(Value):
    """Why nothing can be moved, by the name of the error. ``pause``: what is paused, and since when."""

    name: str
    pause: dict[str, str] | None = None


class Movable(Value):
    """The largest amount that would be accepted now. If it is 0, ``reasons`` say why."""

    largest: BaseUnits
    reasons: tuple[Reason, ...]


class ConnectionMovableFunds(Value):
    """What can be allocated to a connection and taken back from it in one currency."""

    currency: str
    allocation: Movable
    deallocation: Movable
    go_account: Funds
    network_account: Funds


class AccountMovableFunds(Value):
    """What can be withdrawn from a Go Account in one currency."""

    currency: str
    withdrawal: Movable
    go_account: Funds


DeadlineKind = Annotated[Literal["dispute_window_ends", "top_up_window_ends", "closures_run"], OpenText]


class Deadline(Value):
    """What ends or happens at ``at``, and of which settlement. ``paused``: something of it is paused."""

    at: AwareDatetime
    kind: DeadlineKind
    settlement_id: str
    external_id: str
    partner_id: str
    stage: str
    paused: bool


class AccountChange(Value):
    """How much executing changes the partner's account in one currency, + it gains."""

    currency: str
    change: BaseUnits


class PartnerDeadline(Deadline):
    """With what the settlement does to the partner's account, if disputes stay as they are."""

    partner_account: tuple[AccountChange, ...]


class NetworkAccountPart(Value):
    """What executing moves on a connection (+ it gains), and what the settlement holds there now."""

    connection_id: str
    currency: str
    quantity: BaseUnits
    held: BaseUnits


class ClientDeadline(Deadline):
    """With what the settlement does to the client's connections, if disputes stay as they are."""

    network_accounts: tuple[NetworkAccountPart, ...]


class TopUp(Value):
    """What a settlement lacks on the partner's account in one currency.

    ``by``: until when it must be there; in the past, if the settlement has failed. ``total``: with all top-ups of
    the currency before it.
    """

    currency: str
    quantity: BaseUnits
    total: BaseUnits
    by: AwareDatetime
    overdue: bool
    settlement_id: str
    external_id: str


class TopUps(Value):
    """What must be topped up on the partner's account, in the order in which the settlements execute."""

    go_account_id: str
    as_of: AwareDatetime
    considered_settlements: int
    all_considered: bool
    top_ups: tuple[TopUp, ...]


class StandingTopUp(Value):
    """A partner's instruction. ``go_account_id``: where the money comes from."""

    id: str
    go_account_id: str
    currency: str
    per_settlement: BaseUnits
    created_by: str
    created_at: AwareDatetime
    revoked_by: str | None = None
    revoked_at: AwareDatetime | None = None
