"""Allocations in operators' lists: in our currency names and base units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, cast

from pydantic import Field

from clearwindow.allocations.models import Allocation, AllocationStatus, AllocationType, SearchedAllocations
from clearwindow.allocations.schemas import ListedAllocation, client_answer
from clearwindow.api.filters import CreatedPage, Many, Texts, Uuids
from clearwindow.api.schema import WireModel
from clearwindow.core.money import canonical_currency

AllocationTypes = Many[Annotated[AllocationType, Field(strict=False)]]
AllocationStatuses = Many[Annotated[AllocationStatus, Field(strict=False)]]


class OperatorAllocationFilters(CreatedPage):
    ids: Uuids = None
    types: AllocationTypes = None
    statuses: AllocationStatuses = None
    currencies: Texts = None
    connection_ids: Uuids = None
    partner_ids: Uuids = None
    client_ids: Uuids = None
    client_external_ids: Texts = None

    def to_model(self) -> SearchedAllocations:
        named = self.currencies
        return SearchedAllocations(
            ids=self.ids,
            types=cast(list[str] | None, self.types),
            statuses=cast(list[str] | None, self.statuses),
            currencies=None if named is None else [canonical_currency(name) for name in named],
            connection_ids=self.connection_ids,
            partner_ids=self.partner_ids,
            client_ids=self.client_ids,
            client_external_ids=self.client_external_ids,
            created_on_or_after=self.created_on_or_after,
            created_before=self.created_before,
        )


class OperatorAllocation(ListedAllocation):
    """An allocation as its client sees it, with both sides."""

    partner_id: str
    client_id: str


class OperatorAllocationsAnswer(WireModel):
    allocations: list[OperatorAllocation]


class OperatorAllocationAnswer(WireModel):
    allocation: OperatorAllocation


def allocations_answer(found: Sequence[Allocation]) -> OperatorAllocationsAnswer:
    return OperatorAllocationsAnswer(allocations=[_view(each) for each in found])


def operator_allocation_answer(found: Allocation) -> OperatorAllocationAnswer:
    return OperatorAllocationAnswer(allocation=_view(found))


def _view(allocation: Allocation) -> OperatorAllocation:
    seen = client_answer(allocation).allocation.model_dump(by_alias=False, exclude_unset=True)
    sides = {"partner_id": str(allocation.partner_id), "client_id": str(allocation.client_id)}
    return OperatorAllocation.model_validate(seen | sides)
