"""A network in which every signed operation was accepted at least once."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from tests.support.chains import ChainDesk
from tests.support.networks import ClientHandle, ConnectionHandle, Json, PartnerHandle, new_nonce, ok, sign_body
from tests.support.settlements import Testbed, change_dispute, close_dispute, dispute, settle, stage, withdraw
from tests.support.top_ups import spare_account, standing_top_up

ALL_OPERATIONS = {
    "settlement.stage",
    "settlement.immediate",
    "settlement.onchain",
    "settlement.deposits",
    "settlement.withdraw",
    "allocation",
    "deallocation",
    "allocation.decide",
    "deallocation.decide",
    "connection.create",
    "dispute.raise",
    "dispute.update",
    "dispute.close",
    "account.require_intent",
    "connection.update",
    "loss_limits.change",
    "approval_thresholds.change",
    "daily_approval_thresholds.change",
    "custodian_limits.change",
    "standing_top_up.create",
    "webhook_endpoint.create",
    "webhook_endpoint.update",
    "webhook_endpoint.delete",
    "webhook_endpoint.rotate_secret",
}


THRESHOLDS = {
    "approval_thresholds.change": "/clients/approval-thresholds",
    "daily_approval_thresholds.change": "/clients/daily-approval-thresholds",
    "custodian_limits.change": "/custodian-limits",
}


@dataclass(frozen=True)
class Acted:
    """``subjects``: the records of one request of each operation."""

    testbed: Testbed
    partner: PartnerHandle
    connection: ConnectionHandle
    subjects: dict[str, str]


def act(testbed: Testbed) -> Acted:
    """Has one client and three partners sign everything that can be signed."""
    network = testbed.network
    partner = network.partner(deposits={"ofcbtc": 1_000}, onchainEnabled=True)
    connection = network.funded(partner, {"ofcbtc": 1_000})
    subjects = {"connection.create": connection.id}
    subjects["deallocation"] = ok(connection.deallocate("btc", 10, notes="ünnötig"))["deallocation"]["id"]
    amounts = {connection.id: {"BTC": "-7"}}
    subjects["settlement.stage"] = stage(partner, amounts, notes="of today")["id"]
    subjects["dispute.raise"] = _disputed(testbed, connection, subjects["settlement.stage"])
    subjects["dispute.update"] = subjects["dispute.raise"]
    testbed.pass_minutes(10)
    subjects["dispute.close"] = ok(close_dispute(connection, subjects["dispute.raise"]))["disputeClosure"]["id"]
    mistaken = stage(partner, amounts)["id"]
    ok(withdraw(partner, mistaken))
    subjects["settlement.withdraw"] = mistaken
    desk = ChainDesk(testbed, partner, connection, connection)
    subjects["settlement.onchain"] = desk.initiate({connection.id: {"BTC": "5"}}, externalId="on chain")["id"]
    desk.fund("on chain", "BTC", 5)
    subjects["settlement.deposits"] = subjects["settlement.onchain"]
    at_once = network.partner("spot", dispute_window=None, deposits={"ofcbtc": 10}, amountUnit="decimal")
    spot = network.funded(at_once, {"ofcbtc": 100}, name="spot-trader")
    subjects["settlement.immediate"] = settle(at_once, {spot.id: {"BTC": "-0.0000001"}})["id"]
    subjects["account.require_intent"] = _requires_intent(network.client("careful"))
    subjects |= _changed(connection)
    subjects["standing_top_up.create"] = standing_top_up(partner, spare_account(testbed, partner))["id"]
    subjects |= _decided(testbed)
    return Acted(testbed, partner, connection, subjects)


def _requires_intent(client: ClientHandle) -> str:
    enterprise = client.enterprise
    path = f"/go-accounts/{enterprise.account.id}/require-intent"
    ids = {"enterpriseId": enterprise.id, "goAccountId": enterprise.account.id}
    text = {**ids, "operation": "account.require_intent", "expiresAt": "2030-01-01T00:00:00Z"}
    ok(enterprise.api.post(path, enterprise.sign({"requireIntent": True, **text})))
    return str(UUID(hex=enterprise.account.id))


def _changed(connection: ConnectionHandle) -> dict[str, str]:
    """Signs changes that need no signature here: the account does not require intent."""
    owner = connection.client.enterprise

    def signed(operation: str, **fields: object) -> Json:
        said = {"enterpriseId": owner.id, "operation": operation, "expiresAt": "2030-01-01T00:00:00Z"}
        return owner.sign({**fields, **said})

    ok(owner.api.put(connection.path, signed("connection.update", connectionId=connection.id, name="renamed")))
    limits = {"ofcbtc": {"perSettlement": "900", "perDay": None}}
    body = signed("loss_limits.change", connectionId=connection.id, lossLimits=limits)
    ok(owner.api.put(f"{connection.path}/loss-limits", body))
    account = str(UUID(hex=owner.account.id))
    for operation, path in THRESHOLDS.items():
        ok(owner.api.put(path, signed(operation, thresholds={"ofcbtc": "900"})))
    body = signed("webhook_endpoint.create", url="https://trader.example/hook")
    made = ok(owner.api.post("/webhook-endpoints", body))["webhookEndpoint"]["id"]
    path = f"/webhook-endpoints/{made}"
    ok(owner.api.patch(path, signed("webhook_endpoint.update", endpointId=made, enabled=False)))
    ok(owner.api.post(f"{path}/rotate-secret", signed("webhook_endpoint.rotate_secret", endpointId=made)))
    assert owner.api.delete(path, signed("webhook_endpoint.delete", endpointId=made)).status_code == 204
    named = {f"webhook_endpoint.{what}": made for what in ("create", "update", "delete", "rotate_secret")}
    of_connection = dict.fromkeys(("connection.update", "loss_limits.change"), connection.id)
    return of_connection | dict.fromkeys(THRESHOLDS, account) | named


def _disputed(testbed: Testbed, connection: ConnectionHandle, settlement_id: str) -> str:
    raised = ok(dispute(connection, settlement_id, {"btc": "-2"}, reason="two, not seven"))["dispute"]
    ok(change_dispute(connection, raised["id"], retracted=True))
    ok(change_dispute(connection, raised["id"], retracted=False, expectedTransfers={"ofcbtc": "-3"}))
    assert testbed.state(settlement_id) == "dispute_window"
    return str(raised["id"])


def _decided(testbed: Testbed) -> dict[str, str]:
    partner = testbed.network.partner("slow", asyncAllocations=True)
    connection = testbed.network.connect(testbed.network.client("patient", deposits={"ofcbtc": 100}), partner)
    subjects = {}
    for what, send in (("allocation", connection.allocate), ("deallocation", connection.deallocate)):
        record = ok(send("ofcbtc", 30))[what]
        body = sign_body(decision(connection, what, record), partner.enterprise.account.key)
        ok(partner.api.put(f"/partners/{what}s", body))
        subjects[f"{what}.decide"] = record["id"]
    subjects["allocation"] = subjects["allocation.decide"]
    return subjects


def decision(connection: ConnectionHandle, what: str, record: Json) -> Json:
    """Returns the fields of a partner's yes."""
    return {
        f"{what}Id": record["id"],
        "amount": {"currency": "BTC", "quantity": "30"},
        "clientId": connection.client.id,
        "connectionId": connection.id,
        "partnersClientId": connection.client.id,
        "partnersConnectionId": connection.id,
        f"partners{what.capitalize()}Id": "their-id",
        "status": "cleared",
        "nonce": new_nonce(),
    }
