"""How calls to partners are made: signed, outside transactions, and repeated."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from tests.support import partners
from tests.support.networks import ConnectionHandle, ok
from tests.support.partners import FakePartner, Reaction, Seen, agreeing
from tests.support.settlements import Testbed

OPEN_TRANSACTIONS = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
)


@pytest.fixture
def connection(testbed: Testbed, partner_server: FakePartner) -> ConnectionHandle:
    partner = testbed.network.partner(callbackUrl=partner_server.url)
    connection = testbed.network.connect(testbed.network.client(deposits={"ofcbtc": 100}), partner)
    partner_server.seen.clear()
    return connection


def test_no_transaction_is_open_while_a_partner_is_called(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner, dsn: str
) -> None:
    open_at_a_call: list[int] = []

    def look(seen: Seen) -> Reaction:
        with psycopg.connect(dsn) as watcher:
            open_at_a_call.extend(count for (count,) in watcher.execute(OPEN_TRANSACTIONS))
        return agreeing(seen)

    partner_server.behave = look
    ok(connection.allocate("ofcbtc", 10))
    testbed.run_due()
    # The question, and the notice of its outcome.
    assert open_at_a_call == [0, 0]


def test_failed_call_is_retried_while_the_client_waits(
    connection: ConnectionHandle, partner_server: FakePartner
) -> None:
    partner_server.behave = lambda seen: agreeing(seen) if len(partner_server.seen) > 1 else Reaction(502)
    assert ok(connection.allocate("ofcbtc", 10))["allocation"]["status"] == "cleared"
    first, second = partner_server.seen
    assert first.raw == second.raw
    assert first.claims["jti"] != second.claims["jti"]


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_of_a_partner_is_respected(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner, status: int
) -> None:
    partner_server.behave = lambda _: Reaction(status, headers=(("Retry-After", "600"),))
    left = connection.allocate("ofcbtc", 10)
    assert (left.status_code, left.json()["allocation"]["retriable"]) == (502, True)
    partner_server.behave = agreeing
    testbed.pass_minutes(9)
    assert len(partner_server.seen) == 1
    testbed.pass_minutes(2)
    assert ok(connection.client.api.get("/clients/allocations"))["allocations"][0]["status"] == "cleared"


def test_signature_header_has_the_name_of_the_setting(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner, monkeypatch: pytest.MonkeyPatch
) -> None:
    object.__setattr__(testbed.runtime, "calls", replace(testbed.runtime.calls, signature_header="X-Our-Signature"))
    monkeypatch.setattr(partners, "HEADER", "X-Our-Signature")
    ok(connection.allocate("ofcbtc", 10))
    assert len(partner_server.seen) == 1
