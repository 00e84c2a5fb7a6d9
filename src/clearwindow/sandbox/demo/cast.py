"""Who plays in the demo, and how each of them came onto the network: every step is one request."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from clearwindow.sandbox.demo.amounts import Amounts
from clearwindow.sandbox.demo.calls import OPERATOR_API, Answer, Caller, Json, request, signed_request
from clearwindow.signing.keys import PrivateKey, generate_private_key

BTC: Final = "ofcbtc"
USDC: Final = "ofcusdc"
CURRENCIES: Final = (BTC, USDC)
SCOPES: Final = ("settlement_network_read", "settlement_network_write")
_ENTROPY_BYTES: Final = 32


@dataclass
class Participant:
    """An enterprise with a Go Account, a token, and a key of its own."""

    name: str
    enterprise_id: str
    go_account_id: str
    key: PrivateKey = field(repr=False)
    caller: Caller = field(repr=False)

    def path(self, rest: str, version: int = 1) -> str:
        return f"/api/network/v{version}/enterprises/{self.enterprise_id}{rest}"

    def signed(self, method: str, path: str, fields: Mapping[str, object]) -> Answer:
        return self.caller.send(signed_request(self.key, method, path, fields))


@dataclass
class Trader(Participant):
    connection_id: str = ""

    def move(self, kind: str, quantity: int, currency: str, reference: str) -> Answer:
        """Allocates to the exchange, or deallocates from it."""
        path = self.path(f"/clients/connections/{self.connection_id}/{kind}")
        amount = {"currency": currency, "quantity": str(quantity)}
        return self.signed("POST", path, {"amount": amount, "clientExternalId": reference})


@dataclass
class Cast:
    ada: Caller = field(repr=False)
    ben: Caller = field(repr=False)
    exchange: Participant
    partner_id: str
    traders: dict[str, Trader]
    amounts: Amounts

    @property
    def everybody(self) -> tuple[Participant, ...]:
        return (*self.traders.values(), self.exchange)

    def deposit(self, who: Participant, text: str, currency: str, reference: str) -> Answer:
        fields = {
            "currency": currency,
            "quantity": str(self.amounts.base_units(text, currency)),
            "reference": reference,
        }
        return self.ada.post(f"{OPERATOR_API}/go-accounts/{who.go_account_id}/deposits", fields)

    def close(self) -> None:
        for caller in (self.ada, self.ben, *(each.caller for each in self.everybody)):
            caller.close()


def new_operator(starter: Caller, base_url: str, name: str) -> Caller:
    """An operator with a token of its own, made with the token in the settings."""
    made = starter.post(f"{OPERATOR_API}/operators", {"name": name}).body["operator"]
    token = starter.post(f"{OPERATOR_API}/operators/{made['id']}/tokens", {}).body["token"]
    return Caller(base_url, token["value"])


def known_amounts(operator: Caller) -> Amounts:
    listed = operator.get(f"{OPERATOR_API}/currencies")["currencies"]
    return Amounts({currency["name"]: currency["decimals"] for currency in listed})


def join(operator: Caller, base_url: str, name: str) -> Json:
    """The enterprise, its licence, its member with a token, and its Go Account; gives a participant's fields."""
    enterprise_id = name.split(maxsplit=1)[0].lower()
    enterprises = f"{OPERATOR_API}/enterprises"
    own = f"{enterprises}/{enterprise_id}"
    operator.post(enterprises, {"id": enterprise_id, "name": name, "licensed": True})
    user = operator.post(f"{own}/users", {"id": f"desk@{enterprise_id}", "name": f"{name}, desk"}).body["user"]
    token = operator.post(f"{own}/tokens", {"userId": user["id"], "scopes": SCOPES}).body["token"]
    key = generate_private_key(secrets.token_bytes(_ENTROPY_BYTES))
    account = operator.post(f"{own}/go-accounts", {"keys": [{"pub": key.xpub}]}).body["goAccount"]
    return {
        "name": name,
        "enterprise_id": enterprise_id,
        "go_account_id": account["id"],
        "key": key,
        "caller": Caller(base_url, token["value"]),
    }


def open_exchange(operator: Caller, exchange: Participant, windows: Mapping[str, float]) -> str:
    """Makes the enterprise a partner; gives the partner's id."""
    configuration = {"currencies": {"BTC": BTC, "USDC": USDC}, "amountUnit": "decimal"}
    path = f"{OPERATOR_API}/enterprises/{exchange.enterprise_id}/partner-configuration"
    operator.send(request("PUT", path, configuration))
    partner = {
        "name": exchange.name,
        "broker": False,
        "institutionIdentifier": exchange.enterprise_id,
        "connectionKeySchema": "token",
        **windows,
    }
    return str(exchange.caller.post(exchange.path("/partners"), partner).body["partner"]["id"])


def connect(trader: Trader, partner_id: str) -> None:
    """Makes the trader a client, and connects it with a request that its own key signs."""
    trader.caller.post(trader.path("/clients"), {})
    fields = {
        "partnerId": partner_id,
        "name": f"{trader.name} at the exchange",
        "connectionKey": {"schema": "token", "connectionToken": secrets.token_urlsafe()},
    }
    answer = trader.signed("POST", trader.path("/clients/connections"), fields)
    trader.connection_id = answer.body["connection"]["id"]
