"""Builds networks for tests over HTTP: partners, clients, connections and funded allocations, each in one line.

Every exchange is checked against the wire contract and our own document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import uuid4

import httpx2

from clearwindow.signing.keys import PrivateKey
from clearwindow.signing.message import sign_message
from clearwindow.signing.payload import payload_text
from tests.support.http import loopback_client
from tests.support.operators import CHECKED, GoAccountHandle, Hooks, OperatorClient

TIMEOUT_SECONDS = 60
CURRENCIES = {"BTC": "ofcbtc", "ETH": "ofceth", "USD": "ofcusd"}
TOKEN_KEY = {"schema": "token", "connectionToken": "the-secret-of-the-connection"}
Json = dict[str, Any]


def new_nonce() -> str:
    return uuid4().hex


def sign_body(fields: Mapping[str, object], key: PrivateKey) -> Json:
    """Returns the fields as a signed body."""
    payload = payload_text(fields)
    return {**fields, "payload": payload, "signature": sign_message(key, payload)}


def ok(response: httpx2.Response) -> Json:
    assert response.status_code == 200, response.text
    answer: Json = response.json()
    return answer


class NetworkClient:
    """The calls of one member. Paths are relative to the enterprise."""

    def __init__(self, base_url: str, token: str, enterprise_id: str, *, hooks: Hooks = CHECKED) -> None:
        self.enterprise_id = enterprise_id
        self._http = loopback_client(
            base_url=f"{base_url}/api/network",
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT_SECONDS,
            event_hooks={"response": list(hooks)},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, *, body: object = None, **params: Any) -> httpx2.Response:  # noqa: ANN401 - a query
        return self._http.request("GET", self._path(path, 1), params=params, json=body)

    def post(self, path: str, body: object = None, *, version: int = 1) -> httpx2.Response:
        return self._http.post(self._path(path, version), json=body)

    def put(self, path: str, body: object, *, version: int = 1) -> httpx2.Response:
        return self._http.put(self._path(path, version), json=body)

    def patch(self, path: str, body: object, *, version: int = 1) -> httpx2.Response:
        return self._http.patch(self._path(path, version), json=body)

    def delete(self, path: str, body: object = None, *, version: int = 1) -> httpx2.Response:
        return self._http.request("DELETE", self._path(path, version), json=body)

    def post_raw(self, path: str, content: bytes, *, version: int = 1) -> httpx2.Response:
        headers = {"Content-Type": "application/json"}
        return self._http.post(self._path(path, version), content=content, headers=headers)

    def _path(self, path: str, version: int) -> str:
        return f"/v{version}/enterprises/{self.enterprise_id}{path}"


@dataclass(frozen=True)
class EnterpriseHandle:
    """An enterprise with a member's token and a Go Account's key."""

    id: str
    account: GoAccountHandle
    api: NetworkClient

    def sign(self, fields: Mapping[str, object]) -> Json:
        """Returns the fields as a signed body, with a new nonce if they have none."""
        return sign_body({"nonce": new_nonce(), **fields}, self.account.key)


@dataclass(frozen=True)
class PartnerHandle:
    id: str
    client_id: str
    enterprise: EnterpriseHandle

    @property
    def api(self) -> NetworkClient:
        return self.enterprise.api


@dataclass(frozen=True)
class ClientHandle:
    id: str
    enterprise: EnterpriseHandle

    @property
    def api(self) -> NetworkClient:
        return self.enterprise.api


@dataclass(frozen=True)
class ConnectionHandle:
    id: str
    client: ClientHandle
    partner: PartnerHandle

    @property
    def path(self) -> str:
        return f"/clients/connections/{self.id}"

    def allocation_fields(self, currency: str, quantity: object, **more: object) -> Json:
        amount = {"currency": currency, "quantity": str(quantity)}
        return {"amount": amount, "clientExternalId": uuid4().hex, "nonce": new_nonce(), **more}

    def allocate(self, currency: str, quantity: object, **more: object) -> httpx2.Response:
        return self._submit("allocations", currency, quantity, more)

    def deallocate(self, currency: str, quantity: object, **more: object) -> httpx2.Response:
        return self._submit("deallocations", currency, quantity, more)

    def balances(self) -> dict[str, tuple[int, int]]:
        """Returns (available, held) of the network account per currency, in our names and base units."""
        answer = ok(self.client.api.get("/clients/balances", connectionIds=self.id))
        return _amounts(answer["networkBalances"][self.id]["balances"])

    def go_balances(self) -> dict[str, tuple[int, int]]:
        """Returns (available, held) of the client's Go Account per currency."""
        return _amounts(ok(self.client.api.get("/clients/balances"))["balances"])

    def _submit(self, what: str, currency: str, quantity: object, more: Mapping[str, object]) -> httpx2.Response:
        fields = self.allocation_fields(currency, quantity, **more)
        return self.client.api.post(f"{self.path}/{what}", self.client.enterprise.sign(fields))


