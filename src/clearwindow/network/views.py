"""Reads of partners, connections, currencies and balances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from clearwindow.core.errors import InvalidRequestError
from clearwindow.custody import store as custody
from clearwindow.custody.models import Currency
from clearwindow.identity.models import Member
from clearwindow.ledger import store as ledger
from clearwindow.network import parties, rules, store
from clearwindow.network.models import (
    ClientFunds,
    Connection,
    ConnectionFilter,
    CurrencyMap,
    Partner,
    PartnerConfiguration,
    PartnerFilter,
    PartnerFunds,
    PartnerLicence,
)
from clearwindow.partner_calls import store as partner_calls
from clearwindow.partner_calls.models import CallFilter, ListedCall, Standing
from clearwindow.postgres.paging import Listing, Slice
from clearwindow.runtime import Runtime


def list_partners(
    runtime: Runtime, member: Member, wanted: PartnerFilter, part: Slice
) -> tuple[Listing[Partner], dict[UUID, PartnerLicence]]:
    """Returns a page of the partners, and the licence of the member's enterprise for each of them."""
    with runtime.transaction() as tx:
        page = store.list_partners(tx, wanted, part)
        return page, store.licences(tx, member.enterprise_id, [partner.id for partner in page.items])


def supported_currencies(runtime: Runtime, partner_ids: Sequence[UUID]) -> dict[UUID, CurrencyMap]:
    """Returns the currency map of each partner. All of the partners must exist."""
    with runtime.transaction() as tx:
        partners = store.partners_by_id(tx, partner_ids)
        missing = set(partner_ids) - set(partners)
        if missing:
            raise InvalidRequestError("partner_unknown", f"partnerIds: there is no partner {min(missing)}")
        return store.currency_maps(tx, partners.values())


def network_currencies(
    runtime: Runtime, member: Member
) -> tuple[Mapping[str, Currency], PartnerConfiguration | None]:
    """Returns the network's currencies by name, and the enterprise's own configuration as a partner, if any."""
    with runtime.transaction() as tx:
        known = custody.currencies(tx)
        return known, store.find_configuration(tx, member.enterprise_id)


def client_connection(runtime: Runtime, member: Member, connection_id: UUID) -> Connection:
    with runtime.transaction() as tx:
        client = parties.require_client(tx, member.enterprise_id)
        connection = store.connection_of_client(tx, client.id, connection_id)
    if connection is None:
        raise rules.unknown_connection()
    return connection


def partner_connection(runtime: Runtime, member: Member, connection_id: UUID) -> Connection:
    with runtime.transaction() as tx:
        partner = parties.require_partner(tx, member.enterprise_id)
        connection = store.connection_of_partner(tx, partner.id, connection_id)
    if connection is None:
        raise rules.unknown_connection()
    return connection


def client_connections(
    runtime: Runtime, member: Member, wanted: ConnectionFilter, part: Slice
) -> Listing[Connection]:
    with runtime.transaction() as tx:
        client = parties.require_client(tx, member.enterprise_id)
        return store.list_connections(tx, replace(wanted, client_id=client.id), part)


def partner_connections(
    runtime: Runtime, member: Member, wanted: ConnectionFilter, part: Slice
) -> Listing[Connection]:
    with runtime.transaction() as tx:
        partner = parties.require_partner(tx, member.enterprise_id)
        return store.list_connections(tx, replace(wanted, partner_id=partner.id), part)


def own_endpoint(runtime: Runtime, member: Member) -> tuple[Standing, bool, datetime]:
    """Returns how the partner's own endpoint stands, whether it has an address, and the moment of both."""
    with runtime.transaction() as tx:
        partner = parties.require_partner(tx, member.enterprise_id)
        standing, endpoint = partner_calls.standing_of(tx, partner.id, partner.enterprise_id)
        return standing, endpoint.is_called, tx.now()


def own_calls(runtime: Runtime, member: Member, wanted: CallFilter, part: Slice) -> Listing[ListedCall]:
    """Returns a page of the calls to the partner's own endpoint."""
    with runtime.transaction() as tx:
        partner = parties.require_partner(tx, member.enterprise_id)
        return partner_calls.list_calls(tx, replace(wanted, partner_ids=[partner.id]), part)


def client_funds(runtime: Runtime, member: Member, wanted: ConnectionFilter, part: Slice) -> ClientFunds:
    """Returns the balances of the client's Go Account, and of one page of its network accounts."""
    with runtime.transaction() as tx:
        client = parties.require_client(tx, member.enterprise_id)
        page = store.list_connections(tx, replace(wanted, client_id=client.id), part)
        accounts = [client.go_account_id, *(connection.network_account_id for connection in page.items)]
        balances = ledger.balances_of(tx, accounts)
        partners = store.partners_by_id(tx, {connection.partner_id for connection in page.items})
    rows = [
        (connection, partners[connection.partner_id], balances[connection.network_account_id])
        for connection in page.items
    ]
    return ClientFunds(client, balances[client.go_account_id], page.of(rows))


def partner_funds(runtime: Runtime, member: Member, wanted: ConnectionFilter, part: Slice) -> PartnerFunds:
    """Returns the balances of the partner's Go Account, and of one page of the network accounts at it."""
    with runtime.transaction() as tx:
        partner = parties.require_partner(tx, member.enterprise_id)
        page = store.list_connections(tx, replace(wanted, partner_id=partner.id), part)
        accounts = [partner.go_account_id, *(connection.network_account_id for connection in page.items)]
        balances = ledger.balances_of(tx, accounts)
        currencies = store.currency_map(tx, partner)
    named = {account_id: rules.by_partner_names(own, currencies) for account_id, own in balances.items()}
    rows = [(connection, named[connection.network_account_id]) for connection in page.items]
    return PartnerFunds(named[partner.go_account_id], page.of(rows))
