"""How a call is made, whatever it asks: signed, never amid a transaction, and again when the partner is ready."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from tests.support import partners
from tests.support.networks import ConnectionHandle, ok
from tests.support.partners import FakePartner, Reaction, Seen, agreeing
from tests.support.settling import Floor

OPEN_TRANSACTIONS = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
)


@pytest.fixture
def connection(floor: Floor, their_side: FakePartner) -> ConnectionHandle:
    partner = floor.network.partner(callbackUrl=their_side.url)
    connection = floor.network.connect(floor.network.client(deposits={"ofcbtc": 100}), partner)
    their_side.seen.clear()
    return connection


def test_no_transaction_is_open_while_a_partner_is_called(
    floor: Floor, connection: ConnectionHandle, their_side: FakePartner, dsn: str
) -> None:
    open_at_a_call: list[int] = []

    def look(seen: Seen) -> Reaction:
        with psycopg.connect(dsn) as watcher:
            open_at_a_call.extend(count for (count,) in watcher.execute(OPEN_TRANSACTIONS))
        return agreeing(seen)

    their_side.behave = look
    ok(connection.allocate("ofcbtc", 10))
    floor.run_due()
    # The question, and the worker's word of its outcome.
    assert open_at_a_call == [0, 0]


def test_a_hiccup_is_asked_about_again_while_the_client_waits(
    connection: ConnectionHandle, their_side: FakePartner
) -> None:
    their_side.behave = lambda seen: agreeing(seen) if len(their_side.seen) > 1 else Reaction(502)
    assert ok(connection.allocate("ofcbtc", 10))["allocation"]["status"] == "cleared"
    first, second = their_side.seen
    assert first.raw == second.raw
    assert first.claims["jti"] != second.claims["jti"]


@pytest.mark.parametrize("status", [429, 503])
def test_a_partner_that_asks_for_a_pause_has_it(
    floor: Floor, connection: ConnectionHandle, their_side: FakePartner, status: int
) -> None:
    their_side.behave = lambda _: Reaction(status, headers=(("Retry-After", "600"),))
    left = connection.allocate("ofcbtc", 10)
    assert (left.status_code, left.json()["allocation"]["retriable"]) == (500, True)
    their_side.behave = agreeing
    floor.pass_minutes(9)
    assert len(their_side.seen) == 1
    floor.pass_minutes(2)
    assert ok(connection.client.api.get("/clients/allocations"))["allocations"][0]["status"] == "cleared"


def test_the_signature_is_under_the_name_that_the_settings_give(
    floor: Floor, connection: ConnectionHandle, their_side: FakePartner, monkeypatch: pytest.MonkeyPatch
) -> None:
    object.__setattr__(floor.runtime, "calls", replace(floor.runtime.calls, signature_header="X-Our-Signature"))
    monkeypatch.setattr(partners, "HEADER", "X-Our-Signature")
    ok(connection.allocate("ofcbtc", 10))
    assert len(their_side.seen) == 1
