"""The check of a trade before the partner gets the text to sign."""

from __future__ import annotations

from clearwindow.core.errors import InvalidRequestError
from clearwindow.core.money import AmountUnit
from clearwindow.identity.models import Member
from clearwindow.network import parties
from clearwindow.network import store as network
from clearwindow.network.models import CurrencyMap
from clearwindow.runtime import Runtime
from clearwindow.settlements.trades.models import Trade, TradedAmount


def require_reportable(runtime: Runtime, member: Member, trade: Trade) -> None:
    """Requires that the trade is between the partner's own connections and has valid amounts.

    Raises:
        PermissionDeniedError: the caller is no partner.
        InvalidRequestError: a connection is not the partner's, or a currency cannot have the amount.
    """
    with runtime.transaction() as tx:
        partner = parties.require_partner(tx, member.enterprise_id)
        sides = {
            "partyConnectionId": trade.party_connection_id,
            "counterpartyConnectionId": trade.counterparty_connection_id,
        }
        named = {name: connection_id for name, connection_id in sides.items() if connection_id is not None}
        own = network.connections_of_partner(tx, partner.id, list(named.values()))
        currencies = network.currency_map(tx, partner)
    for name, connection_id in named.items():
        if connection_id not in own:
            raise InvalidRequestError("connection_unknown", f"trade.{name}: you have no such connection")
    _require_amount("base", trade.base, currencies)
    _require_amount("quote", trade.quote, currencies)


def _require_amount(side: str, amount: TradedAmount, currencies: CurrencyMap) -> None:
    ours = currencies.to_ours(amount.currency)
    if ours is None:
        raise InvalidRequestError(
            "currency_unmapped", f"trade.{side}.currency: your configuration maps no such currency"
        )
    decimals = 0 if currencies.unit is AmountUnit.BASE else ours[1]
    if len(amount.quantity.partition(".")[2]) > decimals:
        raise InvalidRequestError(
            "amount_unfit",
            f"trade.{side}.quantity: has more decimals than the currency, or decimals where your amounts are in"
            " base units",
        )
