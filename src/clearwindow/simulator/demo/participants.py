"""The participants of the demo and the requests that add them to the network."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from clearwindow.client import AsyncClient, AsyncOperator, ClearwindowError, HttpOptions, KeySigner
from clearwindow.signing.keys import PrivateKey
from clearwindow.signing.models import Operation
from clearwindow.simulator.demo.amounts import Amounts
from clearwindow.simulator.demo.calls import OPERATOR_API, Answer, Caller, DemoError, Json, Purpose, signed_request
from clearwindow.simulator.network import membership
from clearwindow.simulator.network.plan import Windows

BTC: Final = "ofcbtc"
USDC: Final = "ofcusdc"
CURRENCIES: Final = (BTC, USDC)
_OPTIONS: Final = HttpOptions(trust_env=False)

T = TypeVar("T")


@dataclass
class Participant:
    """An enterprise with a Go Account, a token and its own key."""

    name: str
    enterprise_id: str
    go_account_id: str
    key: PrivateKey = field(repr=False)
    caller: Caller = field(repr=False)

    def path(self, rest: str, version: int = 1) -> str:
        return f"/api/network/v{version}/enterprises/{self.enterprise_id}{rest}"

    def purpose(self, operation: Operation, *, amount_unit: str = "base", **ids: str) -> Purpose:
        return Purpose(operation, {"enterpriseId": self.enterprise_id, **ids}, amount_unit)

    def signed(self, method: str, path: str, fields: Mapping[str, object], purpose: Purpose) -> Answer:
        return self.caller.send(signed_request(self.key, method, path, fields, purpose))


@dataclass
class Trader(Participant):
    """A client of the exchange."""

    connection_id: str = ""

    def move(self, kind: str, quantity: int, currency: str, reference: str) -> Answer:
        """Allocates to the exchange, or deallocates from it."""
        path = self.path(f"/clients/connections/{self.connection_id}/{kind}")
        amount = {"currency": currency, "quantity": str(quantity)}
        purpose = self.purpose(Operation(kind.removesuffix("s")), connectionId=self.connection_id)
        return self.signed("POST", path, {"amount": amount, "clientExternalId": reference}, purpose)


@dataclass
class Participants:
    """The two operators, the exchange and the traders."""

    ada: Caller = field(repr=False)
    ben: Caller = field(repr=False)
    exchange: Participant
    partner_id: str
    traders: dict[str, Trader]
    amounts: Amounts

    @property
    def members(self) -> tuple[Participant, ...]:
        return (*self.traders.values(), self.exchange)

    def deposit(self, member: Participant, text: str, currency: str, reference: str) -> Answer:
        fields = {
            "currency": currency,
            "quantity": str(self.amounts.base_units(text, currency)),
            "reference": reference,
        }
        return self.ada.post(f"{OPERATOR_API}/go-accounts/{member.go_account_id}/deposits", fields)

    def close(self) -> None:
        for caller in (self.ada, self.ben, *(each.caller for each in self.members)):
            caller.close()


def new_operator(starter: Caller, base_url: str, name: str) -> Caller:
    """Creates an operator and returns a caller with a token of that operator.

    Args:
        starter: has the operator token of the server's settings.
        base_url: the server's address.
        name: the operator's name.
    """
    made = starter.post(f"{OPERATOR_API}/operators", {"name": name}).body["operator"]
    token = starter.post(f"{OPERATOR_API}/operators/{made['id']}/tokens", {}).body["token"]
    return Caller(base_url, token["value"])


def known_amounts(operator: Caller) -> Amounts:
    listed = operator.get(f"{OPERATOR_API}/currencies")["currencies"]
    return Amounts({currency["name"]: currency["decimals"] for currency in listed})


def join(operator: Caller, name: str) -> membership.Joined:
    """Makes a licensed enterprise with a member, a token and a Go Account, and registers it as a client.

    Raises:
        DemoError: the server refused a request or did not answer.
    """

    async def joined() -> membership.Joined:
        async with AsyncOperator(operator.base_url, operator.token, options=_OPTIONS) as sdk:
            enterprise_id = name.split(maxsplit=1)[0].lower()
            return await membership.join(sdk, operator.base_url, enterprise_id, name=name, options=_OPTIONS)

    return _run(joined())


def open_exchange(operator: Caller, name: str, windows: Windows) -> tuple[Participant, str]:
    """Makes an enterprise that is a partner; returns it and the partner's id.

    Raises:
        DemoError: the server refused a request or did not answer.
    """
    joined = join(operator, name)

    async def opened() -> str:
        async with AsyncOperator(operator.base_url, operator.token, options=_OPTIONS) as sdk:
            await membership.configure_exchange(sdk, joined.enterprise_id, {"BTC": BTC, "USDC": USDC})
        return await membership.open_exchange(operator.base_url, joined, windows, name=name, options=_OPTIONS)

    partner_id = _run(opened())
    return Participant(**_fields(joined, name, operator.base_url)), partner_id


def open_trader(operator: Caller, name: str) -> Trader:
    """Makes an enterprise that is a client.

    Raises:
        DemoError: the server refused a request or did not answer.
    """
    return Trader(**_fields(join(operator, name), name, operator.base_url))


def connect(trader: Trader, partner_id: str) -> None:
    """Connects the trader to the exchange, with a request that the trader's key signs.

    Raises:
        DemoError: the server refused the request or did not answer.
    """
    url, token = trader.caller.base_url, trader.caller.token

    async def connected() -> str:
        signer = KeySigner(trader.key.xprv)
        async with AsyncClient(url, token, trader.enterprise_id, signer=signer, options=_OPTIONS) as client:
            return await membership.connect(client, partner_id, f"{trader.name} at the exchange")

    trader.connection_id = _run(connected())


def _fields(joined: membership.Joined, name: str, base_url: str) -> Json:
    """Returns the fields of a `Participant`."""
    return {
        "name": name,
        "enterprise_id": joined.enterprise_id,
        "go_account_id": joined.go_account_id,
        "key": PrivateKey.parse(joined.xprv),
        "caller": Caller(base_url, joined.token),
    }


def _run(requests: Coroutine[None, None, T]) -> T:
    try:
        return asyncio.run(requests)
    except ClearwindowError as error:
        raise DemoError(str(error)) from error
