"""What a settlement is short of, as a partner is told."""

from __future__ import annotations

from collections.abc import Sequence

from clearwindow.accounts.values import Shortfall
from clearwindow.database.pool import Transaction
from clearwindow.errors import RequestError, UnprocessableError
from clearwindow.network import lookups
from clearwindow.network import service as network
from clearwindow.network.values import Partner
from clearwindow.settlements.values import FundingGap


def of_connections(tx: Transaction, partner: Partner, short: Sequence[Shortfall]) -> list[dict[str, str]]:
    """One entry for each connection and currency, in our names and base units."""
    connections = lookups.connections_by_account(tx, partner.id, {gap.account_id for gap in short})
    currency_map = network.currency_map(tx, partner)
    listed = [
        {
            "connectionId": str(connections[gap.account_id]),
            "currency": gap.currency,
            **currency_names(currency_map.partner_names(gap.currency)),
            "liability": str(gap.liability),
            "available": str(gap.available),
            "shortfall": str(gap.shortfall),
        }
        for gap in short
    ]
    return sorted(listed, key=lambda entry: (entry["connectionId"], entry["currency"]))


def of_partner(gaps: Sequence[FundingGap]) -> list[dict[str, str]]:
    """One entry for each currency that the partner's own account does not cover."""
    return [
        {
            "currency": gap.currency,
            "needed": str(gap.needed),
            "available": str(gap.available),
            "shortfall": str(gap.shortfall),
        }
        for gap in gaps
    ]


def not_covered(
    tx: Transaction,
    partner: Partner,
    short: Sequence[Shortfall],
    kind: type[RequestError] = UnprocessableError,
) -> RequestError:
    """Says of each connection and currency what it is short of."""
    listed = of_connections(tx, partner, short)
    return kind(
        "liabilities_exceed_balance",
        f"{in_words(listed)}: nothing was written; settle less, or have the clients allocate more",
        {"shortfalls": listed, "shortfallCount": len(listed)},
    )


def in_words(listed: Sequence[dict[str, str]]) -> str:
    """The first of the connections' entries, and how many more there are."""
    first = listed[0]
    more = f" and {len(listed) - 1} more" if len(listed) > 1 else ""
    missing = f"{first['shortfall']} base units of {first['currency']}"
    return f"connection {first['connectionId']} is short of {missing}{more}"


def currency_names(names: Sequence[str]) -> dict[str, str]:
    """The partner's own name of a currency, where its configuration still has one."""
    return {"partnerCurrency": names[0]} if names else {}
