"""Who pays whom how much of what in a settlement, as each side may see it. Protocol §5, §10.8."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from clearwindow.core.errors import NotFoundError
from clearwindow.identity.models import Member
from clearwindow.network import parties
from clearwindow.network import store as network
from clearwindow.postgres.paging import Slice
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.settlements import store as settlements
from clearwindow.settlements.models import Settlement
from clearwindow.settlements.transfers import store as transfers
from clearwindow.statements import store
from clearwindow.statements.models import NetOrders

Currencies = Sequence[str] | None


def for_partner(
    runtime: Runtime, member: Member, settlement_id: UUID | None, currencies: Currencies, part: Slice
) -> NetOrders:
    """Returns a page of the net orders of the partner's settlement.

    Raises:
        NotFoundError: the settlement is not the partner's.
    """
    with runtime.transaction() as tx:
        partner = parties.require_partner(tx, member.enterprise_id)
        settlement = settlements.require_of_partner(tx, partner.id, settlement_id)
        return _orders(tx, settlement, None, currencies, part)


def for_client(
    runtime: Runtime, member: Member, settlement_id: UUID | None, currencies: Currencies, part: Slice
) -> NetOrders:
    """Returns a page of what the client's connections pay and get.

    Raises:
        NotFoundError: no connection of the client is in the settlement.
    """
    with runtime.transaction() as tx:
        client = parties.require_client(tx, member.enterprise_id)
        settlement = settlements.require(tx, settlement_id)
        own = transfers.party_connections(tx, settlement.id, list(network.connections_of_client(tx, client.id)))
        if not own:
            raise NotFoundError("settlement_not_found", "there is no such settlement")
        return _orders(tx, settlement, own, currencies, part)


def for_operator(runtime: Runtime, settlement_id: UUID | None, currencies: Currencies, part: Slice) -> NetOrders:
    """Returns a page of the net orders of any settlement.

    Raises:
        NotFoundError: there is no such settlement.
    """
    with runtime.transaction() as tx:
        return _orders(tx, settlements.require(tx, settlement_id), None, currencies, part)


def _orders(
    tx: Transaction, settlement: Settlement, own: Sequence[UUID] | None, currencies: Currencies, part: Slice
) -> NetOrders:
    page = store.list_net_orders(tx, settlement.id, own, currencies, part)
    partner = network.existing_partner(tx, settlement.partner_id)
    return NetOrders(page, partner.go_account_id)
