"""One trace goes from a request to its jobs, the calls to partners and the webhooks. It holds no secret."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from clearwindow import bootstrap
from clearwindow.core import tracing
from clearwindow.outbound.client import Outgoing
from clearwindow.settings import SettingsError, load_settings
from clearwindow.telemetry import exporting
from tests.support.collectors import CollectedSpan, Collector, collecting
from tests.support.networks import ConnectionHandle, ok
from tests.support.partners import FakePartner
from tests.support.processes import serving_folder
from tests.support.receivers import Receiver, receiving
from tests.support.settlements import Testbed, stage
from tests.support.unavailable import becomes
from tests.webhooks.support import deliver, hooks_of

STAGE = "POST /api/network/v2/enterprises/{enterprise_id}/partners/settlements"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def heads(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, str]]:
    """The headers of all calls to partners."""
    seen: list[Mapping[str, str]] = []
    send = Outgoing.send

    def noting(self: Outgoing, request: object, **more: object) -> object:
        seen.append(request.headers)  # type: ignore[attr-defined]  # it is a request
        return send(self, request, **more)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(Outgoing, "send", noting)
    return seen


@pytest.fixture
def connection(testbed: Testbed, partner_server: FakePartner, receiver: Receiver) -> ConnectionHandle:
    partner = testbed.network.partner(callbackUrl=partner_server.url, deposits={"ofcbtc": 10**9})
    connection = testbed.network.funded(partner, {"ofcbtc": 1_000})
    hooks_of(testbed.network, "trader").make(receiver.url)
    testbed.run_due()
    deliver(testbed.runtime)
    receiver.received.clear()
    return connection


def settle(testbed: Testbed, connection: ConnectionHandle) -> str:
    """Stages a settlement, and lets its windows pass."""
    settlement = stage(connection.partner, {connection.id: {"BTC": "-1"}})
    deliver(testbed.runtime)
    testbed.pass_minutes(10)
    testbed.pass_minutes(10)
    deliver(testbed.runtime)
    assert testbed.state(settlement["id"]) == "completed"
    return str(settlement["id"])


def above(span: CollectedSpan, spans: Mapping[str, CollectedSpan]) -> list[str]:
    """The names of the span and of all spans above it."""
    names = [span.name]
    while span.parent_id:
        span = spans[span.parent_id]
        names.append(span.name)
    return names


def test_one_trace_from_request_to_job_to_partner_to_webhook(
    testbed: Testbed,
    connection: ConnectionHandle,
    collector: Collector,
    receiver: Receiver,
    heads: list[Mapping[str, str]],
) -> None:
    with exporting(collector.url, "the-service", tells_others=False):
        settle(testbed, connection)
    staged = collector.one(STAGE)
    assert (staged.service, staged.parent_id, staged.failed) == ("the-service", "", None)
    assert staged.attributes["http.response.status_code"] == 200
    assert staged.attributes["enterprise_id"] == "exchange"
    assert str(staged.attributes["request_id"])
    of_trace = [span for span in collector.spans if span.trace_id == staged.trace_id]
    spans = {span.id: span for span in of_trace}
    ways = {tuple(above(span, spans)) for span in of_trace}
    assert ("webhook", STAGE) in ways
    assert ("webhook", "job settlements", STAGE) in ways
    assert ("partner settlement_finalize", "job partner-calls", "job settlements", STAGE) in ways
    told = {str(span.attributes["event_type"]) for span in of_trace if span.name == "webhook"}
    assert {"settlement.initiated", "settlement.completed"} <= told
    assert told == set(receiver.types())
    assert all(span.attributes["http.response.status_code"] == 204 for span in of_trace if span.name == "webhook")
    # Nobody else is told.
    assert heads
    assert not any("traceparent" in head for head in heads)
    assert not any("traceparent" in message.headers for message in receiver.received)


def test_others_are_told_if_the_setting_says_so(
    testbed: Testbed,
    connection: ConnectionHandle,
    collector: Collector,
    receiver: Receiver,
    heads: list[Mapping[str, str]],
) -> None:
    with exporting(collector.url, "the-service", tells_others=True):
        settle(testbed, connection)
    trace_id = collector.one(STAGE).trace_id
    assert {head["traceparent"].split("-")[1] for head in heads} == {trace_id}
    said = {message.headers["traceparent"].rpartition("-")[0] for message in receiver.received}
    assert said == {f"00-{trace_id}-{span.id}" for span in collector.named("webhook")}


def test_trace_of_a_caller_is_not_continued_and_spans_have_no_secret(
    testbed: Testbed, connection: ConnectionHandle, collector: Collector
) -> None:
    token = testbed.operator.user_token("trader")
    with exporting(collector.url, "the-service", tells_others=False):
        # A body with a signature; then a token in a query; then one who names a trace.
        settle(testbed, connection)
        theirs = "0123456789abcdef" * 2
        with connection.client.api as api:
            api._http.headers["traceparent"] = f"00-{theirs}-0123456789abcdef-01"  # noqa: SLF001 - what a stranger may send
            assert api.get("/clients/connections", names="hunter2-of-a-query").status_code in {200, 400}
            assert ok(api.get("/clients/connections"))
    assert collector.named("GET /api/network/v1/enterprises/{enterprise_id}/clients/connections")
    assert theirs not in {span.trace_id for span in collector.spans}
    sent = b"".join(collector.raw)
    assert b"hunter2" not in sent
    assert token.encode() not in sent
    assert b"signature" not in sent
    assert all(span.events == 0 for span in collector.spans)


def test_failed_job_says_only_of_what_kind_its_error_was(
    testbed: Testbed, connection: ConnectionHandle, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bool:
        raise ZeroDivisionError("hunter2")

    with exporting(collector.url, "the-service", tells_others=False):
        stage(connection.partner, {connection.id: {"BTC": "-1"}})
        monkeypatch.setattr("clearwindow.settlements.execution.advance", fail)
        testbed.clock.advance(minutes=10)
        testbed.run_due()
    assert collector.one("job settlements").failed == "ZeroDivisionError"
    assert b"hunter2" not in b"".join(collector.raw)


def test_traced_transaction_may_still_be_one_snapshot(testbed: Testbed, collector: Collector) -> None:
    with (
        exporting(collector.url, "the-service", tells_others=False),
        tracing.span("a job", tracing.Kind.JOB),
        testbed.runtime.transaction() as tx,
    ):
        tx.read_one_snapshot()
        assert tx.scalars(str, "SELECT current_setting('transaction_isolation')") == ["repeatable read"]
        assert tx.scalars(str, "SELECT current_setting('clearwindow.traceparent')") == [tracing.traceparent()]
    with testbed.runtime.transaction() as tx:
        assert tx.scalars(str, "SELECT coalesce(current_setting('clearwindow.traceparent', true), '')") == [""]


def test_without_a_collector_nothing_is_kept_of_a_trace(testbed: Testbed, connection: ConnectionHandle) -> None:
    settle(testbed, connection)
    assert tracing.traceparent() is None
    with psycopg.connect(testbed.runtime.database.dsn) as database:
        for table in ("settlement", "partner_call", "event"):
            kept = database.execute(f"SELECT count(*), count(traceparent) FROM {table}".encode()).fetchone()  # noqa: S608 - names above
            assert kept is not None
            assert kept[0] > 0
            assert kept[1] == 0


def test_server_hands_over_its_traces_and_does_not_need_the_collector(tmp_path: Path) -> None:
    asked = "/api/operator/v1/currencies"
    with ExitStack() as stack:
        with collecting() as collector:
            given = {"telemetry_endpoint": collector.url}
            served = stack.enter_context(serving_folder(tmp_path / "data", **given))
            assert served.get("/metrics").status_code == 200
            assert served.get(asked).status_code == 200
            becomes(lambda: bool(collector.named(f"GET {asked}")), seconds=60)
        # The collector has ended. Requests are answered as before, and the server ends as it should.
        assert served.get(asked).status_code == 200
        code, seconds = served.end()
    assert code == 0
    assert seconds < 40
    assert {span.service for span in collector.spans} == {"clearwindow"}
    assert collector.named("GET /metrics") == []


def test_setting_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "clearwindow.telemetry", None)
    settings = load_settings(telemetry_endpoint="http://127.0.0.1:4318")
    with (
        pytest.raises(SettingsError, match=r"clearwindow\[server,telemetry\]"),
        bootstrap.traced(settings, "the-service"),
    ):
        pass
