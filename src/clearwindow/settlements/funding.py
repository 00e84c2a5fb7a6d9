"""What connections and the partner's own account lack for a settlement, and what waits for money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from clearwindow.core.errors import RequestError, UnprocessableError
from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import BalanceKey, Balances, Shortfall
from clearwindow.network import parties
from clearwindow.network import store as network
from clearwindow.network.models import Partner
from clearwindow.postgres.pool import Transaction
from clearwindow.settlements import rules, store
from clearwindow.settlements.models import FundingGap
from clearwindow.standing_top_ups import store as standing_top_ups
from clearwindow.standing_top_ups import use
from clearwindow.standing_top_ups.models import Source, TopUp
from clearwindow.standing_top_ups.rules import cover


def seen_by_partner(net: Mapping[str, int]) -> dict[str, int]:
    """Returns how much the partner's account changes, from what its connections gain together."""
    return {currency: -quantity for currency, quantity in net.items()}


@dataclass(frozen=True, slots=True)
class Plan:
    """How a change of the partner's account is paid.

    Attributes:
        gaps: the currencies that nothing covers.
        top_ups: what standing top-ups bring. If there is any, there is no gap.
        locked: the balances that were looked at.
    """

    gaps: Sequence[FundingGap]
    top_ups: Sequence[TopUp]
    locked: Balances


def gaps(tx: Transaction, partner: Partner, change: Mapping[str, int]) -> list[FundingGap]:
    """Returns the currencies in which the partner's account does not cover the change. Locks its balances."""
    keys = [BalanceKey(partner.go_account_id, currency) for currency in change]
    locked = ledger.lock_balances(tx, keys)
    return rules.funding_gaps({key.currency: balance.available for key, balance in locked.items()}, change)


def plan(tx: Transaction, partner: Partner, change: Mapping[str, int]) -> Plan:
    """Returns how the change is paid, with standing top-ups if the account lacks something. Locks the balances.

    Those of the account and of what tops it up are locked by one call, in the one order.
    """
    standing = use.usable(tx, partner, [currency for currency, quantity in change.items() if quantity < 0])
    keys = [BalanceKey(partner.go_account_id, currency) for currency in change]
    keys += [BalanceKey(one.go_account_id, one.currency) for one in standing]
    locked = ledger.lock_balances(tx, keys)
    own = {key.currency: locked[key].available for key in locked if key.account_id == partner.go_account_id}
    short = rules.funding_gaps(own, change)
    sources = {
        one.currency: Source(one, locked[BalanceKey(one.go_account_id, one.currency)].available) for one in standing
    }
    top_ups = cover({gap.currency: gap.shortfall for gap in short}, sources)
    return Plan([] if top_ups else short, top_ups, locked)


def lock_partners_of(tx: Transaction, go_account_id: UUID) -> list[UUID]:
    """Locks the partners that settle over a Go Account, or have a standing top-up from it. Returns their ids."""
    found = {
        *network.partners_of_accounts(tx, [go_account_id]),
        *standing_top_ups.partners_drawing_on(tx, go_account_id),
    }
    partner_ids = sorted(found)
    for partner_id in partner_ids:
        parties.lock_partner(tx, partner_id)
    return partner_ids


def settles_over(tx: Transaction, go_account_id: UUID) -> bool:
    """Returns whether a partner settles over a Go Account."""
    return bool(network.partners_of_accounts(tx, [go_account_id]))


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
