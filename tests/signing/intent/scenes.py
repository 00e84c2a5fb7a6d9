"""Signed texts, each with the request that it was made for and another one that it fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import httpx2

from tests.support.networks import (
    TOKEN_KEY,
    ConnectionHandle,
    EnterpriseHandle,
    Json,
    new_nonce,
    ok,
    sign_body,
)
from tests.support.operators import make_key
from tests.support.settlements import Testbed, dispute, fields_at_once, stage

LATER: Final = "2026-01-05T12:30:00.000Z"
"""Half an hour after the clock of the tests starts."""


@dataclass(frozen=True)
class Scene:
    """``fields``: new fields of a text. ``right`` and ``wrong`` send it; ``ids`` are those of the right path.

    ``status`` and ``used``: how a used text is refused. ``contradiction``: the error if the text says that it is
    for the right request.
    """

    testbed: Testbed
    owner: EnterpriseHandle
    operation: str
    ids: Mapping[str, str]
    fields: Callable[[], Json]
    right: Callable[[Json], httpx2.Response]
    wrong: Callable[[Json], httpx2.Response]
    status: int = 409
    used: str = "text_already_used"
    contradiction: str = "intent_wrong"

    def text(self, **more: object) -> Json:
        return self.sign({**self.fields(), **more})

    def intended(self, **more: object) -> Json:
        """Returns a signed body whose payload says what it is for. The body does not repeat it."""
        return with_intent(self.fields(), self.owner, self.operation, self.ids, **more)

    def sign(self, fields: Json) -> Json:
        return sign_body(fields, self.owner.account.key)


def with_intent(
    fields: Json, owner: EnterpriseHandle, operation: str, ids: Mapping[str, str], /, **more: object
) -> Json:
    """Returns a signed body whose payload says what it is for. ``more`` changes members; None takes one away."""
    members = {"operation": operation, "enterpriseId": owner.id, **ids, "expiresAt": LATER, **more}
    said = {**fields, **{name: value for name, value in members.items() if value is not None}}
    signed = sign_body(said, owner.account.key)
    return {**fields, "payload": signed["payload"], "signature": signed["signature"]}


def twin(testbed: Testbed, name: str, number: int) -> EnterpriseHandle:
    """Makes an enterprise whose account has the key of this number, as another one's has."""
    testbed.operator.enterprise(name, trustOrg="BitGo Trust")
    account = testbed.operator.go_account(name, key=make_key(number))
    return EnterpriseHandle(name, account, testbed.network.member(name))


def _client(testbed: Testbed) -> ConnectionHandle:
    connection = testbed.network.funded(testbed.network.partner(), {"ofcbtc": 1_000})
    testbed.operator.deposit(connection.client.enterprise.account.id, "ofcbtc", 1_000)
    return connection


def allocation_as_deallocation(testbed: Testbed) -> Scene:
    connection = _client(testbed)
    post = connection.client.api.post
    return Scene(
        testbed,
        connection.client.enterprise,
        "allocation",
        {"connectionId": connection.id},
        lambda: connection.allocation_fields("ofcbtc", 5),
        partial(post, f"{connection.path}/allocations"),
        partial(post, f"{connection.path}/deallocations"),
        status=400,
    )


def allocation_at_another_exchange(testbed: Testbed) -> Scene:
    connection = _client(testbed)
    other = testbed.network.connect(connection.client, testbed.network.partner("other"))
    post = connection.client.api.post
    return Scene(
        testbed,
        connection.client.enterprise,
        "allocation",
        {"connectionId": connection.id},
        lambda: connection.allocation_fields("ofcbtc", 5),
        partial(post, f"{connection.path}/allocations"),
        partial(post, f"{other.path}/allocations"),
        status=400,
        contradiction="payload_differs",
    )


def dispute_of_another_settlement(testbed: Testbed) -> Scene:
    """Each text is for a settlement of its own; the other one of its pair is the wrong one."""
    connection = _client(testbed)
    one, other = (stage(connection.partner, {connection.id: {"BTC": "-1"}})["id"] for _ in range(2))
    post = connection.client.api.post
    return Scene(
        testbed,
        connection.client.enterprise,
        "dispute.raise",
        {"settlementId": one},
        lambda: {"connectionId": connection.id, "expectedTransfers": {}, "nonce": new_nonce()},
        partial(post, f"/clients/settlements/{one}/disputes"),
        partial(post, f"/clients/settlements/{other}/disputes"),
        contradiction="payload_differs",
    )


