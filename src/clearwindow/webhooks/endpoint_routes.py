"""Operators list everybody's webhook endpoints."""

from __future__ import annotations

from typing import Final

from clearwindow.api.routing import Answer, Filters, ServerRuntime, paged
from clearwindow.identity.guards import operator_router
from clearwindow.webhooks import endpoint_schemas, views

router: Final = operator_router("network")


@router.get("/webhook-endpoints", summary="List webhook endpoints, newest first")
def list_webhook_endpoints(
    runtime: ServerRuntime, filters: Filters[endpoint_schemas.OperatorEndpointFilters]
) -> Answer[endpoint_schemas.OperatorEndpointsAnswer]:
    """Without their secrets. Deleted endpoints are left out."""
    found = views.all_endpoints(runtime, filters.to_model(), filters.slice)
    return paged(endpoint_schemas.endpoints_answer(found.items), found, filters)
