"""Which sides of the network an enterprise is on: a client, an exchange, or both."""

from __future__ import annotations

from dataclasses import dataclass

from clearwindow.console.models import Visitor
from clearwindow.network import store
from clearwindow.network.models import Client, Partner
from clearwindow.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Sides:
    client: Client | None = None
    partner: Partner | None = None


def of(runtime: Runtime, visitor: Visitor) -> Sides:
    """Returns the sides of the visitor's own enterprise. An operator has none."""
    enterprise_id = visitor.actor.enterprise_id
    if enterprise_id is None:
        return Sides()
    with runtime.transaction() as tx:
        return Sides(
            store.find_client(tx, enterprise_id=enterprise_id), store.find_partner(tx, enterprise_id=enterprise_id)
        )
