"""A network with something of everything, and the hand that makes generated requests fit it, as often as not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, TypeAlias

from schemathesis import Case

from clearwindow.signing.keys import PrivateKey
from clearwindow.signing.message import sign_message
from clearwindow.strict_json import JsonError, parse_json
from tests.conftest import OPERATOR_TOKEN
from tests.support.networks import TOKEN_KEY, ConnectionHandle, EnterpriseHandle, Json, new_nonce, ok
from tests.support.networks import sign_body as signed
from tests.support.settling import Floor, close_dispute, dispute, stage

AnyCase: TypeAlias = Case[Any]
_RARELY: Final = 0.125
_OFTEN: Final = 0.75
_KNOWN_CURRENCIES: Final = {"partner": ("BTC", "ETH", "USD"), "client": ("ofcbtc", "btc", "ofceth")}


@dataclass
class World:
    """Who calls, with what, and what there is to name."""

    partner: EnterpriseHandle
    client: EnterpriseHandle
    tokens: Mapping[str, str]
    ids: Mapping[str, list[str]]
    victims: Mapping[str, list[str]]
    """What an operator may break without ending the game for everybody."""

    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Per operation the fields of its body that our own document knows."""

    def dress(self, case: AnyCase, random: Random) -> dict[str, str]:
        """Fills a generated request with what exists, signs it, and gives the headers it goes with."""
        side = self._side(case.path)
        ids = self.victims if side == "operator" and _is_setup(case.path) else self.ids
        enterprise = self.partner if side == "partner" else self.client
        for name in case.path_parameters:
            if name == "enterpriseId" and side != "operator" and random.random() > _RARELY:
                case.path_parameters[name] = enterprise.id
            elif name in ids and random.random() < _OFTEN:
                case.path_parameters[name] = random.choice(ids[name])
        for name in list(case.query or {}):
            if name.removesuffix("s") in ids and random.random() < _OFTEN:
                case.query[name] = [random.choice(ids[name.removesuffix("s")])]
        if isinstance(case.body, dict):
            case.body = self._body(case, dict(case.body), side, random)
        return {"Authorization": f"Bearer {self.tokens[side]}"} if random.random() > _RARELY / 2 else {}

    def _side(self, path: str) -> str:
        if path.startswith("/api/operator/"):
            return "operator"
        return "partner" if "/partners/" in path or path.endswith("/partners") else "client"

    def _body(self, case: AnyCase, body: Json, side: str, random: Random) -> Json:
        known = self.fields.get(f"{case.method} {case.path}", frozenset())
        if random.random() < _OFTEN:
            body = {name: value for name, value in body.items() if name in known}
        fill = Filling(self.ids, _KNOWN_CURRENCIES["partner" if side == "partner" else "client"], random)
        body = fill.filled(body)
        if "nonce" in body and random.random() > _RARELY:
            body["nonce"] = new_nonce()
        if "signature" not in known or random.random() < _RARELY:
            return body
        return self._signed(body, (self.partner if side == "partner" else self.client).account.key)

    def _signed(self, body: Json, key: PrivateKey) -> Json:
        fields = {name: value for name, value in body.items() if name not in {"payload", "signature"}}
        try:
            return signed(fields, key)
        except (ValueError, TypeError, OverflowError):
            # No payload can say this; a server must bear it all the same.
            text = str(body.get("payload", ""))
            return {**body, "signature": sign_message(key, text) if _is_text(text) else "00"}


@dataclass(frozen=True)
class Filling:
    ids: Mapping[str, list[str]]
    currencies: tuple[str, ...]
    random: Random

    def filled(self, body: Json) -> Json:
        """The body with some of its values replaced by such as exist."""
        return {name: self._value(name, value) for name, value in body.items()}

    def _value(self, name: str, value: Any) -> Any:  # noqa: ANN401 - any JSON
        often = self.random.random() < _OFTEN
        if name in self.ids and often:
            return self.random.choice(self.ids[name])
        if name in _MADE and often:
            return _MADE[name](self)
        if isinstance(value, dict):
            return self.filled(value)
        return value

    def currency(self) -> str:
        return self.random.choice(self.currencies)

    def quantity(self) -> str:
        return str(self.random.choice((1, 2, 5, 10**6)))

    def amounts(self) -> Json:
        connections = self.random.sample(self.ids["connectionId"], self.random.randint(1, 2))
        return {connection: self.transfers() for connection in connections}

    def transfers(self) -> Json:
        return {self.currency(): self.random.choice(("", "-")) + self.quantity()}

    @staticmethod
    def key(_: Filling) -> Json:
        """Not a key of this connection, but of the right schema."""
        return dict(TOKEN_KEY)


_MADE: Final[Mapping[str, Callable[[Filling], Any]]] = {
    "currency": Filling.currency,
    "quantity": Filling.quantity,
    "settlementAmounts": Filling.amounts,
    "expectedTransfers": Filling.transfers,
    "adjustedTransfers": Filling.transfers,
    "connectionKey": Filling.key,
}


def build_world(floor: Floor) -> World:
    """Connections with funds, settlements and disputes in every state that they can be in."""
    network, operator = floor.network, floor.operator
    partner = network.partner(deposits={"ofcbtc": 10_000})
    client = network.client(deposits={"ofcbtc": 100_000, "ofceth": 100_000})
    connections = [network.connect(client, partner, f"number {number}") for number in range(3)]
    allocations = [ok(each.allocate("ofcbtc", 1_000))["allocation"]["id"] for each in connections]
    disputes, closures, settlements = [], [], []
    for closed in (True, True, False):
        settlement = stage(partner, {each.id: {"BTC": "-2"} for each in connections})
        settlements.append(settlement["id"])
        disputes += [_disputed(each, settlement["id"]) for each in connections[:2]]
        floor.pass_minutes(11)
        if closed:
            answer = ok(close_dispute(connections[0], disputes[-2]))
            closures.append(answer["disputeClosure"]["id"])
    floor.pass_minutes(11)
    settlements += [stage(partner, {each.id: {"BTC": "-3"}})["id"] for each in connections]
    victim = network.partner("victim", dispute_window=None)
    other = network.client("other-victim", deposits={"ofcbtc": 10})
    found = ok(operator.get("/settlements"))["settlements"]
    failed = [each["id"] for each in found if each["status"] == "failed"]
    ids = {
        "enterpriseId": [partner.enterprise.id, client.enterprise.id],
        "connectionId": [each.id for each in connections],
        "partnerId": [partner.id],
        "clientId": [client.id],
        "allocationId": allocations,
        "settlementId": settlements + failed,
        "disputeId": disputes,
        "closureId": closures,
        "disputeClosureId": closures,
        "goAccountId": [client.enterprise.account.id],
        "accountId": [client.enterprise.account.id],
    }
    victims = {
        "enterpriseId": [victim.enterprise.id, other.enterprise.id],
        "partnerId": [victim.id],
        "clientId": [other.id],
        "goAccountId": [victim.enterprise.account.id, other.enterprise.account.id],
        "userId": [f"user-of-{victim.enterprise.id}"],
        "keyId": [other.enterprise.account.key_id],
    }
    tokens = {
        "partner": operator.user_token(partner.enterprise.id),
        "client": operator.user_token(client.enterprise.id),
        "operator": OPERATOR_TOKEN,
    }
    return World(partner.enterprise, client.enterprise, tokens, ids, victims)


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
