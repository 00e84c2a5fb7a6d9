"""Who an allocation is between, and whose balances it moves."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from clearwindow.access.values import Member
from clearwindow.accounts.values import BalanceKey
from clearwindow.allocations import rules
from clearwindow.allocations.values import Allocation, AllocationType
from clearwindow.database.pool import Transaction
from clearwindow.errors import NotFoundError
from clearwindow.network import lookups
from clearwindow.network import service as network
from clearwindow.network.values import Client, Connection, CurrencyMap, Partner


@dataclass(frozen=True, slots=True)
class Parties:
    client: Client
    partner: Partner
    connection: Connection
    currencies: CurrencyMap

    def ends(self, kind: AllocationType, currency: str) -> tuple[BalanceKey, BalanceKey]:
        """(source, destination) of the funds."""
        go_account = BalanceKey(self.client.go_account_id, currency)
        return rules.direction(kind, go_account, BalanceKey(self.connection.network_account_id, currency))


def of_client(tx: Transaction, member: Member, connection_id: UUID) -> Parties:
    """The parties of what a client asks for on a connection of its own."""
    client = network.require_client(tx, member.enterprise_id)
    connection = network.connection_of_client(tx, client.id, connection_id)
    if connection is None:
        raise NotFoundError("connection_unknown", "the enterprise has no connection with this id")
    return _complete(tx, client, connection)


def of_allocation(tx: Transaction, allocation: Allocation) -> Parties:
    client = network.client_by_id(tx, allocation.client_id)
    connection = network.connection_of_client(tx, allocation.client_id, allocation.connection_id)
    if client is None or connection is None:
        raise LookupError(f"the allocation {allocation.id} has no client or no connection")
    return _complete(tx, client, connection)


def _complete(tx: Transaction, client: Client, connection: Connection) -> Parties:
    partner = lookups.partner(tx, connection.partner_id)
    return Parties(client, partner, connection, network.currency_map(tx, partner))
