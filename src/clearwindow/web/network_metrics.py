"""The state of the network as metrics for Prometheus, read at the time of the scrape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from clearwindow.monitoring import store
from clearwindow.monitoring.models import Archive, LastCheck, LockWaits, NetworkState
from clearwindow.runtime import Runtime
from clearwindow.settlements.models import SettlementState

_OPEN_STATES: Final = tuple(state for state in SettlementState if state is not SettlementState.COMPLETED)
"""Rejected ones are open as long as the closures that they took wait."""


def network_metrics(runtime: Runtime) -> list[Metric]:
    """Returns the metrics of one snapshot."""
    with runtime.transaction() as tx:
        found = store.network_state(tx)
    return [
        *_settlements(found),
        *_waiting(found),
        *_checks(found.checks),
        *_lock_waits(found.lock_waits),
        *_archive(found.archive),
    ]


def _settlements(found: NetworkState) -> Iterator[Metric]:
    count = GaugeMetricFamily(
        "clearwindow_settlements_open",
        "Settlements that have not ended, by stage. A rejected one is open while the closures that it took wait.",
        labels=["stage"],
    )
    late = GaugeMetricFamily(
        "clearwindow_settlements_late_seconds",
        "How long the next step of a settlement in this stage has been due, at most.",
        labels=["stage"],
    )
    by_state = {each.state: each for each in found.settlements}
    for state in _OPEN_STATES:
        each = by_state.get(state)
        count.add_metric([state.value], each.count if each else 0)
        late.add_metric([state.value], each.late_seconds if each else 0)
    yield count
    yield late


def _waiting(found: NetworkState) -> Iterator[Metric]:
    waiting = found.waiting
    for name, text, value in (
        ("disputes_open", "Disputes that stand and are not closed.", waiting.disputes_open),
        ("dispute_closures_pending", "Closures that wait for an operator's review.", waiting.closures_pending),
        ("proposals_pending", "Proposals that wait for an operator's approval.", waiting.proposals_pending),
        ("partner_circuits_open", "Partners that are not called because they failed.", waiting.circuits_open),
        ("webhook_endpoints_disabled", "Endpoints that get no messages.", waiting.webhook_endpoints_disabled),
    ):
        yield GaugeMetricFamily(f"clearwindow_{name}", text, value)


def _checks(checks: Sequence[LastCheck]) -> Iterator[Metric]:
    """Yields no sample for a kind of check that was never recorded."""
    age = GaugeMetricFamily(
        "clearwindow_check_age_seconds",
        "How long ago the books, or the signatures, were checked. Nothing if they never were.",
        labels=["kind"],
    )
    seconds = GaugeMetricFamily(
        "clearwindow_check_duration_seconds", "How long the last check took.", labels=["kind"]
    )
    violated = GaugeMetricFamily(
        "clearwindow_check_violated", "How many invariants the last check found violated.", labels=["kind"]
    )
    for check in checks:
        age.add_metric([check.kind], check.age_seconds)
        seconds.add_metric([check.kind], check.seconds)
        violated.add_metric([check.kind], check.violated)
    yield from (age, seconds, violated)


def _lock_waits(waits: LockWaits) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "clearwindow_lock_waits", "Sessions of the database that wait for a lock now.", waits.count
    )
    yield GaugeMetricFamily(
        "clearwindow_lock_waits_longest_seconds", "How long the longest of them has waited.", waits.longest_seconds
    )


def _archive(archive: Archive | None) -> Iterator[Metric]:
    """Yields nothing if the database archives nothing."""
    if archive is None:
        return
    yield CounterMetricFamily(
        "clearwindow_archive_failures", "How often PostgreSQL failed to archive its log.", archive.failed
    )
    yield GaugeMetricFamily(
        "clearwindow_archive_failing", "1 if the last attempt to archive the log failed.", int(archive.failing)
    )
    if archive.last_archived_seconds is not None:
        yield GaugeMetricFamily(
            "clearwindow_archive_age_seconds",
            "How long ago a piece of PostgreSQL's log was archived.",
            archive.last_archived_seconds,
        )