def _amounts(balances: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[int, int]]:
    return {name: (int(amount["available"]), int(amount["held"])) for name, amount in balances.items()}


class Network:
    """Builds a network with requests of the operator and of the members."""

    def __init__(self, operator: OperatorClient) -> None:
        self.operator = operator
        self._apis: list[NetworkClient] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for api in self._apis:
            api.close()

    def enterprise(self, name: str, **more: Any) -> EnterpriseHandle:  # noqa: ANN401 - what an enterprise takes
        self.operator.enterprise(name, **{"trustOrg": "BitGo Trust", **more})
        account = self.operator.go_account(name)
        return EnterpriseHandle(name, account, self.member(name))

    def member(self, enterprise_id: str, **terms: Any) -> NetworkClient:  # noqa: ANN401 - what a token takes
        token = self.operator.user_token(enterprise_id, **terms)
        api = NetworkClient(self.operator.base_url, token, enterprise_id, hooks=self.operator.hooks)
        self._apis.append(api)
        return api

    def configure(self, enterprise_id: str, **settings: object) -> Json:
        body = {"currencies": CURRENCIES, "amountUnit": "base", **settings}
        return ok(self.operator.put(f"/enterprises/{enterprise_id}/partner-configuration", body))

    def partner(
        self,
        name: str = "exchange",
        *,
        dispute_window: float | None = 10,
        top_up_window: float | None = 10,
        broker: bool = False,
        allocation_policies: bool = False,
        deposits: Mapping[str, int] | None = None,
        **settings: object,
    ) -> PartnerHandle:
        """Makes a partner; ``settings`` are those of its configuration."""
        enterprise = self.enterprise(name)
        self.configure(name, **settings)
        asked: Json = {
            "name": name,
            "broker": broker,
            "institutionIdentifier": name,
            "connectionKeySchema": "token",
            "allocationPoliciesEnabled": allocation_policies,
        }
        made = ok(enterprise.api.post("/partners", asked))["partner"]
        windows = {"clientDisputeWindowMinutes": dispute_window, "topUpWindowMinutes": top_up_window}
        ok(self.operator.patch(f"/partners/{made['id']}", windows))
        self._deposit(enterprise, deposits)
        return PartnerHandle(made["id"], made["clientId"], enterprise)

    def client(self, name: str = "trader", *, deposits: Mapping[str, int] | None = None) -> ClientHandle:
        enterprise = self.enterprise(name)
        made = ok(enterprise.api.post("/clients"))["client"]
        self._deposit(enterprise, deposits)
        return ClientHandle(made["id"], enterprise)

    def connect(self, client: ClientHandle, partner: PartnerHandle, name: str = "main") -> ConnectionHandle:
        fields = {"partnerId": partner.id, "name": name, "connectionKey": TOKEN_KEY}
        made = ok(client.api.post("/clients/connections", client.enterprise.sign(fields)))["connection"]
        return ConnectionHandle(made["id"], client, partner)

    def funded(
        self, partner: PartnerHandle, allocated: Mapping[str, int], *, name: str = "trader"
    ) -> ConnectionHandle:
        """Makes a client with deposits, a connection to the partner, and these allocations."""
        connection = self.connect(self.client(name, deposits=allocated), partner)
        for currency, quantity in allocated.items():
            ok(connection.allocate(currency, quantity))
        return connection

    def _deposit(self, enterprise: EnterpriseHandle, deposits: Mapping[str, int] | None) -> None:
        for currency, quantity in (deposits or {}).items():
            self.operator.deposit(enterprise.account.id, currency, quantity)
