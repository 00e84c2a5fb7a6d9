"""Settlements and disputes: stages them, signs them and moves the clock through their windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

import httpx2

from clearwindow.bootstrap import WORK
from clearwindow.core.clock import ManualClock
from clearwindow.jobs.worker import Worker
from clearwindow.ledger.check.service import check_ledger
from clearwindow.ledger.check.signatures.service import check_signatures
from clearwindow.runtime import Runtime
from tests.support.networks import ConnectionHandle, Json, Network, PartnerHandle, new_nonce, ok
from tests.support.operators import OperatorClient

CUTOFF = "2026-01-05T11:59:00.000Z"
STEPS_PER_PROOF = 3
"""How often a random run proves the whole books, which takes longer than a step. Each ends with a proof, too."""
Amounts = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class Testbed:
    """A network for one test, with its clock and a worker that runs on demand."""

    __test__ = False  # pytest would collect it by its name

    network: Network
    clock: ManualClock
    runtime: Runtime

    @property
    def operator(self) -> OperatorClient:
        return self.network.operator

    def run_due(self) -> int:
        return Worker(self.runtime, WORK).run_due()

    def pass_minutes(self, minutes: float) -> int:
        """Moves the clock and runs due work."""
        self.clock.advance(minutes=minutes)
        return self.run_due()

    def settlement(self, settlement_id: str) -> Json:
        return ok(self.operator.get(f"/settlements/{settlement_id}"))

    def state(self, settlement_id: str) -> str:
        return str(self.settlement(settlement_id)["settlement"]["stage"])

    def event_types(self, enterprise_id: str) -> list[str]:
        """Returns the types of an enterprise's events, oldest first."""
        events = ok(self.operator.get("/events", enterpriseId=enterprise_id, pageSize=500))["events"]
        return [event["type"] for event in reversed(events)]

    def assert_proven(self) -> None:
        """Checks everything that must always hold. Protocol §10."""
        with self.runtime.transaction() as tx:
            assert check_ledger(tx) == []

    def assert_signed(self) -> None:
        """Checks the evidence of all signed requests, and that every record is what was signed. Protocol §3."""
        with self.runtime.transaction() as tx:
            assert check_signatures(tx, self.runtime.vault, lambda *_: None).findings == []


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


def withdrawal(partner: PartnerHandle, settlement_id: str, reason: str = "the wrong day") -> Json:
    """Returns the signed request with which a partner takes its settlement back."""
    ids = {"enterpriseId": partner.enterprise.id, "settlementId": settlement_id}
    intent = {"operation": "settlement.withdraw", **ids, "expiresAt": "2030-01-01T00:00:00Z"}
    return partner.enterprise.sign({"reason": reason, "nonce": new_nonce(), **intent})


def post_withdrawal(partner: PartnerHandle, settlement_id: str, body: object) -> httpx2.Response:
    return partner.api.post(f"/partners/settlements/{settlement_id}/withdraw", body)


def withdraw(partner: PartnerHandle, settlement_id: str, reason: str = "the wrong day") -> httpx2.Response:
    return post_withdrawal(partner, settlement_id, withdrawal(partner, settlement_id, reason))


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


def approved_closure(testbed: Testbed, connection: ConnectionHandle, amount: str) -> str:
    """Returns a dispute that the client closed after its window, and an operator approved."""
    settlement_id = stage(connection.partner, {connection.id: {"BTC": amount}})["id"]
    dispute_id: str = ok(dispute(connection, settlement_id))["dispute"]["id"]
    testbed.pass_minutes(20)
    closure = ok(close_dispute(connection, dispute_id))["disputeClosure"]
    with testbed.operator.another() as second:
        ok(second.post(f"/dispute-closures/{closure['id']}/review", {"decision": "approved", "notes": "yes"}))
    return dispute_id


def fields_at_once(amounts: Amounts, **more: object) -> Json:
    """Returns the fields of version 1, which has no cutoff."""
    fields = {name: value for name, value in fields_of(amounts).items() if name != "cutoffAt"}
    return {**fields, **more}


def try_settle(partner: PartnerHandle, amounts: Amounts, **more: object) -> httpx2.Response:
    """Requests a settlement of version 1, which executes at once or fails."""
    return partner.api.post("/partners/settlements", partner.enterprise.sign(fields_at_once(amounts, **more)))


def settle(partner: PartnerHandle, amounts: Amounts, **more: object) -> Json:
    """Requests a settlement of version 1, which must execute."""
    settlement: Json = ok(try_settle(partner, amounts, **more))["settlement"]
    return settlement
