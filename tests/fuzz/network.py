"""A network with everything in every state, and requests that are changed to name what exists in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, TypeAlias

from schemathesis import Case

from clearwindow.core.strict_json import JsonError, parse_json
from clearwindow.signing.keys import PrivateKey
from clearwindow.signing.message import sign_message
from tests.conftest import OPERATOR_TOKEN
from tests.support.networks import (
    TOKEN_KEY,
    ClientHandle,
    ConnectionHandle,
    EnterpriseHandle,
    Json,
    Network,
    PartnerHandle,
    new_nonce,
    ok,
)
from tests.support.networks import sign_body as signed
from tests.support.settlements import Testbed, close_dispute, dispute, stage

AnyCase: TypeAlias = Case[Any]
_RARELY: Final = 0.125
_OFTEN: Final = 0.75
_PARTNER_CURRENCIES: Final = ("BTC", "ETH", "USD")
_NETWORK_CURRENCIES: Final = ("ofcbtc", "btc", "ofceth")


@dataclass(frozen=True)
class Caller:
    """An enterprise that sends requests, and its connections."""

    enterprise: EnterpriseHandle
    token: str
    connection_ids: list[str]


@dataclass
class FuzzNetwork:
    """The callers, and the ids that exist.

    Attributes:
        victims: the ids that an operator may break; nothing else depends on them.
        fields: for each operation, the body fields that our own document lists.
    """

    partners: list[Caller]
    client: Caller
    ids: Mapping[str, list[str]]
    victims: Mapping[str, list[str]]
    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def complete(self, case: AnyCase, random: Random) -> dict[str, str]:
        """Fills a generated request with existing ids, signs it, and returns its headers."""
        if case.path.startswith("/api/operator/"):
            caller, token = self.client, OPERATOR_TOKEN
            ids = self.victims if _is_setup(case.path) else self.ids
        else:
            caller = self._caller(case.path, random)
            token, ids = caller.token, {**self.ids, "enterpriseId": [caller.enterprise.id]}
            ids["connectionId"] = caller.connection_ids
        for name in case.path_parameters:
            if name in ids and random.random() > _RARELY:
                case.path_parameters[name] = random.choice(ids[name])
        for name in list(case.query or {}):
            if name.removesuffix("s") in ids and random.random() < _OFTEN:
                case.query[name] = [random.choice(ids[name.removesuffix("s")])]
        if isinstance(case.body, dict):
            case.body = self._body(case, dict(case.body), caller, random)
        return {"Authorization": f"Bearer {token}"} if random.random() > _RARELY / 2 else {}

    def _caller(self, path: str, random: Random) -> Caller:
        is_partners = "/partners/" in path or path.endswith("/partners")
        return random.choice(self.partners) if is_partners else self.client

    def _body(self, case: AnyCase, body: Json, caller: Caller, random: Random) -> Json:
        known = self.fields.get(f"{case.method} {case.path}", frozenset())
        if random.random() < _OFTEN:
            body = {name: value for name, value in body.items() if name in known}
        currencies = _NETWORK_CURRENCIES if caller is self.client else _PARTNER_CURRENCIES
        body = Filling({**self.ids, "connectionId": caller.connection_ids}, currencies, random).filled(body)
        if "nonce" in body and random.random() > _RARELY:
            body["nonce"] = new_nonce()
        if "signature" not in known or random.random() < _RARELY:
            return body
        return self._signed(body, caller.enterprise.account.key)

    def _signed(self, body: Json, key: PrivateKey) -> Json:
        fields = {name: value for name, value in body.items() if name not in {"payload", "signature"}}
        try:
            return signed(fields, key)
        except (ValueError, TypeError, OverflowError):
            # No payload can contain these fields. The server must refuse the request without an error 500.
            text = str(body.get("payload", ""))
            return {**body, "signature": sign_message(key, text) if _is_text(text) else "00"}


@dataclass(frozen=True)
class Filling:
    """Replaces values of a body."""

    ids: Mapping[str, list[str]]
    currencies: tuple[str, ...]
    random: Random

    def filled(self, body: Json) -> Json:
        """Returns the body with some of its values replaced by existing ones."""
        return {name: self._value(name, value) for name, value in body.items()}

    def _value(self, name: str, value: Any) -> Any:  # noqa: ANN401 - any JSON
        often = self.random.random() < _OFTEN
        if name in self.ids and often:
            return self.random.choice(self.ids[name])
        if name in _GENERATORS and often:
            return _GENERATORS[name](self)
        if isinstance(value, dict):
            return self.filled(value)
        return value

    def currency(self) -> str:
        return self.random.choice(self.currencies)

    def quantity(self) -> str:
        return str(self.random.choice((1, 2, 5, 10**6)))

    def amounts(self) -> Json:
        connections = self.random.sample(self.ids["connectionId"], 2)
        if self.random.random() < _RARELY:
            return {connections[0]: {connections[1]: self.transfers()}}
        return {connection: self.transfers() for connection in connections[: self.random.randint(1, 2)]}

    def transfers(self) -> Json:
        return {self.currency(): self.random.choice(("", "-")) + self.quantity()}

    @staticmethod
    def key(_: Filling) -> Json:
        """Returns a key with the right schema, which is not the connection's key."""
        return dict(TOKEN_KEY)


