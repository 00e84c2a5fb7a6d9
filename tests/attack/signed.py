"""Every signed operation, with a request that is accepted: what bent signatures and stray texts start from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

import httpx2

from clearwindow.signing.intent import ALWAYS_INTENDED
from clearwindow.signing.models import Operation
from tests.attack.stage import Stage
from tests.support.networks import TOKEN_KEY, EnterpriseHandle, Json, new_nonce, ok, sign_body
from tests.support.settlements import dispute, fields_at_once, fields_of, stage
from tests.support.top_ups import spare_account

EXPIRES_AT: Final = "2030-01-01T00:00:00.000Z"
"""Later than any clock of the tests."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """One request before it is signed: where it goes, who signs and sends it, and what it says.

    ``ids``: those of the path, but the enterprise's.
    """

    operation: Operation
    method: str
    path: str
    version: int
    sender: EnterpriseHandle
    fields: Json
    ids: Mapping[str, str] = field(default_factory=dict)

    def signed(self) -> Json:
        """Returns the body with a signature. The text says what it is for only if the operation always needs it."""
        if self.operation in ALWAYS_INTENDED:
            return self.intended()
        return sign_body(self.fields, self.sender.account.key)

    def intended(self, *without: str) -> Json:
        """Returns the body with a text that says what it is for, but for the members ``without``."""
        said = {
            "operation": self.operation.value,
            "enterpriseId": self.sender.id,
            **self.ids,
            "expiresAt": EXPIRES_AT,
        }
        told = {name: value for name, value in said.items() if name not in without}
        signed = sign_body({**self.fields, **told}, self.sender.account.key)
        return {**self.fields, "payload": signed["payload"], "signature": signed["signature"]}

    def send(self, body: Json, *, sender: EnterpriseHandle | None = None) -> httpx2.Response:
        api = (sender or self.sender).api
        send = {"PUT": api.put, "PATCH": api.patch, "POST": api.post, "DELETE": api.delete}[self.method]
        return send(self.path, body, version=self.version)


def _amounts(connection_id: str) -> Mapping[str, Mapping[str, str]]:
    return {connection_id: {"BTC": "-1"}}


def _allocation(stage_: Stage, what: str, operation: Operation) -> Prepared:
    connection = stage_.at_exchange
    fields = connection.allocation_fields("ofcbtc", 1)
    return Prepared(
        operation,
        "POST",
        f"{connection.path}/{what}",
        1,
        connection.client.enterprise,
        fields,
        {"connectionId": connection.id},
    )


def _decision(stage_: Stage, what: str, operation: Operation) -> Prepared:
    """Leaves an allocation or deallocation to the partner, and returns the partner's decision about it."""
    connection, partner = stage_.at_spot, stage_.spot
    stage_.testbed.network.configure(partner.enterprise.id, asyncAllocations=True, onchainEnabled=True)
    send = connection.allocate if what == "allocation" else connection.deallocate
    record = ok(send("ofcbtc", 1))[what]
    stage_.testbed.network.configure(partner.enterprise.id, onchainEnabled=True)
    fields = {
        f"{what}Id": record["id"],
        "amount": {"currency": "BTC", "quantity": "1"},
        "clientId": connection.client.id,
        "connectionId": connection.id,
        "partnersClientId": connection.client.id,
        "partnersConnectionId": connection.id,
        f"partners{what.capitalize()}Id": uuid4().hex,
        "status": "cleared",
        "nonce": new_nonce(),
    }
    return Prepared(operation, "PUT", f"/partners/{what}s", 1, partner.enterprise, fields)


def _connection(stage_: Stage) -> Prepared:
    fields = {
        "partnerId": stage_.exchange.id,
        "name": uuid4().hex,
        "connectionKey": dict(TOKEN_KEY),
        "nonce": new_nonce(),
    }
    path = "/clients/connections"
    return Prepared(Operation.CONNECTION_CREATE, "POST", path, 1, stage_.victim.enterprise, fields)


def _staging(stage_: Stage) -> Prepared:
    path, fields = "/partners/settlements", fields_of(_amounts(stage_.at_exchange.id))
    return Prepared(Operation.SETTLEMENT_STAGE, "POST", path, 2, stage_.exchange.enterprise, fields)


def _immediate(stage_: Stage) -> Prepared:
    path, fields = "/partners/settlements", fields_at_once(_amounts(stage_.at_spot.id))
    return Prepared(Operation.SETTLEMENT_IMMEDIATE, "POST", path, 1, stage_.spot.enterprise, fields)


