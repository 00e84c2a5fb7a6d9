"""What other nouns may ask of the network: who is partner or client, whose a connection is, a partner's names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from clearwindow.accounts import service as accounts
from clearwindow.database.pool import Transaction
from clearwindow.errors import PermissionDeniedError
from clearwindow.network import store
from clearwindow.network.values import Client, Connection, CurrencyMap, MappedCurrency, Partner, PartnerFilter


def partner_of(tx: Transaction, enterprise_id: str) -> Partner | None:
    """The partner that the enterprise is."""
    return store.find_partner(tx, enterprise_id=enterprise_id)


def require_partner(tx: Transaction, enterprise_id: str) -> Partner:
    """The partner that the enterprise is, before anything else of a partner's request is looked at."""
    partner = partner_of(tx, enterprise_id)
    if partner is None:
        raise PermissionDeniedError("not_a_partner", "the enterprise is not a partner: make it one first")
    return partner


def partner_by_id(tx: Transaction, partner_id: UUID) -> Partner | None:
    return store.find_partner(tx, partner_id=partner_id)


def partners_by_id(tx: Transaction, partner_ids: Collection[UUID]) -> dict[UUID, Partner]:
    wanted = PartnerFilter(ids=list(partner_ids))
    found = store.list_partners(tx, wanted, limit=len(partner_ids), offset=0).items
    return {partner.id: partner for partner in found}


def lock_partner(tx: Transaction, partner_id: UUID) -> Partner:
    """The partner, held until the transaction ends: whoever stages or executes its settlements goes alone."""
    if not store.lock_partner(tx, partner_id):
        raise LookupError(f"there is no partner {partner_id}")
    # Read after the lock: what the partner was while we waited does not count.
    partner = store.find_partner(tx, partner_id=partner_id)
    if partner is None:
        raise LookupError(f"the partner {partner_id} vanished under its lock")
    return partner


def client_of(tx: Transaction, enterprise_id: str) -> Client | None:
    """The client that the enterprise is."""
    return store.find_client(tx, enterprise_id=enterprise_id)


def require_client(tx: Transaction, enterprise_id: str) -> Client:
    """The client that the enterprise is, before anything else of a client's request is looked at."""
    client = client_of(tx, enterprise_id)
    if client is None:
        raise PermissionDeniedError("not_a_client", "the enterprise is not a client: make it one first")
    return client


def client_by_id(tx: Transaction, client_id: UUID) -> Client | None:
    return store.find_client(tx, client_id=client_id)


def connection_of_client(tx: Transaction, client_id: UUID, connection_id: UUID) -> Connection | None:
    """The connection, where it is this client's; None for another's as for one that does not exist."""
    connection = store.find_connection(tx, connection_id)
    return connection if connection and connection.client_id == client_id else None


def connection_of_partner(tx: Transaction, partner_id: UUID, connection_id: UUID) -> Connection | None:
    connection = store.find_connection(tx, connection_id)
    return connection if connection and connection.partner_id == partner_id else None


def connections_of_partner(
    tx: Transaction, partner_id: UUID, connection_ids: Sequence[UUID]
) -> dict[UUID, Connection]:
    """Those among the ids that are connections of this partner, in one statement however many there are."""
    found = store.partner_connections(tx, partner_id, connection_ids)
    return {connection.id: connection for connection in found}


def owners(tx: Transaction, connection_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The enterprise that owns each connection."""
    return store.owners(tx, connection_ids)


def currency_map(tx: Transaction, partner: Partner) -> CurrencyMap:
    return currency_maps(tx, [partner])[partner.id]


def currency_maps(tx: Transaction, partners: Iterable[Partner]) -> dict[UUID, CurrencyMap]:
    """The currency map of each partner, by partner id."""
    wanted = list(partners)
    rows = store.partner_currencies(tx, {partner.enterprise_id for partner in wanted})
    known = accounts.currencies(tx, sorted({row.currency for row in rows}))
    mapped: dict[str, dict[str, MappedCurrency]] = {}
    for row in rows:
        ours = known[row.currency]
        names = mapped.setdefault(row.enterprise_id, {})
        names[row.partner_name] = MappedCurrency(ours.name, ours.decimals, ours.backing)
    return {
        partner.id: CurrencyMap(partner.amount_unit, mapped.get(partner.enterprise_id, {})) for partner in wanted
    }
