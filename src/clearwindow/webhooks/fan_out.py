"""Deliveries of events, made after the commit of what happened. Protocol §9.

The transaction that records an event also lists it as one without deliveries. Making its deliveries and taking it
off that list is one transaction, so that an endpoint has each event once, whatever process dies. The transactions
that do so run one after the other, so that an endpoint gets its events in their order.
"""

from __future__ import annotations

from typing import Final

from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.webhooks import store

EVENTS_AT_ONCE: Final = 500
"""The most events whose deliveries one transaction makes."""

OWNERS_AT_ONCE: Final = 20_000
"""The most owners of these events. The first event may have more."""


def fan_out(runtime: Runtime) -> None:
    """Makes the deliveries of all events that have none yet, in several transactions if there are many."""
    while True:
        with runtime.transaction() as tx:
            # Most looks find nothing. They take no lock.
            if not store.has_events_to_deliver(tx):
                return
            _next(tx)


def complete(tx: Transaction) -> None:
    """Makes the deliveries of all events so far, before endpoints change or events are replayed.

    So an endpoint gets what was committed while it wanted it, and a replay follows the messages that wait.
    """
    while _next(tx):
        pass


def _next(tx: Transaction) -> int:
    return store.fan_out(tx, events=EVENTS_AT_ONCE, owners=OWNERS_AT_ONCE)
