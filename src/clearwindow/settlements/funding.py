"""What executing a settlement asks of the partner's own account."""

from __future__ import annotations

from collections.abc import Mapping

from clearwindow.accounts import service as accounts
from clearwindow.accounts.values import BalanceKey
from clearwindow.database.pool import Transaction
from clearwindow.network.values import Partner
from clearwindow.settlements import rules
from clearwindow.settlements.values import FundingGap


def seen_by_partner(net: Mapping[str, int]) -> dict[str, int]:
    """By how much the partner's account changes, from what its connections gain together."""
    return {currency: -quantity for currency, quantity in net.items()}


def gaps(tx: Transaction, partner: Partner, change: Mapping[str, int]) -> list[FundingGap]:
    """Where the partner's account does not cover the change; its balances stay locked."""
    keys = [BalanceKey(partner.go_account_id, currency) for currency in change]
    locked = accounts.lock_balances(tx, keys)
    return rules.funding_gaps({key.currency: balance.available for key, balance in locked.items()}, change)