def _onchain(stage_: Stage) -> Prepared:
    path, fields = "/partners/settlements/onchain", fields_at_once(_amounts(stage_.at_exchange.id))
    return Prepared(Operation.SETTLEMENT_ONCHAIN, "POST", path, 1, stage_.exchange.enterprise, fields)


def _deposits(stage_: Stage) -> Prepared:
    deposits = [{"currency": "BTC", "onChainTxId": uuid4().hex}]
    fields = {"externalSettlementId": uuid4().hex, "deposits": deposits}
    path = "/partners/settlements/onchain/deposits"
    return Prepared(Operation.SETTLEMENT_DEPOSITS, "POST", path, 1, stage_.exchange.enterprise, fields)


def _withdrawing(stage_: Stage) -> Prepared:
    settlement = stage(stage_.exchange, _amounts(stage_.at_exchange.id))["id"]
    path, ids = f"/partners/settlements/{settlement}/withdraw", {"settlementId": settlement}
    fields = {"reason": "the wrong day", "nonce": new_nonce()}
    return Prepared(Operation.SETTLEMENT_WITHDRAW, "POST", path, 1, stage_.exchange.enterprise, fields, ids)


def _raising(stage_: Stage) -> Prepared:
    settlement = stage(stage_.exchange, _amounts(stage_.at_exchange.id))["id"]
    fields = {"connectionId": stage_.at_exchange.id, "expectedTransfers": {}, "nonce": new_nonce()}
    path = f"/clients/settlements/{settlement}/disputes"
    ids = {"settlementId": settlement}
    return Prepared(Operation.DISPUTE_RAISE, "POST", path, 1, stage_.victim.enterprise, fields, ids)


def _disputed(stage_: Stage) -> str:
    settlement = stage(stage_.exchange, _amounts(stage_.at_exchange.id))["id"]
    return str(ok(dispute(stage_.at_exchange, settlement))["dispute"]["id"])


def _updating(stage_: Stage) -> Prepared:
    fields = {"connectionId": stage_.at_exchange.id, "retracted": True, "nonce": new_nonce()}
    ids = {"disputeId": _disputed(stage_)}
    path = f"/clients/settlements/disputes/{ids['disputeId']}"
    return Prepared(Operation.DISPUTE_UPDATE, "PUT", path, 1, stage_.victim.enterprise, fields, ids)


def _closing(stage_: Stage) -> Prepared:
    ids = {"disputeId": _disputed(stage_)}
    path = f"/clients/settlements/disputes/{ids['disputeId']}/close"
    stage_.testbed.pass_minutes(601)
    fields = {"notes": "we were wrong", "nonce": new_nonce()}
    return Prepared(Operation.DISPUTE_CLOSE, "POST", path, 1, stage_.victim.enterprise, fields, ids)


def _requirement(stage_: Stage) -> Prepared:
    """Requires intent for an account that nothing else of the stage uses."""
    enterprise = stage_.testbed.network.enterprise(f"careful-{new_nonce()}")
    path, ids = f"/go-accounts/{enterprise.account.id}/require-intent", {"goAccountId": enterprise.account.id}
    fields = {"requireIntent": True, "nonce": new_nonce()}
    return Prepared(Operation.ACCOUNT_REQUIRE_INTENT, "POST", path, 1, enterprise, fields, ids)


def _renaming(stage_: Stage) -> Prepared:
    connection = stage_.at_exchange
    fields, ids = {"name": uuid4().hex, "nonce": new_nonce()}, {"connectionId": connection.id}
    sender = connection.client.enterprise
    return Prepared(Operation.CONNECTION_UPDATE, "PUT", connection.path, 1, sender, fields, ids)


def _loss_limits(stage_: Stage) -> Prepared:
    connection = stage_.at_exchange
    fields = {"lossLimits": {"ofcusd": {"perSettlement": None, "perDay": None}}, "nonce": new_nonce()}
    path, sender = f"{connection.path}/loss-limits", connection.client.enterprise
    ids = {"connectionId": connection.id}
    return Prepared(Operation.LOSS_LIMITS_CHANGE, "PUT", path, 1, sender, fields, ids)


def _thresholds(stage_: Stage, operation: Operation, path: str) -> Prepared:
    """Changes nothing: other attacks need what the stage has set."""
    fields = {"thresholds": {"ofcusd": None}, "nonce": new_nonce()}
    return Prepared(operation, "PUT", path, 1, stage_.victim.enterprise, fields)


