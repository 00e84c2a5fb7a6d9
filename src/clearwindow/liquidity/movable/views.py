"""What the owner of a Go Account or a connection can move now."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from clearwindow.allocations import transitions
from clearwindow.core.errors import NotFoundError
from clearwindow.core.ids import parse_go_account_id
from clearwindow.custody import store as custody
from clearwindow.identity.models import Member
from clearwindow.ledger.models import Balance
from clearwindow.liquidity.movable import rules, store
from clearwindow.liquidity.movable.models import Funds, OfAccount, OfConnection
from clearwindow.network import store as network
from clearwindow.pauses import store as pauses
from clearwindow.pauses.models import Touched
from clearwindow.runtime import Runtime

_NOTHING: Final = Funds(Balance(0, 0))


def of_connection(runtime: Runtime, member: Member, connection_id: UUID) -> list[OfConnection]:
    """Returns what a client can allocate to a connection and take back from it, by currency.

    Raises:
        NotFoundError: the client has no such connection.
    """
    with runtime.transaction() as tx:
        tx.read_one_snapshot()
        parties = transitions.parties_of_request(tx, member, connection_id)
        client, partner = parties.client, parties.partner
        own = store.funds_of(tx, client.go_account_id)
        allocated = store.funds_of(tx, parties.connection.network_account_id, partner.id)
        licensed = network.licences(tx, member.enterprise_id, [partner.id])[partner.id].licensed
        currencies = sorted(own.keys() | allocated.keys())
        touched = Touched([partner.id], [client.id], currencies, [client.go_account_id])
        standing = pauses.seen_among(tx, touched)
    found = []
    for currency in currencies:
        go, there = own.get(currency, _NOTHING), allocated.get(currency, _NOTHING)
        allocation = rules.allocatable(parties, currency, go.balance, standing, licensed=licensed)
        deallocation = rules.deallocatable(parties, currency, there.balance, standing)
        found.append(OfConnection(currency, go, there, allocation, deallocation))
    return found


def of_account(runtime: Runtime, member: Member, go_account_id: str) -> list[OfAccount]:
    """Returns what can be withdrawn from a Go Account of the enterprise, by currency.

    Raises:
        NotFoundError: the enterprise has no such Go Account.
    """
    with runtime.transaction() as tx:
        tx.read_one_snapshot()
        known = parse_go_account_id(go_account_id)
        account = custody.find_go_account(tx, known) if known else None
        if account is None or account.enterprise_id != member.enterprise_id:
            raise NotFoundError("go_account_unknown", "the enterprise has no Go Account with this id")
        funds = store.funds_of(tx, account.id)
        standing = pauses.seen_for_account(tx, account.id)
    return [
        OfAccount(currency, each, rules.withdrawable(currency, each.balance, standing))
        for currency, each in sorted(funds.items())
    ]
