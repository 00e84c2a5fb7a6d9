"""Reads of allocations, for the client and for the partner."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from clearwindow.allocations import store
from clearwindow.allocations.models import Allocation, AllocationFilter, SearchedAllocations
from clearwindow.core.errors import NotFoundError
from clearwindow.identity.models import Member
from clearwindow.network import store as network
from clearwindow.network.models import CurrencyMap
from clearwindow.network.parties import require_client, require_partner
from clearwindow.postgres.paging import Listing, Slice
from clearwindow.runtime import Runtime


def allocation_of_client(runtime: Runtime, member: Member, allocation_id: UUID) -> Allocation:
    with runtime.transaction() as tx:
        client = require_client(tx, member.enterprise_id)
        found = store.find_allocation(tx, allocation_id)
    if found is None or found.client_id != client.id:
        raise unknown()
    return found


def allocation_of_partner(runtime: Runtime, member: Member, allocation_id: UUID) -> tuple[Allocation, CurrencyMap]:
    with runtime.transaction() as tx:
        partner = require_partner(tx, member.enterprise_id)
        found = store.find_allocation(tx, allocation_id)
        currencies = network.currency_map(tx, partner)
    if found is None or found.partner_id != partner.id:
        raise unknown()
    return found, currencies


def client_allocations(
    runtime: Runtime, member: Member, wanted: AllocationFilter, part: Slice
) -> Listing[Allocation]:
    with runtime.transaction() as tx:
        client = require_client(tx, member.enterprise_id)
        return store.list_allocations(tx, replace(wanted, client_id=client.id), part)


def partner_allocations(
    runtime: Runtime, member: Member, wanted: AllocationFilter, part: Slice
) -> tuple[Listing[Allocation], CurrencyMap]:
    """Returns the partner's allocations. ``wanted`` has the partner's names of currencies."""
    with runtime.transaction() as tx:
        partner = require_partner(tx, member.enterprise_id)
        currencies = network.currency_map(tx, partner)
        if wanted.currencies is not None:
            ours = [currencies.to_ours(name) for name in wanted.currencies]
            wanted = replace(wanted, currencies=[found[0] for found in ours if found])
        own = replace(wanted, partner_id=partner.id)
        return store.list_allocations(tx, own, part), currencies


def all_allocations(runtime: Runtime, wanted: SearchedAllocations, part: Slice) -> Listing[Allocation]:
    """Returns a page of everybody's allocations, for operators."""
    with runtime.transaction() as tx:
        return store.search_allocations(tx, wanted, part)


def get_allocation(runtime: Runtime, allocation_id: UUID) -> Allocation:
    """Returns anybody's allocation, for operators."""
    with runtime.transaction() as tx:
        found = store.find_allocation(tx, allocation_id)
    if found is None:
        raise NotFoundError("allocation_unknown", "there is no allocation with this id")
    return found


def unknown() -> NotFoundError:
    """Another enterprise's allocation is answered as one that does not exist."""
    return NotFoundError("allocation_unknown", "the enterprise has no allocation with this id")