def retraction_of_another_dispute(testbed: Testbed) -> Scene:
    connection = _client(testbed)
    staged = [stage(connection.partner, {connection.id: {"BTC": "-1"}})["id"] for _ in range(2)]
    one, other = (ok(dispute(connection, settlement))["dispute"]["id"] for settlement in staged)
    put = connection.client.api.put
    return Scene(
        testbed,
        connection.client.enterprise,
        "dispute.update",
        {"disputeId": one},
        lambda: {"connectionId": connection.id, "retracted": True, "nonce": new_nonce()},
        partial(put, f"/clients/settlements/disputes/{one}"),
        partial(put, f"/clients/settlements/disputes/{other}"),
        contradiction="payload_differs",
    )


def closing_of_another_dispute(testbed: Testbed) -> Scene:
    connection = _client(testbed)
    staged = [stage(connection.partner, {connection.id: {"BTC": "-1"}})["id"] for _ in range(2)]
    one, other = (ok(dispute(connection, settlement))["dispute"]["id"] for settlement in staged)
    testbed.pass_minutes(10)
    post = connection.client.api.post
    return Scene(
        testbed,
        connection.client.enterprise,
        "dispute.close",
        {"disputeId": one},
        lambda: {"notes": "we were wrong", "nonce": new_nonce()},
        partial(post, f"/clients/settlements/disputes/{one}/close"),
        partial(post, f"/clients/settlements/disputes/{other}/close"),
        contradiction="payload_differs",
    )


def connection_of_an_enterprise_with_the_same_key(testbed: Testbed) -> Scene:
    partner = testbed.network.partner()
    ann, bob = twin(testbed, "ann", 77), twin(testbed, "bob", 77)
    for enterprise in (ann, bob):
        ok(enterprise.api.post("/clients"))
    return Scene(
        testbed,
        ann,
        "connection.create",
        {},
        lambda: {"partnerId": partner.id, "name": "main", "connectionKey": TOKEN_KEY, "nonce": new_nonce()},
        partial(ann.api.post, "/clients/connections"),
        partial(bob.api.post, "/clients/connections"),
        status=400,
        contradiction="payload_differs",
    )


def onchain_at_once_in_whole_coins(testbed: Testbed) -> Scene:
    """5 satoshi on chain are 5 bitcoin for version 1 of a partner whose amounts are decimals."""
    partner = testbed.network.partner(
        dispute_window=None, amountUnit="decimal", onchainEnabled=True, deposits={"ofcbtc": 10**10}
    )
    connection = testbed.network.funded(partner, {"ofcbtc": 10**10})

    def fields() -> Json:
        return fields_at_once({connection.id: {"BTC": "-5"}})

    return Scene(
        testbed,
        partner.enterprise,
        "settlement.onchain",
        {},
        fields,
        partial(partner.api.post, "/partners/settlements/onchain"),
        partial(partner.api.post, "/partners/settlements"),
        used="external_id_taken",
    )


def deposits_of_a_partner_with_the_same_key(testbed: Testbed) -> Scene:
    def partner(name: str) -> EnterpriseHandle:
        enterprise = twin(testbed, name, 78)
        testbed.network.configure(name, onchainEnabled=True)
        asked = {"name": name, "institutionIdentifier": name, "connectionKeySchema": "token"}
        ok(enterprise.api.post("/partners", {**asked, "broker": False, "allocationPoliciesEnabled": False}))
        return enterprise

    ann, bob = partner("ann"), partner("bob")

    def fields() -> Json:
        deposits = [{"currency": "BTC", "onChainTxId": new_nonce()}]
        return {"externalSettlementId": new_nonce(), "deposits": deposits}

    path = "/partners/settlements/onchain/deposits"
    post, other = partial(ann.api.post, path), partial(bob.api.post, path)
    return Scene(testbed, ann, "settlement.deposits", {}, fields, post, other, contradiction="payload_differs")


SCENES: Final = (
    allocation_as_deallocation,
    allocation_at_another_exchange,
    dispute_of_another_settlement,
    retraction_of_another_dispute,
    closing_of_another_dispute,
    connection_of_an_enterprise_with_the_same_key,
    onchain_at_once_in_whole_coins,
    deposits_of_a_partner_with_the_same_key,
)


def require_intent(enterprise: EnterpriseHandle, **more: object) -> httpx2.Response:
    """Signs, as the account's owner, that its texts must say what they are for."""
    ids = {"goAccountId": enterprise.account.id}
    fields = {"requireIntent": True, "nonce": new_nonce()}
    body = with_intent(fields, enterprise, "account.require_intent", ids, **more)
    return enterprise.api.post(f"/go-accounts/{enterprise.account.id}/require-intent", body)