def _standing_top_up(stage_: Stage) -> Prepared:
    """Instructs a top-up of a partner that nothing else of the stage uses. Its accounts have one key."""
    partner = stage_.testbed.network.partner(f"drawing-{new_nonce()}")
    ids = {"goAccountId": spare_account(stage_.testbed, partner)}
    path = f"/go-accounts/{ids['goAccountId']}/standing-top-ups"
    fields = {"currency": "ofcusd", "perSettlement": "1", "nonce": new_nonce()}
    return Prepared(Operation.STANDING_TOP_UP_CREATE, "POST", path, 1, partner.enterprise, fields, ids)


def _new_endpoint(stage_: Stage) -> Prepared:
    fields = {"url": "https://victim.example/other", "nonce": new_nonce()}
    path = "/webhook-endpoints"
    return Prepared(Operation.WEBHOOK_ENDPOINT_CREATE, "POST", path, 1, stage_.victim.enterprise, fields)


def _at_endpoint(stage_: Stage, operation: Operation, method: str, end: str = "", **more: object) -> Prepared:
    """Returns a change of an endpoint that is not the stage's. One is made if there is none."""
    api = stage_.victim.api
    listed = ok(api.get("/webhook-endpoints"))["webhookEndpoints"]
    spare = [endpoint["id"] for endpoint in listed if endpoint["id"] != stage_.ids["endpointId"]]
    if not spare:
        made = _new_endpoint(stage_)
        spare = [ok(made.send(made.signed()))["webhookEndpoint"]["id"]]
    path, fields = f"/webhook-endpoints/{spare[0]}{end}", {**more, "nonce": new_nonce()}
    return Prepared(operation, method, path, 1, stage_.victim.enterprise, fields, {"endpointId": spare[0]})


PREPARE: Final[Mapping[Operation, Callable[[Stage], Prepared]]] = {
    Operation.SETTLEMENT_STAGE: _staging,
    Operation.SETTLEMENT_IMMEDIATE: _immediate,
    Operation.SETTLEMENT_ONCHAIN: _onchain,
    Operation.SETTLEMENT_DEPOSITS: _deposits,
    Operation.SETTLEMENT_WITHDRAW: _withdrawing,
    Operation.ALLOCATION: lambda stage_: _allocation(stage_, "allocations", Operation.ALLOCATION),
    Operation.DEALLOCATION: lambda stage_: _allocation(stage_, "deallocations", Operation.DEALLOCATION),
    Operation.ALLOCATION_DECIDE: lambda stage_: _decision(stage_, "allocation", Operation.ALLOCATION_DECIDE),
    Operation.DEALLOCATION_DECIDE: lambda stage_: _decision(stage_, "deallocation", Operation.DEALLOCATION_DECIDE),
    Operation.CONNECTION_CREATE: _connection,
    Operation.DISPUTE_RAISE: _raising,
    Operation.DISPUTE_UPDATE: _updating,
    Operation.DISPUTE_CLOSE: _closing,
    Operation.ACCOUNT_REQUIRE_INTENT: _requirement,
    Operation.CONNECTION_UPDATE: _renaming,
    Operation.LOSS_LIMITS_CHANGE: _loss_limits,
    Operation.APPROVAL_THRESHOLDS_CHANGE: lambda stage_: _thresholds(
        stage_, Operation.APPROVAL_THRESHOLDS_CHANGE, "/clients/approval-thresholds"
    ),
    Operation.DAILY_APPROVAL_THRESHOLDS_CHANGE: lambda stage_: _thresholds(
        stage_, Operation.DAILY_APPROVAL_THRESHOLDS_CHANGE, "/clients/daily-approval-thresholds"
    ),
    Operation.CUSTODIAN_LIMITS_CHANGE: lambda stage_: _thresholds(
        stage_, Operation.CUSTODIAN_LIMITS_CHANGE, "/custodian-limits"
    ),
    Operation.STANDING_TOP_UP_CREATE: _standing_top_up,
    Operation.WEBHOOK_ENDPOINT_CREATE: _new_endpoint,
    Operation.WEBHOOK_ENDPOINT_UPDATE: lambda stage_: _at_endpoint(
        stage_, Operation.WEBHOOK_ENDPOINT_UPDATE, "PATCH", description=uuid4().hex
    ),
    Operation.WEBHOOK_ENDPOINT_ROTATE_SECRET: lambda stage_: _at_endpoint(
        stage_, Operation.WEBHOOK_ENDPOINT_ROTATE_SECRET, "POST", "/rotate-secret"
    ),
    Operation.WEBHOOK_ENDPOINT_DELETE: lambda stage_: _at_endpoint(
        stage_, Operation.WEBHOOK_ENDPOINT_DELETE, "DELETE"
    ),
}
"""For each signed operation, how to prepare a request of it. Each is a request of its own."""
