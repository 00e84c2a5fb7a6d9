"""Webhook endpoints in operators' lists, without secrets and keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from clearwindow.api.filters import CreatedPage, Flag, Texts, Uuids
from clearwindow.api.schema import WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.text import present
from clearwindow.webhooks.models import Endpoint, EndpointFilter, EndpointStatus


class OperatorEndpointFilters(CreatedPage):
    ids: Uuids = None
    enterprise_ids: Texts = None
    enabled: Flag = None

    def to_model(self) -> EndpointFilter:
        return EndpointFilter(
            self.ids, self.enterprise_ids, self.enabled, self.created_on_or_after, self.created_before
        )


class OperatorEndpoint(WireModel):
    id: str
    enterprise_id: str
    url: str
    event_types: list[str] | None
    description: str | None = None
    enabled: bool
    disabled_reason: Literal["asked", "gone", "failing"] | None = None
    failures: int
    failing_since: str | None = None
    retry_at: str | None = None
    created_by: str
    created_at: str
    updated_at: str


class OperatorEndpointsAnswer(WireModel):
    webhook_endpoints: list[OperatorEndpoint]


def endpoints_answer(found: Sequence[Endpoint]) -> OperatorEndpointsAnswer:
    return OperatorEndpointsAnswer(webhook_endpoints=[_view(each) for each in found])


def _view(endpoint: Endpoint) -> OperatorEndpoint:
    fields = present(
        id=str(endpoint.id),
        enterprise_id=endpoint.enterprise_id,
        url=endpoint.url,
        description=endpoint.description,
        enabled=endpoint.status is EndpointStatus.ENABLED,
        disabled_reason=endpoint.disabled_reason,
        failures=endpoint.failures,
        failing_since=wire_time(endpoint.failing_since) if endpoint.failing_since else None,
        retry_at=wire_time(endpoint.retry_at) if endpoint.retry_at else None,
        created_by=endpoint.created_by,
        created_at=wire_time(endpoint.created_at),
        updated_at=wire_time(endpoint.updated_at),
    )
    return OperatorEndpoint.model_validate(fields | {"event_types": endpoint.event_types})
