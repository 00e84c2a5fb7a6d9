"""Reads of all partners, clients, connections and partner configurations, for operators."""

from __future__ import annotations

from uuid import UUID

from clearwindow.core.errors import NotFoundError
from clearwindow.network import store
from clearwindow.network.models import (
    Client,
    Connection,
    Partner,
    PartnerConfiguration,
    PartnerLicence,
    SearchedClients,
    SearchedConfigurations,
    SearchedConnections,
    SearchedLicences,
    SearchedPartners,
)
from clearwindow.partner_calls import store as partner_calls
from clearwindow.partner_calls.models import Endpoint
from clearwindow.postgres.paging import Listing, Slice
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime


def list_partners(runtime: Runtime, wanted: SearchedPartners, part: Slice) -> Listing[Partner]:
    with runtime.transaction() as tx:
        return store.search_partners(tx, wanted, part)


def get_partner(runtime: Runtime, partner_id: UUID) -> Partner:
    with runtime.transaction() as tx:
        found = store.find_partner(tx, partner_id=partner_id)
    if found is None:
        raise NotFoundError("partner_unknown", "there is no partner with this id")
    return found


def list_clients(runtime: Runtime, wanted: SearchedClients, part: Slice) -> Listing[Client]:
    with runtime.transaction() as tx:
        return store.search_clients(tx, wanted, part)


def get_client(runtime: Runtime, client_id: UUID) -> Client:
    with runtime.transaction() as tx:
        found = store.find_client(tx, client_id=client_id)
    if found is None:
        raise NotFoundError("client_unknown", "there is no client with this id")
    return found


def list_connections(runtime: Runtime, wanted: SearchedConnections, part: Slice) -> Listing[Connection]:
    with runtime.transaction() as tx:
        return store.search_connections(tx, wanted, part)


def get_connection(runtime: Runtime, connection_id: UUID) -> Connection:
    with runtime.transaction() as tx:
        found = store.find_connection(tx, connection_id)
    if found is None:
        raise NotFoundError("connection_unknown", "there is no connection with this id")
    return found


def list_configurations(
    runtime: Runtime, wanted: SearchedConfigurations, part: Slice
) -> Listing[tuple[PartnerConfiguration, Endpoint]]:
    """Returns configurations by the ids of their enterprises, each with the partner's endpoint."""
    with runtime.transaction() as tx:
        page = store.search_configurations(tx, wanted, part)
        return Listing(_with_endpoints(tx, page.items), page.total, page.exact, page.after)


def list_licences(runtime: Runtime, wanted: SearchedLicences, part: Slice) -> Listing[PartnerLicence]:
    """Returns the licences for partners that somebody has changed, by the ids of enterprises and partners."""
    with runtime.transaction() as tx:
        return store.search_licences(tx, wanted, part)


def get_configuration(runtime: Runtime, enterprise_id: str) -> tuple[PartnerConfiguration, Endpoint]:
    with runtime.transaction() as tx:
        found = store.find_configuration(tx, enterprise_id)
        if found is None:
            raise NotFoundError(
                "partner_configuration_unknown", "the enterprise does not exist or has no partner configuration"
            )
        return _with_endpoints(tx, [found])[0]


def _with_endpoints(
    tx: Transaction, found: list[PartnerConfiguration]
) -> list[tuple[PartnerConfiguration, Endpoint]]:
    endpoints = partner_calls.endpoints_of(tx, [each.enterprise_id for each in found])
    # A configuration of a version before endpoints has none.
    none = {each.enterprise_id: Endpoint(each.enterprise_id, None, {}, async_allocations=False) for each in found}
    known = none | endpoints
    return [(each, known[each.enterprise_id]) for each in found]
