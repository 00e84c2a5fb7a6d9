"""Health, readiness, metrics and the API reference."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from clearwindow import bootstrap
from clearwindow.core.clock import ManualClock
from clearwindow.jobs.backlog import Waiting
from clearwindow.ledger.check.outcomes import CheckKind, Outcome, record
from clearwindow.postgres.migrations import all_migrations
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.web import health
from clearwindow.web.app import create_app
from clearwindow.web.docs_page import CONTENT_SECURITY_POLICY
from clearwindow.web.health import health_router
from clearwindow.web.routers import ROUTERS
from tests.support.databases import as_application, as_superuser
from tests.support.http import loopback_client
from tests.support.networks import ok
from tests.support.server import serving
from tests.support.settlements import Testbed, close_dispute, dispute, stage
from tests.support.unavailable import becomes
from tests.webhooks.support import hooks_of

LAG_LIMIT_SECONDS = 60
PAGE = Path(__file__).parents[2] / "docs/reference/metrics.md"
ARCHIVE = {"clearwindow_archive_failures_total", "clearwindow_archive_failing", "clearwindow_archive_age_seconds"}
"""Only a database that archives its log has them."""


@dataclass
class FakeWork:
    """Work that is due when the test says so."""

    name: str = "fake"
    due_at: datetime | None = None

    def next_due_at(self, tx: Transaction) -> datetime | None:  # noqa: ARG002
        return self.due_at

    def count_due(self, tx: Transaction) -> int:  # noqa: ARG002
        return 3


@pytest.fixture
def work() -> FakeWork:
    return FakeWork()


@pytest.fixture
def client(runtime: Runtime, work: FakeWork) -> Iterator[httpx2.Client]:
    kinds: tuple[Waiting, ...] = (*bootstrap.WORK, work)
    app = create_app(runtime, (*ROUTERS, health_router(kinds, LAG_LIMIT_SECONDS)))
    with serving(app) as url, loopback_client(base_url=url, timeout=60) as client:
        yield client


def readiness(client: httpx2.Client) -> tuple[int, dict[str, Any]]:
    answer = client.get("/readyz")
    return answer.status_code, answer.json()


def test_server_reports_that_it_is_ready(client: httpx2.Client) -> None:
    part = {"ready": True}
    parts = {"database": part, "migrations": part, "work": part}
    network = {"mode": "unopened", "singleOperator": False}
    assert readiness(client) == (
        200,
        {"ready": True, "network": network, **parts, "longestOverdueWorkSeconds": 0.0},
    )
    assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize(("overdue_seconds", "status"), [(-5, 200), (LAG_LIMIT_SECONDS, 200), (61, 503)])
def test_work_overdue_beyond_the_limit_is_not_ready(
    client: httpx2.Client, clock: ManualClock, work: FakeWork, overdue_seconds: int, status: int
) -> None:
    work.due_at = clock.now() - timedelta(seconds=overdue_seconds)
    code, body = readiness(client)
    assert (code, body["ready"], body["work"]["ready"]) == (status, status == 200, status == 200)
    assert body["longestOverdueWorkSeconds"] == max(0, overdue_seconds)
    assert body["database"] == {"ready": True}


def test_database_of_another_version_is_not_ready(client: httpx2.Client, dsn: str) -> None:
    last = all_migrations()[-1].name
    with psycopg.connect(dsn) as connection:
        connection.execute("DELETE FROM schema_migration WHERE name = %s", [last])
    code, body = readiness(client)
    assert (code, body["database"]["ready"], body["migrations"]["ready"]) == (503, True, False)
    assert "clearwindow migrate" in body["migrations"]["problem"]

    with psycopg.connect(dsn) as connection:
        connection.execute("INSERT INTO schema_migration (name, sha256) VALUES ('9999_newer', 'x')")
    code, body = readiness(client)
    assert (code, body["migrations"]["ready"], body["work"]["ready"]) == (503, False, False)


def test_stopped_database_is_not_ready(client: httpx2.Client, runtime: Runtime) -> None:
    runtime.database.close()
    code, body = readiness(client)
    assert (code, body["database"]["ready"], body["migrations"]["problem"]) == (503, False, "not known")
    assert client.get("/healthz").status_code == 200
    assert "clearwindow_database_pool" in client.get("/metrics").text


def test_hanging_database_is_not_ready_within_the_time_limit(
    client: httpx2.Client, runtime: Runtime, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.3)
    with psycopg.connect(dsn) as connection:
        connection.execute("LOCK TABLE schema_migration IN ACCESS EXCLUSIVE MODE")
        code, body = readiness(client)
    assert (code, body["database"]["problem"]) == (503, "the database did not answer within 0.3 s")
    assert runtime.database.pool_stats()["pool_size"] >= 1


def test_metrics_have_route_templates_and_no_values_of_callers(
    client: httpx2.Client, clock: ManualClock, work: FakeWork
) -> None:
    work.due_at = clock.now() - timedelta(seconds=7)
    client.get("/api/operator/v1/settlements/secret-of-a-caller")
    client.get("/api/network/v1/enterprises/secret-of-a-caller/partners")
    client.get("/secret-of-a-caller")
    client.request("SECRET", "/healthz")
    text = client.get("/metrics").text
    assert "secret-of-a-caller" not in text
    assert "SECRET" not in text
    counted = 'clearwindow_http_requests_total{method="GET",route="%s",status="%d"}'
    assert counted % ("/api/operator/v1/settlements/{settlement_id}", 401) in text
    assert counted % ("/api/network/v1/enterprises/{enterprise_id}/partners", 401) in text
    assert counted % ("unmatched", 404) in text
    assert 'clearwindow_work_due{kind="fake"} 3.0' in text
    assert 'clearwindow_work_overdue_seconds{kind="fake"} 7.0' in text
    assert 'clearwindow_database_pool{of="pool_max"} 20.0' in text
    assert "clearwindow_http_request_duration_seconds_bucket" in text


def value_of(text: str, metric: str) -> float:
    (line,) = [line for line in text.splitlines() if line.startswith(f"{metric} ")]
    return float(line.split()[-1])


def test_metrics_have_what_is_open_waits_or_is_late(testbed: Testbed, client: httpx2.Client) -> None:
    connection = testbed.network.funded(testbed.network.partner(), {"ofcbtc": 1_000})
    stage(connection.partner, {connection.id: {"BTC": "-1"}})
    disputed = stage(connection.partner, {connection.id: {"BTC": "-2"}})["id"]
    dispute_id = ok(dispute(connection, disputed))["dispute"]["id"]
    hooks = hooks_of(testbed.network, "trader")
    endpoint_id = hooks.make("https://trader.example/hooks")["webhookEndpoint"]["id"]
    hooks.call("PATCH", f"/{endpoint_id}", {"enabled": False})
    testbed.clock.advance(minutes=11)
    text = client.get("/metrics").text
    assert value_of(text, 'clearwindow_settlements_open{stage="dispute_window"}') == 2
    assert value_of(text, 'clearwindow_settlements_open{stage="failed"}') == 0
    assert value_of(text, 'clearwindow_settlements_late_seconds{stage="dispute_window"}') == 60
    assert value_of(text, "clearwindow_disputes_open") == 1
    assert value_of(text, "clearwindow_webhook_endpoints_disabled") == 1
    assert value_of(text, "clearwindow_partner_circuits_open") == 0
    assert "clearwindow_archive" not in text

    testbed.pass_minutes(11)
    assert ok(close_dispute(connection, dispute_id))["disputeClosure"]["status"] == "pending_review"
    text = client.get("/metrics").text
    assert value_of(text, 'clearwindow_settlements_late_seconds{stage="dispute_window"}') == 0
    assert value_of(text, "clearwindow_disputes_open") == 0
    assert value_of(text, "clearwindow_dispute_closures_pending") == 1


def test_metrics_have_the_last_check_of_the_books(testbed: Testbed, client: httpx2.Client) -> None:
    assert "clearwindow_check_age_seconds{" not in client.get("/metrics").text
    assert testbed.operator.check() == []
    testbed.clock.advance(minutes=90)
    text = client.get("/metrics").text
    assert value_of(text, 'clearwindow_check_age_seconds{kind="books"}') == 5_400
    assert value_of(text, 'clearwindow_check_violated{kind="books"}') == 0
    assert 0 < value_of(text, 'clearwindow_check_duration_seconds{kind="books"}') < 60
    assert 'kind="signatures"' not in text

    testbed.network.client(deposits={"ofcbtc": 5})
    with psycopg.connect(as_superuser(testbed.runtime.database.dsn)) as connection:
        connection.execute("UPDATE balance SET available = available + 1 WHERE available > 0")
    violated = len(testbed.operator.check())
    assert violated > 0
    text = client.get("/metrics").text
    assert value_of(text, 'clearwindow_check_age_seconds{kind="books"}') == 0
    assert value_of(text, 'clearwindow_check_violated{kind="books"}') == violated


def test_check_that_ends_late_does_not_hide_a_newer_one(runtime: Runtime, clock: ManualClock) -> None:
    newer = Outcome(CheckKind.BOOKS, clock.now(), 1, violated=2)
    record(runtime.database, newer)
    record(runtime.database, replace(newer, checked_at=clock.now() - timedelta(minutes=5), violated=0))
    with runtime.transaction() as tx:
        assert tx.scalars(int, "SELECT violated FROM book_check") == [2]


def test_metrics_have_who_waits_for_a_lock(client: httpx2.Client, dsn: str) -> None:
    text = client.get("/metrics").text
    assert (value_of(text, "clearwindow_lock_waits"), value_of(text, "clearwindow_lock_waits_longest_seconds")) == (
        0,
        0,
    )
    with (
        psycopg.connect(as_application(dsn)) as holder,
        psycopg.connect(as_application(dsn)) as waiter,
        ThreadPoolExecutor(1) as pool,
    ):
        holder.execute("SELECT pg_advisory_xact_lock(1)")
        waiting = pool.submit(waiter.execute, "SELECT pg_advisory_xact_lock(1)")
        becomes(lambda: value_of(client.get("/metrics").text, "clearwindow_lock_waits") == 1, seconds=30)
        assert value_of(client.get("/metrics").text, "clearwindow_lock_waits_longest_seconds") > 0
        holder.rollback()
        waiting.result()


def test_reference_page_has_every_metric(client: httpx2.Client) -> None:
    helped = re.findall(r"^# HELP (clearwindow_\w+) (.*)$", client.get("/metrics").text, flags=re.MULTILINE)
    # What counts from the start of a process has a second metric with the time of that.
    told = {name: text for name, text in helped if not name.endswith("_created")}
    row = re.compile(r"^\| `(clearwindow_\w+)` \| [^|]*\|[^|]*\| ([^|]*) \|$", re.MULTILINE)
    written = dict(row.findall(PAGE.read_text(encoding="utf-8")))
    assert {name: text for name, text in written.items() if name in told} == told
    assert set(written) - set(told) == ARCHIVE


def test_reference_loads_nothing_from_other_servers(client: httpx2.Client) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    assert page.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "//" not in page.text.replace("<!DOCTYPE html>", "")
    for name in ("assets/swagger-ui.css", "assets/swagger-ui-bundle.js", "assets/favicon.png", "start.js"):
        assert f"docs/{name}" in page.text
        assert client.get(f"/docs/{name}").status_code == 200
    assert client.get("/docs/assets/redoc.standalone.js").status_code == 404
    assert client.get("/openapi.json").json()["info"]["title"] == "Clearwindow"
