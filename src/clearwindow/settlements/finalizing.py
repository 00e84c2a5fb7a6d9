"""Telling a partner that is called what is final, once the dispute window has ended. Protocol §5 and §8."""

from __future__ import annotations

from typing import Any

from clearwindow.clock import wire_time
from clearwindow.database.pool import Transaction
from clearwindow.disputes import service as disputes
from clearwindow.disputes.values import DisputeFilter
from clearwindow.money import to_partner_amount
from clearwindow.network import service as network
from clearwindow.network.values import CurrencyMap, Partner
from clearwindow.partnercalls import service as calls
from clearwindow.partnercalls.values import Callee, Operation
from clearwindow.runtime import Runtime
from clearwindow.settlements.values import Settlement
from clearwindow.transfers import service as transfers
from clearwindow.transfers.values import FinalAmount


def owe_final_amounts(tx: Transaction, runtime: Runtime, partner: Partner, settlement: Settlement) -> None:
    """Writes that the partner is owed the final amounts; its answer, or none, does not move the deadline."""
    if not calls.endpoint_of(tx, partner.enterprise_id).is_called:
        return
    finals = transfers.final_amounts(tx, settlement.id)
    some = len(transfers.party_connections(tx, settlement.id))
    raised = DisputeFilter(settlement_ids=[settlement.id], show_retracted=False, limit=some)
    settling = DisputeFilter(settled_in_settlement_ids=[settlement.id], limit=some)
    body = {
        "settlementId": str(settlement.id),
        "externalId": settlement.external_id,
        "settlementAmounts": in_partner_terms(finals, network.currency_map(tx, partner)),
        "disputes": _described(tx, raised),
        "settlingDisputes": _described(tx, settling),
        "topUpDeadline": wire_time(settlement.top_up_deadline_at),
    }
    callee = Callee(partner.id, partner.enterprise_id)
    calls.owe(tx, runtime, callee, Operation.SETTLEMENT_FINALIZE, settlement.id, body)


def in_partner_terms(finals: list[FinalAmount], currencies: CurrencyMap) -> dict[str, Any]:
    """The amounts in the form in which they were given: per connection, or per counterparty and connection.

    Currencies have the partner's own names; one that it maps no more stays under ours.
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
            own[final.currency] = str(int(final.quantity))
        else:
            own[known[0]] = to_partner_amount(int(final.quantity), currencies.unit, known[1])
    return amounts


def _described(tx: Transaction, wanted: DisputeFilter) -> list[dict[str, Any]]:
    return [
        dispute.model_dump(mode="json", by_alias=True, exclude_unset=True)
        for dispute in disputes.describe(tx, wanted).items
    ]
