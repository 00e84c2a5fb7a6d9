"""Lists of disputes, as each side may see them. Protocol §6."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from clearwindow.identity.models import Member
from clearwindow.network import parties
from clearwindow.network import store as network
from clearwindow.postgres.paging import Listing
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.settlements.disputes import store
from clearwindow.settlements.disputes.models import Dispute, DisputeDetail, DisputeFilter
from clearwindow.settlements.transfers import store as transfers
from clearwindow.settlements.transfers.models import TradingAccounts, Transfer


def list_for_client(runtime: Runtime, member: Member, wanted: DisputeFilter) -> Listing[DisputeDetail]:
    with runtime.transaction() as tx:
        client = parties.require_client(tx, member.enterprise_id)
        own = list(network.connections_of_client(tx, client.id))
        return describe(tx, replace(wanted, own_connection_ids=own))


def list_for_partner(runtime: Runtime, member: Member, wanted: DisputeFilter) -> Listing[DisputeDetail]:
    with runtime.transaction() as tx:
        partner = parties.require_partner(tx, member.enterprise_id)
        asked = wanted.partner_ids
        own = [partner.id] if asked is None or partner.id in asked else []
        return describe(tx, replace(wanted, partner_ids=own))


def describe(tx: Transaction, wanted: DisputeFilter) -> Listing[DisputeDetail]:
    """Returns disputes with their closures and the closures' transfers. A client does not see the other sides."""
    page = store.list_disputes(tx, wanted)
    return page.of(_details(tx, page.items, masked=wanted.own_connection_ids is not None))


def _details(tx: Transaction, found: Sequence[Dispute], *, masked: bool) -> list[DisputeDetail]:
    closures = store.standing_closures(tx, [dispute.id for dispute in found])
    made = transfers.closure_transfers(tx, [closure.id for closure in closures.values()])
    partner_accounts = network.partner_accounts(tx, {dispute.partner_id for dispute in found})
    connections = {dispute.connection_id for dispute in found}
    if not masked:
        connections |= {one.counterparty_connection_id for one in made if one.counterparty_connection_id}
    client_accounts = network.client_accounts(tx, connections)
    by_closure: dict[UUID | None, list[Transfer]] = {}
    for transfer in made:
        by_closure.setdefault(transfer.dispute_closure_id, []).append(transfer)
    details = []
    for dispute in found:
        closure = closures.get(dispute.id)
        own = by_closure.get(closure.id, []) if closure else []
        accounts = TradingAccounts(partner_accounts[dispute.partner_id], client_accounts)
        details.append(DisputeDetail(dispute, closure, own, accounts))
    return details
