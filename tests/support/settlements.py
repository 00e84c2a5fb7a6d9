"""Settlements and disputes for tests: staged, signed and driven through their windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

import httpx2

from clearwindow.bootstrap import WORK
from clearwindow.clock import ManualClock
from clearwindow.proof.service import check_ledger
from clearwindow.runtime import Runtime
from clearwindow.work.worker import Worker
from tests.support.networks import ConnectionHandle, Json, Network, PartnerHandle, new_nonce, ok
from tests.support.operators import OperatorClient

CUTOFF = "2026-01-05T11:59:00.000Z"
Amounts = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class Floor:
    """The trading floor of one test: a network, its clock, and a worker that runs when told to."""

    network: Network
    clock: ManualClock
    runtime: Runtime

    @property
    def operator(self) -> OperatorClient:
        return self.network.operator

    def run_due(self) -> int:
        return Worker(self.runtime, WORK).run_due()

    def pass_minutes(self, minutes: float) -> int:
        """Moves the clock and runs what became due."""
        self.clock.advance(minutes=minutes)
        return self.run_due()

    def settlement(self, settlement_id: str) -> Json:
        return ok(self.operator.get(f"/settlements/{settlement_id}"))

    def state(self, settlement_id: str) -> str:
        return str(self.settlement(settlement_id)["settlement"]["stage"])

    def event_types(self, enterprise_id: str) -> list[str]:
        """The types of an enterprise's events, in the order in which they happened."""
        events = ok(self.operator.get("/events", enterpriseId=enterprise_id, pageSize=500))["events"]
        return [event["type"] for event in reversed(events)]

    def assert_proven(self) -> None:
        """Everything that must always hold does. Protocol §10."""
        with self.runtime.transaction() as tx:
            assert check_ledger(tx) == []


def fields_of(amounts: Amounts, **more: object) -> Json:
    return {
        "externalId": uuid4().hex,
        "settlementAmounts": {connection: dict(given) for connection, given in amounts.items()},
        "nonce": new_nonce(),
        "cutoffAt": CUTOFF,
        **more,
    }


def post(partner: PartnerHandle, body: object) -> httpx2.Response:
    return partner.api.post("/partners/settlements", body, version=2)


def stage(partner: PartnerHandle, amounts: Amounts, **more: object) -> Json:
    """Stages a settlement that must be accepted."""
    answer = ok(post(partner, partner.enterprise.sign(fields_of(amounts, **more))))
    settlement: Json = answer["settlement"]
    return settlement


def try_stage(partner: PartnerHandle, amounts: Amounts, **more: object) -> httpx2.Response:
    return post(partner, partner.enterprise.sign(fields_of(amounts, **more)))


def dispute(
    connection: ConnectionHandle, settlement_id: str, expected: Mapping[str, str] | None = None, **more: object
) -> httpx2.Response:
    fields = {"connectionId": connection.id, "expectedTransfers": dict(expected or {}), **more}
    return connection.client.api.post(
        f"/clients/settlements/{settlement_id}/disputes", connection.client.enterprise.sign(fields)
    )


def change_dispute(connection: ConnectionHandle, dispute_id: str, **fields: object) -> httpx2.Response:
    body = connection.client.enterprise.sign({"connectionId": connection.id, **fields})
    return connection.client.api.put(f"/clients/settlements/disputes/{dispute_id}", body)


def close_dispute(connection: ConnectionHandle, dispute_id: str, notes: str = "we were wrong") -> httpx2.Response:
    body = connection.client.enterprise.sign({"notes": notes})
    return connection.client.api.post(f"/clients/settlements/disputes/{dispute_id}/close", body)


def fields_at_once(amounts: Amounts, **more: object) -> Json:
    """The fields of version 1, which names no cutoff."""
    fields = {name: value for name, value in fields_of(amounts).items() if name != "cutoffAt"}
    return {**fields, **more}


def try_settle(partner: PartnerHandle, amounts: Amounts, **more: object) -> httpx2.Response:
    """Asks for a settlement of version 1, which executes at once or fails."""
    return partner.api.post("/partners/settlements", partner.enterprise.sign(fields_at_once(amounts, **more)))


def settle(partner: PartnerHandle, amounts: Amounts, **more: object) -> Json:
    """A settlement of version 1 that must execute."""
    settlement: Json = ok(try_settle(partner, amounts, **more))["settlement"]
    return settlement
