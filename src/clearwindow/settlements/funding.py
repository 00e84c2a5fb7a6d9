"""What connections and the partner's own account lack for a settlement, and what waits for money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from clearwindow.core.errors import RequestError, UnprocessableError
from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import BalanceKey, Shortfall
from clearwindow.network import parties
from clearwindow.network import store as network
from clearwindow.network.models import Partner
from clearwindow.postgres.pool import Transaction
from clearwindow.settlements import rules, store
from clearwindow.settlements.models import FundingGap


def seen_by_partner(net: Mapping[str, int]) -> dict[str, int]:
    """Returns how much the partner's account changes, from what its connections gain together."""
    return {currency: -quantity for currency, quantity in net.items()}


def gaps(tx: Transaction, partner: Partner, change: Mapping[str, int]) -> list[FundingGap]:
    """Returns the currencies in which the partner's account does not cover the change. Locks its balances."""
    keys = [BalanceKey(partner.go_account_id, currency) for currency in change]
    locked = ledger.lock_balances(tx, keys)
    return rules.funding_gaps({key.currency: balance.available for key, balance in locked.items()}, change)


def lock_partners_of(tx: Transaction, go_account_id: UUID) -> list[UUID]:
    """Locks the partners that settle over a Go Account and returns their ids."""
    partner_ids = network.partners_of_accounts(tx, [go_account_id])
    for partner_id in partner_ids:
        parties.lock_partner(tx, partner_id)
    return partner_ids


def wake_waiting(tx: Transaction, partner_ids: Sequence[UUID]) -> None:
    """Makes settlements of these locked partners that wait for money due at once."""
    if partner_ids:
        store.wake_waiting(tx, partner_ids, tx.now())


def not_covered(
    tx: Transaction,
    partner: Partner,
    short: Sequence[Shortfall],
    kind: type[RequestError] = UnprocessableError,
) -> RequestError:
    """Returns the error that names what each connection lacks of each currency."""
    listed = connection_shortfalls(tx, partner, short)
    return kind(
        "liabilities_exceed_balance",
        f"{in_words(listed)}: nothing was written; settle less, or have the clients allocate more",
        {"shortfalls": listed, "shortfallCount": len(listed)},
    )


def connection_shortfalls(tx: Transaction, partner: Partner, short: Sequence[Shortfall]) -> list[dict[str, str]]:
    """Returns one entry for each connection and currency, in our currency names and base units."""
    connections = network.connections_by_account(tx, partner.id, {gap.account_id for gap in short})
    currency_map = network.currency_map(tx, partner)
    listed = [
        {
            "connectionId": str(connections[gap.account_id]),
            "currency": gap.currency,
            **_partner_currency(currency_map.partner_names(gap.currency)),
            "liability": str(gap.liability),
            "available": str(gap.available),
            "shortfall": str(gap.shortfall),
        }
        for gap in short
    ]
    return sorted(listed, key=lambda entry: (entry["connectionId"], entry["currency"]))


def partner_shortfalls(gaps: Sequence[FundingGap]) -> list[dict[str, str]]:
    """Returns one entry for each currency that the partner's own account does not cover."""
    return [
        {
            "currency": gap.currency,
            "needed": str(gap.needed),
            "available": str(gap.available),
            "shortfall": str(gap.shortfall),
        }
        for gap in gaps
    ]


def in_words(listed: Sequence[dict[str, str]]) -> str:
    """Returns the first shortfall of a connection as words, and how many more there are."""
    first = listed[0]
    more = f" and {len(listed) - 1} more" if len(listed) > 1 else ""
    missing = f"{first['shortfall']} base units of {first['currency']}"
    return f"connection {first['connectionId']} is short of {missing}{more}"


def _partner_currency(names: Sequence[str]) -> dict[str, str]:
    # The partner's configuration may have dropped the currency since.
    return {"partnerCurrency": names[0]} if names else {}
