"""Allocations as each side looks at them."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from clearwindow.access.values import Member
from clearwindow.allocations import store
from clearwindow.allocations.values import Allocation, AllocationFilter
from clearwindow.database.listing import Listing
from clearwindow.errors import NotFoundError
from clearwindow.network import service as network
from clearwindow.network.values import CurrencyMap
from clearwindow.runtime import Runtime


def allocation_of_client(runtime: Runtime, member: Member, allocation_id: UUID) -> Allocation:
    with runtime.transaction() as tx:
        client = network.require_client(tx, member.enterprise_id)
        found = store.find_allocation(tx, allocation_id)
    if found is None or found.client_id != client.id:
        raise unknown()
    return found


def allocation_of_partner(runtime: Runtime, member: Member, allocation_id: UUID) -> tuple[Allocation, CurrencyMap]:
    with runtime.transaction() as tx:
        partner = network.require_partner(tx, member.enterprise_id)
        found = store.find_allocation(tx, allocation_id)
        currencies = network.currency_map(tx, partner)
    if found is None or found.partner_id != partner.id:
        raise unknown()
    return found, currencies


def client_allocations(
    runtime: Runtime, member: Member, wanted: AllocationFilter, *, limit: int, offset: int
) -> Listing[Allocation]:
    with runtime.transaction() as tx:
        client = network.require_client(tx, member.enterprise_id)
        return store.list_allocations(tx, replace(wanted, client_id=client.id), limit=limit, offset=offset)


def partner_allocations(
    runtime: Runtime, member: Member, wanted: AllocationFilter, *, limit: int, offset: int
) -> tuple[Listing[Allocation], CurrencyMap]:
    """The partner's allocations; ``wanted`` names currencies as the partner does."""
    with runtime.transaction() as tx:
        partner = network.require_partner(tx, member.enterprise_id)
        currencies = network.currency_map(tx, partner)
        if wanted.currencies is not None:
            ours = [currencies.to_ours(name) for name in wanted.currencies]
            wanted = replace(wanted, currencies=[found[0] for found in ours if found])
        own = replace(wanted, partner_id=partner.id)
        return store.list_allocations(tx, own, limit=limit, offset=offset), currencies


def unknown() -> NotFoundError:
    """The same answer for another's allocation as for none."""
    return NotFoundError("allocation_unknown", "the enterprise has no allocation with this id")
