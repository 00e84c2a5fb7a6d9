"""What a client has at its partners, and what a partner's clients have at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from clearwindow.access.values import Member
from clearwindow.accounts import service as accounts
from clearwindow.accounts.values import Balance
from clearwindow.network import service, store
from clearwindow.network.values import Client, Connection, ConnectionFilter, CurrencyMap, Partner
from clearwindow.runtime import Runtime


@dataclass(frozen=True, slots=True)
class ClientView:
    client: Client
    go_account: Mapping[str, Balance]
    connections: Sequence[tuple[Connection, Partner, Mapping[str, Balance]]]
    total: int


@dataclass(frozen=True, slots=True)
class PartnerView:
    go_account: Mapping[str, Balance]
    connections: Sequence[tuple[Connection, Mapping[str, Balance]]]
    currencies: CurrencyMap
    total: int


def of_client(runtime: Runtime, member: Member, wanted: ConnectionFilter, *, limit: int, offset: int) -> ClientView:
    """The client's Go Account, and a page of its connections' network accounts."""
    with runtime.transaction() as tx:
        client = service.require_client(tx, member.enterprise_id)
        page = store.list_connections(tx, replace(wanted, client_id=client.id), limit=limit, offset=offset)
        accounts_read = [client.go_account_id, *(connection.network_account_id for connection in page.items)]
        balances = accounts.balances_of(tx, accounts_read)
        partners = service.partners_by_id(tx, {connection.partner_id for connection in page.items})
    rows = [
        (connection, partners[connection.partner_id], balances[connection.network_account_id])
        for connection in page.items
    ]
    return ClientView(client, balances[client.go_account_id], rows, page.total)


def of_partner(
    runtime: Runtime, member: Member, wanted: ConnectionFilter, *, limit: int, offset: int
) -> PartnerView:
    """The partner's Go Account, and a page of the network accounts at it."""
    with runtime.transaction() as tx:
        partner = service.require_partner(tx, member.enterprise_id)
        page = store.list_connections(tx, replace(wanted, partner_id=partner.id), limit=limit, offset=offset)
        accounts_read: list[UUID] = [partner.go_account_id]
        accounts_read += [connection.network_account_id for connection in page.items]
        balances = accounts.balances_of(tx, accounts_read)
        currencies = service.currency_map(tx, partner)
    rows = [(connection, balances[connection.network_account_id]) for connection in page.items]
    return PartnerView(balances[partner.go_account_id], rows, currencies, page.total)
