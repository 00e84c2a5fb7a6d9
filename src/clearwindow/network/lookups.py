"""The lookups that settlements and disputes make, many rows in one statement each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from clearwindow.database.pool import Transaction
from clearwindow.network import service, store
from clearwindow.network.values import Connection, Partner

sql = store.sql


@dataclass(frozen=True, slots=True)
class _Pair:
    id: UUID
    value: UUID


def try_lock_partner(tx: Transaction, partner_id: UUID) -> Partner | None:
    """The partner, held until the transaction ends; None where somebody else holds it now."""
    if not tx.scalars(UUID, sql["try_lock_partner"], id=partner_id):
        return None
    return partner(tx, partner_id)


def partner(tx: Transaction, partner_id: UUID) -> Partner:
    """The partner of something that names it, so that it exists."""
    found = service.partner_by_id(tx, partner_id)
    if found is None:
        raise LookupError(f"there is no partner {partner_id}")
    return found


def partner_accounts(tx: Transaction, partner_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """The Go Account of each partner."""
    return {row.id: row.value for row in tx.all(_Pair, sql["partner_accounts"], ids=list(partner_ids))}


def client_accounts(tx: Transaction, connection_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """The Go Account of the client behind each connection."""
    return {row.id: row.value for row in tx.all(_Pair, sql["client_accounts"], ids=list(connection_ids))}


def connections_by_account(tx: Transaction, partner_id: UUID, account_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """The connection of each network account of the partner."""
    values = {"partner_id": partner_id, "ids": list(account_ids)}
    return {row.id: row.value for row in tx.all(_Pair, sql["connections_by_account"], **values)}


def accounts_of_connections(tx: Transaction, partner_id: UUID, ids: Collection[UUID]) -> dict[UUID, UUID]:
    """The network account of each connection of the partner; those that are not its own are left out."""
    values = {"partner_id": partner_id, "ids": list(ids)}
    return {row.id: row.value for row in tx.all(_Pair, sql["accounts_of_connections"], **values)}


def network_account_of(tx: Transaction, connection_id: UUID) -> UUID:
    """The network account of a connection that exists."""
    connection = store.find_connection(tx, connection_id)
    if connection is None:
        raise LookupError(f"there is no connection {connection_id}")
    return connection.network_account_id


def connections_of_client(tx: Transaction, client_id: UUID) -> dict[UUID, Connection]:
    """All connections of a client, by id."""
    found = tx.all(Connection, sql["connections_of_client"], client_id=client_id)
    return {connection.id: connection for connection in found}


def group_audience(tx: Transaction) -> None:
    """Makes the temporary table ``audience``: the owners of ``informed_connection``, each with its own."""
    tx.run(sql["create_audience"])


def partners_of_accounts(tx: Transaction, go_account_ids: Collection[UUID]) -> list[UUID]:
    """The partners whose money lies on these Go Accounts."""
    return tx.scalars(UUID, sql["partners_of_accounts"], ids=list(go_account_ids))
