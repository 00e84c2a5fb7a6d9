"""Top-ups on the wire. All quantities are base units of our currencies, as texts."""

from __future__ import annotations

from clearwindow.api.filters import Flag
from clearwindow.api.schema import RequestModel, WireModel
from clearwindow.core.clock import wire_time
from clearwindow.liquidity.top_ups.models import TopUp, TopUps


class TopUpQuery(RequestModel):
    """``worstCase``: every client disputes what it would lose, as long as it can."""

    worst_case: Flag = None


class TopUpOutput(WireModel):
    """What a settlement lacks in one currency, if all before it in the list have been topped up.

    ``by``: until when it must be there; in the past, if the settlement has failed, and then ``overdue``. ``total``:
    the sum of this currency up to here.
    """

    currency: str
    quantity: str
    total: str
    by: str
    overdue: bool
    settlement_id: str
    external_id: str


class TopUpsAnswer(WireModel):
    """What must be topped up on the partner's Go Account, in the order in which the settlements execute.

    ``consideredSettlements`` counts the open settlements that were looked at; ``allConsidered`` is false if there
    are more.
    """

    go_account_id: str
    as_of: str
    considered_settlements: int
    all_considered: bool
    top_ups: list[TopUpOutput]


def top_ups_answer(found: TopUps) -> TopUpsAnswer:
    return TopUpsAnswer(
        go_account_id=found.go_account_id.hex,
        as_of=wire_time(found.as_of),
        considered_settlements=found.considered,
        all_considered=found.whole,
        top_ups=[_top_up(one, found) for one in found.needed],
    )


def _top_up(one: TopUp, found: TopUps) -> TopUpOutput:
    return TopUpOutput(
        currency=one.currency,
        quantity=str(one.quantity),
        total=str(one.total),
        by=wire_time(one.by),
        overdue=one.by <= found.as_of,
        settlement_id=str(one.settlement_id),
        external_id=found.external_ids[one.settlement_id],
    )
