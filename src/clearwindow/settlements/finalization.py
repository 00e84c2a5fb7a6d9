"""The call that gives a partner the final amounts once the dispute window has ended. Protocol §5 and §8."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clearwindow.core.clock import wire_time
from clearwindow.core.money import to_partner_amount
from clearwindow.network import store as network
from clearwindow.network.models import CurrencyMap, Partner
from clearwindow.partner_calls import calls
from clearwindow.partner_calls.models import Callee, Operation
from clearwindow.postgres.paging import Slice
from clearwindow.postgres.pool import Transaction
from clearwindow.settlements.disputes import views as dispute_views
from clearwindow.settlements.disputes.models import DisputeFilter
from clearwindow.settlements.disputes.schemas import dispute_with_closure
from clearwindow.settlements.models import Settlement
from clearwindow.settlements.transfers import store as transfers
from clearwindow.settlements.transfers.models import FinalAmount


def owe_final_amounts(tx: Transaction, partner: Partner, settlement: Settlement) -> None:
    """Queues the call if the partner has an endpoint. The top-up deadline does not depend on its answer."""
    if not calls.endpoint_of(tx, partner.enterprise_id).is_called:
        return
    finals = [] if settlement.is_without_new else transfers.final_amounts(tx, settlement.id)
    count = len(transfers.party_connections(tx, settlement.id))
    raised = DisputeFilter(settlement_ids=[settlement.id], show_retracted=False, part=Slice.of(count))
    settling = DisputeFilter(settled_in_settlement_ids=[settlement.id], part=Slice.of(count))
    amounts = in_partner_terms(finals, network.currency_map(tx, partner))
    _owe(tx, partner, settlement, amounts, _disputes(tx, raised), _disputes(tx, settling))


def owe_final_amounts_of_each(tx: Transaction, partner: Partner, settlements: Sequence[Settlement]) -> None:
    """Queues the calls for settlements that nobody disputes and that settle no disputes."""
    if not calls.endpoint_of(tx, partner.enterprise_id).is_called:
        return
    finals = transfers.final_amounts_of(tx, [settlement.id for settlement in settlements])
    currencies = network.currency_map(tx, partner)
    with tx.together():
        for settlement in settlements:
            _owe(tx, partner, settlement, in_partner_terms(finals[settlement.id], currencies), [], [])


def _owe(
    tx: Transaction,
    partner: Partner,
    settlement: Settlement,
    amounts: dict[str, Any],
    disputes: list[dict[str, Any]],
    settling_disputes: list[dict[str, Any]],
) -> None:
    body = {
        "settlementId": str(settlement.id),
        "externalId": settlement.external_id,
        "settlementAmounts": amounts,
        "disputes": disputes,
        "settlingDisputes": settling_disputes,
        "topUpDeadline": wire_time(settlement.top_up_deadline_at),
    }
    callee = Callee(partner.id, partner.enterprise_id)
    calls.owe(tx, callee, Operation.SETTLEMENT_FINALIZE, settlement.id, body)


def in_partner_terms(finals: list[FinalAmount], currencies: CurrencyMap) -> dict[str, Any]:
    """Returns the amounts in the form of the request: by connection, or by counterparty and connection.

    Currencies have the partner's names. A currency that it no longer maps keeps our name.
    """
    names = {
        currency: (currencies.partner_names(currency)[0], mapped.decimals)
        for currency, mapped in currencies.currencies().items()
    }
    amounts: dict[str, Any] = {}
    for final in finals:
        source = final.counterparty_connection_id
        destinations = amounts if source is None else amounts.setdefault(str(source), {})
        own = destinations.setdefault(str(final.connection_id), {})
        known = names.get(final.currency)
        if known is None:
            own[final.currency] = str(final.quantity)
        else:
            own[known[0]] = to_partner_amount(final.quantity, currencies.unit, known[1])
    return amounts


def _disputes(tx: Transaction, wanted: DisputeFilter) -> list[dict[str, Any]]:
    return [
        dispute_with_closure(detail).model_dump(mode="json", by_alias=True, exclude_unset=True)
        for detail in dispute_views.describe(tx, wanted).items
    ]
