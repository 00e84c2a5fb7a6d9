"""The calendar on the wire. All quantities are base units of our currencies, as texts."""

from __future__ import annotations

from typing import Literal, Self, TypeAlias

from pydantic import model_validator

from clearwindow.api.filters import CursorPage, Many, Moment, require_range
from clearwindow.api.schema import WireModel
from clearwindow.core.clock import wire_time
from clearwindow.liquidity.calendar.models import (
    ClientCalendar,
    Deadline,
    DeadlineFilter,
    DeadlineKind,
    PartnerCalendar,
)

Kinds: TypeAlias = Many[Literal["dispute_window_ends", "top_up_window_ends", "closures_run"]]


class CalendarFilters(CursorPage):
    """``before`` is exclusive, ``onOrAfter`` inclusive."""

    on_or_after: Moment = None
    before: Moment = None
    kinds: Kinds = None

    @model_validator(mode="after")
    def _require_a_range(self) -> Self:
        require_range(self.on_or_after, self.before, names=("onOrAfter", "before"))
        return self

    def to_model(self) -> DeadlineFilter:
        kinds = None if self.kinds is None else [DeadlineKind(kind) for kind in self.kinds]
        return DeadlineFilter(self.on_or_after, self.before, kinds)


class DeadlineOutput(WireModel):
    """What ends or happens at ``at``, and of which settlement. ``paused``: something of it is paused."""

    at: str
    kind: str
    settlement_id: str
    external_id: str
    partner_id: str
    stage: str
    paused: bool


class ChangeOutput(WireModel):
    """How much executing changes the partner's account in one currency, + it gains."""

    currency: str
    change: str


class PartnerDeadlineOutput(DeadlineOutput):
    """``partnerAccount``: what the settlement does to the partner's account, if disputes stay as they are."""

    partner_account: list[ChangeOutput]


class PartnerCalendarAnswer(WireModel):
    """The deadlines of the partner's open settlements, the earliest first."""

    deadlines: list[PartnerDeadlineOutput]


class PartOutput(WireModel):
    """What executing moves on a connection (+ it gains), and what the settlement holds there now."""

    connection_id: str
    currency: str
    quantity: str
    held: str


class ClientDeadlineOutput(DeadlineOutput):
    """``networkAccounts``: what the settlement does to the client's connections, if disputes stay as they are."""

    network_accounts: list[PartOutput]


class ClientCalendarAnswer(WireModel):
    """The deadlines of the open settlements that a connection of the client is in, the earliest first."""

    deadlines: list[ClientDeadlineOutput]


def partner_answer(found: PartnerCalendar) -> PartnerCalendarAnswer:
    return PartnerCalendarAnswer(
        deadlines=[
            PartnerDeadlineOutput.model_validate(
                _fields(one)
                | {
                    "partner_account": [
                        ChangeOutput(currency=currency, change=str(quantity))
                        for currency, quantity in sorted(found.changes[one.settlement_id].items())
                    ]
                }
            )
            for one in found.page.items
        ]
    )


def client_answer(found: ClientCalendar) -> ClientCalendarAnswer:
    return ClientCalendarAnswer(
        deadlines=[
            ClientDeadlineOutput.model_validate(
                _fields(one)
                | {
                    "network_accounts": [
                        PartOutput(
                            connection_id=str(part.connection_id),
                            currency=part.currency,
                            quantity=str(part.quantity),
                            held=str(part.held),
                        )
                        for part in found.parts[one.settlement_id]
                    ]
                }
            )
            for one in found.page.items
        ]
    )


def _fields(one: Deadline) -> dict[str, object]:
    return {
        "at": wire_time(one.at),
        "kind": one.kind.value,
        "settlement_id": str(one.settlement_id),
        "external_id": one.external_id,
        "partner_id": str(one.partner_id),
        "stage": one.state.value,
        "paused": one.paused,
    }
