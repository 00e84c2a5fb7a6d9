"""The network that is attacked: two parties with something of every kind, and two that want it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from uuid import uuid4

import httpx2

from tests.support.approvals import set_thresholds
from tests.support.exchanges import check_response
from tests.support.http import loopback_client
from tests.support.networks import ClientHandle, ConnectionHandle, PartnerHandle, ok
from tests.support.operators import TIMEOUT_SECONDS
from tests.support.settlements import Testbed, close_dispute, dispute, stage
from tests.support.top_ups import spare_account, standing_top_up

DEPOSIT: Final = 1_000_000
WINDOW_MINUTES: Final = 600.0
T = TypeVar("T")

ANY: Final = "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39"
"""An id of nothing."""

IN_PATH: Final = re.compile(r"\{([a-zA-Z]+)\}")


@dataclass
class Stage:
    """The scene of one class of attacks.

    Attributes:
        testbed: the network, its clock and its worker.
        thorough: the whole run; else the bounded part that is in the test suite.
        exchange: a partner with a dispute window, which also settles on chain.
        spot: a partner without windows, which settles at once.
        victim: a client of both with funds, a dispute, approvals and webhooks.
        rival, stranger: a partner and a client that have no business with the others.
        ids: for each name of a path parameter, the id of something that is not the stranger's or the rival's.
    """

    testbed: Testbed
    thorough: bool
    exchange: PartnerHandle
    spot: PartnerHandle
    victim: ClientHandle
    at_exchange: ConnectionHandle
    at_spot: ConnectionHandle
    rival: PartnerHandle
    stranger: ClientHandle
    at_rival: ConnectionHandle
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def base_url(self) -> str:
        return self.testbed.operator.base_url

    @property
    def attacked(self) -> tuple[ClientHandle, PartnerHandle]:
        """Returns who owns what ``ids`` names."""
        return self.victim, self.exchange

    def few(self, full: int, few: int) -> int:
        return full if self.thorough else few

    def some(self, all_of_them: Sequence[T], turn: int) -> Sequence[T]:
        """Returns all in the whole run; in the bounded one a third, another at each turn."""
        return all_of_them if self.thorough else all_of_them[turn % 3 :: 3]

    def http(self) -> httpx2.Client:
        return loopback_client(
            base_url=self.base_url, timeout=TIMEOUT_SECONDS, event_hooks={"response": [check_response]}
        )

    def path(self, template: str, **other: str) -> str:
        """Returns the path with the ids of the attacked, or with those given. What they have none of is nothing."""
        ids = {**self.ids, **self.of_side(template), **other}
        return IN_PATH.sub(lambda found: ids.get(found[1], ANY), template)

    def of_side(self, template: str) -> dict[str, str]:
        """Returns the enterprise that an operation of the network is for: a partner's or a client's."""
        partners = "/partners/" in template or template.endswith("/partners")
        return {"enterpriseId": (self.exchange if partners else self.victim).enterprise.id}


def build(testbed: Testbed, *, thorough: bool) -> Stage:
    """Builds the network over HTTP."""
    network = testbed.network
    plenty = {"ofcbtc": DEPOSIT, "ofceth": DEPOSIT}
    exchange = network.partner(
        dispute_window=WINDOW_MINUTES,
        top_up_window=WINDOW_MINUTES,
        onchainEnabled=True,
        allocation_policies=True,
        deposits=plenty,
    )
    spot = network.partner("spot", dispute_window=None, top_up_window=None, onchainEnabled=True, deposits=plenty)
    victim = network.client("victim", deposits=plenty)
    rival = network.partner("rival", dispute_window=WINDOW_MINUTES, top_up_window=WINDOW_MINUTES)
    stranger = network.client("stranger", deposits=plenty)
    made = Stage(
        testbed,
        thorough,
        exchange,
        spot,
        victim,
        network.connect(victim, exchange),
        network.connect(victim, spot),
        rival,
        stranger,
        network.connect(stranger, rival),
    )
    for connection in (made.at_exchange, made.at_spot, made.at_rival):
        ok(connection.allocate("ofcbtc", DEPOSIT // 10))
    made.ids = _ids(made)
    return made


def _ids(made: Stage) -> dict[str, str]:
    victim, exchange, operator = made.victim, made.exchange, made.testbed.operator
    settled = stage(exchange, {made.at_exchange.id: {"BTC": "-10"}})["id"]
    disputed = ok(dispute(made.at_exchange, settled))["dispute"]["id"]
    made.testbed.pass_minutes(WINDOW_MINUTES + 1)
    closure = ok(close_dispute(made.at_exchange, disputed))["disputeClosure"]["id"]
    open_settlement = stage(exchange, {made.at_exchange.id: {"BTC": "-10"}})["id"]
    open_dispute = ok(dispute(made.at_exchange, open_settlement))["dispute"]["id"]
    ok(set_thresholds(victim.api, {"ofceth": 100}))
    allocation = ok(made.at_exchange.allocate("ofceth", 200))["allocation"]["id"]
    endpoint = ok(victim.api.post("/webhook-endpoints", {"url": "https://victim.example/hook"}))
    signed = ok(exchange.api.get("/signed-requests"))["signedRequests"]
    approvals = ok(victim.api.get("/clients/pending-approvals"))["pendingApprovals"]
    second = operator.operator("second")
    token = operator.token(victim.enterprise.id, f"user-of-{victim.enterprise.id}")
    account = victim.enterprise.account
    connection = ok(victim.api.get(made.at_exchange.path))["connection"]
    standing = standing_top_up(exchange, spare_account(made.testbed, exchange))["id"]
    return {
        "standingTopUpId": standing,
        "enterpriseId": victim.enterprise.id,
        "walletId": account.id,
        "goAccountId": account.id,
        "accountId": connection["networkAccountId"],
        "keyId": account.key_id,
        "settlementId": open_settlement,
        "disputeId": open_dispute,
        "closureId": closure,
        "connectionId": made.at_exchange.id,
        "allocationId": allocation,
        "approvalId": approvals[0]["id"],
        "endpointId": endpoint["webhookEndpoint"]["id"],
        "partnerId": exchange.id,
        "clientId": victim.id,
        "transactionId": _chain_deposit(made),
        "depositId": ANY,
        "operatorId": second["id"],
        "tokenId": token["id"],
        "signedRequestId": signed[0]["id"],
    }


def _chain_deposit(made: Stage) -> str:
    body = {"partnerId": made.exchange.id, "currency": "ofcbtc", "quantity": "5", "txId": uuid4().hex}
    return str(ok(made.testbed.operator.post("/chain/deposits", body))["transaction"]["id"])


def answer_without_ids(response: httpx2.Response, *ids: str) -> tuple[int, Any]:
    """Returns a refusal without what differs between two requests: its own id, and those that were asked for."""
    said: Mapping[str, Any] = response.json() if response.content else {}
    text = str(sorted((name, value) for name, value in said.items() if name != "requestId"))
    for one in ids:
        text = text.replace(one, "…")
    return response.status_code, text
