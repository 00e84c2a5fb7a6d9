"""Allocations and deallocations, as clients and partners see them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime

from clearwindow.client.answers.base import BaseUnits, Exact, OpenText, Value

AllocationStatus = Annotated[Literal["cleared", "released", "reserved"], OpenText]
AllocationType = Annotated[Literal["allocation", "deallocation"], OpenText]
PolicyResult = Annotated[Literal["approved", "rejected"], OpenText]


class Amount(Value):
    """Base units of one of the network's currencies."""

    currency: str
    quantity: BaseUnits


class PartnerAmount(Value):
    """An amount in a partner's own name and unit."""

    currency: str
    quantity: Exact


class AllocationTerms(Value):
    """What both sides see. ``type`` is set if the record is read; ``reason`` is set if it did not clear."""

    id: str
    connection_id: str
    client_external_id: str
    partner_external_id: str | None = None
    initiated_by: str
    notes: str | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    retriable: bool
    evaluation_id: str | None = None
    pending_approval_id: str | None = None
    policy_result: PolicyResult | None = None
    reason: str | None = None
    status: AllocationStatus
    type: AllocationType | None = None


class Allocation(AllocationTerms):
    """An allocation or deallocation as its client sees it."""

    amount: Amount


class PartnerAllocation(AllocationTerms):
    """An allocation or deallocation as its partner sees it, in the partner's names and unit."""

    amount: PartnerAmount


class PartnerUpdate(Value):
    """The result of a partner's decision on an allocation or deallocation."""

    amount: PartnerAmount
    client_id: str
    connection_id: str
    partners_client_id: str
    partners_connection_id: str
    evaluation_id: str | None = None
    pending_approval_id: str | None = None
    policy_result: PolicyResult | None = None


class AllocationUpdate(PartnerUpdate):
    allocation_id: str
    partners_allocation_id: str


class DeallocationUpdate(PartnerUpdate):
    deallocation_id: str
    partners_deallocation_id: str