_GENERATORS: Final[Mapping[str, Callable[[Filling], Any]]] = {
    "currency": Filling.currency,
    "quantity": Filling.quantity,
    "settlementAmounts": Filling.amounts,
    "expectedTransfers": Filling.transfers,
    "adjustedTransfers": Filling.transfers,
    "connectionKey": Filling.key,
}


def build_fuzz_network(testbed: Testbed) -> FuzzNetwork:
    """Makes connections with funds, and settlements and disputes in every state."""
    network, operator = testbed.network, testbed.operator
    partner = network.partner(deposits={"ofcbtc": 10_000}, onchainEnabled=True)
    client = network.client(deposits={"ofcbtc": 100_000, "ofceth": 100_000})
    connections = [network.connect(client, partner, f"number {number}") for number in range(3)]
    allocations = [ok(each.allocate("ofcbtc", 1_000))["allocation"]["id"] for each in connections]
    settled = _settle_and_dispute(testbed, partner, connections)
    others = [
        network.partner("spot", dispute_window=None, top_up_window=None, deposits={"ofcbtc": 10_000}),
        network.partner("broker", broker=True, onchainEnabled=True, deposits={"ofcbtc": 10_000}),
    ]
    callers = [
        _caller(testbed, partner, connections),
        *(_caller(testbed, other, _two_funded(network, client, other)) for other in others),
    ]
    ids = {
        "enterpriseId": [partner.enterprise.id, client.enterprise.id],
        "connectionId": [each.id for each in connections],
        "partnerId": [partner.id, *(each.id for each in others)],
        "clientId": [client.id],
        "allocationId": allocations,
        **settled,
        "goAccountId": [client.enterprise.account.id],
        "accountId": [client.enterprise.account.id],
    }
    every_connection = [each for caller in callers for each in caller.connection_ids]
    as_client = Caller(client.enterprise, operator.user_token(client.enterprise.id), every_connection)
    return FuzzNetwork(callers, as_client, ids, _victims(network))


def _settle_and_dispute(
    testbed: Testbed, partner: PartnerHandle, connections: list[ConnectionHandle]
) -> dict[str, list[str]]:
    """Returns the ids of settlements, disputes and closures in every state."""
    disputes, closures, settlements = [], [], []
    for closed in (True, True, False):
        settlement = stage(partner, {each.id: {"BTC": "-2"} for each in connections})
        settlements.append(settlement["id"])
        disputes += [_disputed(each, settlement["id"]) for each in connections[:2]]
        testbed.pass_minutes(11)
        if closed:
            answer = ok(close_dispute(connections[0], disputes[-2]))
            closures.append(answer["disputeClosure"]["id"])
    testbed.pass_minutes(11)
    settlements += [stage(partner, {each.id: {"BTC": "-3"}})["id"] for each in connections]
    found = ok(testbed.operator.get("/settlements"))["settlements"]
    failed = [each["id"] for each in found if each["status"] == "failed"]
    return {
        "settlementId": settlements + failed,
        "disputeId": disputes,
        "closureId": closures,
        "disputeClosureId": closures,
    }


def _two_funded(network: Network, client: ClientHandle, partner: PartnerHandle) -> list[ConnectionHandle]:
    made = [network.connect(client, partner, f"{partner.enterprise.id} {number}") for number in range(2)]
    for each in made:
        ok(each.allocate("ofcbtc", 1_000))
    return made


def _victims(network: Network) -> dict[str, list[str]]:
    partner = network.partner("victim", dispute_window=None)
    client = network.client("other-victim", deposits={"ofcbtc": 10})
    return {
        "enterpriseId": [partner.enterprise.id, client.enterprise.id],
        "partnerId": [partner.id],
        "clientId": [client.id],
        "goAccountId": [partner.enterprise.account.id, client.enterprise.account.id],
        "userId": [f"user-of-{partner.enterprise.id}"],
        "keyId": [client.enterprise.account.key_id],
    }


def _caller(testbed: Testbed, partner: PartnerHandle, connections: list[ConnectionHandle]) -> Caller:
    token = testbed.operator.user_token(partner.enterprise.id)
    return Caller(partner.enterprise, token, [each.id for each in connections])


def _disputed(connection: ConnectionHandle, settlement_id: str) -> str:
    return str(ok(dispute(connection, settlement_id))["dispute"]["id"])


def _is_setup(path: str) -> bool:
    return not any(part in path for part in ("/settlements", "/disputes", "/dispute-closures"))


def _is_text(text: str) -> bool:
    try:
        parse_json(text)
    except (JsonError, ValueError):
        return False
    return True
