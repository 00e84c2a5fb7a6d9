"""What executing a settlement asks of the partner's own account, and what waits for money to come there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from clearwindow.accounts import service as accounts
from clearwindow.accounts.values import BalanceKey
from clearwindow.database.pool import Transaction
from clearwindow.network import lookups
from clearwindow.network import service as network
from clearwindow.network.values import Partner
from clearwindow.settlements import rules, store
from clearwindow.settlements.values import FundingGap


def seen_by_partner(net: Mapping[str, int]) -> dict[str, int]:
    """By how much the partner's account changes, from what its connections gain together."""
    return {currency: -quantity for currency, quantity in net.items()}


def gaps(tx: Transaction, partner: Partner, change: Mapping[str, int]) -> list[FundingGap]:
    """Where the partner's account does not cover the change; its balances stay locked."""
    keys = [BalanceKey(partner.go_account_id, currency) for currency in change]
    locked = accounts.lock_balances(tx, keys)
    return rules.funding_gaps({key.currency: balance.available for key, balance in locked.items()}, change)


def lock_partners_of(tx: Transaction, go_account_id: UUID) -> list[UUID]:
    """Holds still whatever settles over a Go Account; gives the partners whose account it is."""
    partner_ids = lookups.partners_of_accounts(tx, [go_account_id])
    for partner_id in partner_ids:
        network.lock_partner(tx, partner_id)
    return partner_ids


def wake_waiting(tx: Transaction, partner_ids: Sequence[UUID]) -> None:
    """Has settlements of these partners that wait for money tried again at once; the partners are locked."""
    if partner_ids:
        store.wake_waiting(tx, partner_ids)
