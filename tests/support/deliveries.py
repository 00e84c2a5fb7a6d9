"""Webhook deliveries that are due, made in this process: over HTTP thousands of them would take too long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clearwindow.events import outbox
from clearwindow.events.models import Event, EventType
from clearwindow.identity import enterprises
from clearwindow.identity.models import Enterprise, Member, TrustOrg
from clearwindow.runtime import Runtime
from clearwindow.webhooks import endpoints
from clearwindow.webhooks.models import NewEndpoint


def make_endpoints(runtime: Runtime, urls: Sequence[str]) -> list[str]:
    """Makes an endpoint for each URL, and returns the enterprises that have them."""
    made = []
    for start in range(0, len(urls), endpoints.MAX_ENDPOINTS):
        enterprise_id = f"desk-{start}"
        with runtime.transaction() as tx:
            now = tx.now()
            enterprises.ensure_enterprise(
                tx,
                Enterprise(
                    enterprise_id, enterprise_id, TrustOrg.TRUST, licensed=True, created_at=now, updated_at=now
                ),
            )
        member = Member(enterprise_id, "somebody", "request")
        for url in urls[start : start + endpoints.MAX_ENDPOINTS]:
            # Only what ``record_events`` records: not that the next endpoint was created.
            endpoints.create(runtime, member, NewEndpoint(url, [EventType.SETTLEMENT_INITIATED], None), None)
        made.append(enterprise_id)
    return made


def record_events(runtime: Runtime, enterprise_id: str, payloads: Sequence[Mapping[str, object]]) -> None:
    """Records one event for each payload; each is due to every endpoint of the enterprise."""
    initiated = EventType.SETTLEMENT_INITIATED
    with runtime.transaction() as tx:
        outbox.record(tx, [Event(initiated, enterprise_id, runtime.ids.new(), each) for each in payloads])
