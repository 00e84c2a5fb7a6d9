"""Operators list everybody's allocations."""

from __future__ import annotations

from typing import Final

from clearwindow.allocations import operator_schemas, views
from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, Filters, ServerRuntime, paged
from clearwindow.core.ids import NIL, parse_uuid
from clearwindow.identity.guards import operator_router

router: Final = operator_router("network")


@router.get("/allocations", summary="List allocations and deallocations, newest first")
def list_allocations(
    runtime: ServerRuntime, filters: Filters[operator_schemas.OperatorAllocationFilters]
) -> Answer[operator_schemas.OperatorAllocationsAnswer]:
    """Amounts are in our currency names and base units."""
    found = views.all_allocations(runtime, filters.to_model(), filters.slice)
    return paged(operator_schemas.allocations_answer(found.items), found, filters)


@router.get(
    "/allocations/{allocation_id}",
    summary="Get one allocation or deallocation",
    responses=may_raise("allocation_unknown"),
)
def get_allocation(runtime: ServerRuntime, allocation_id: str) -> operator_schemas.OperatorAllocationAnswer:
    found = views.get_allocation(runtime, parse_uuid(allocation_id) or NIL)
    return operator_schemas.operator_allocation_answer(found)
