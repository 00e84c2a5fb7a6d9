"""The network that is attacked: who is a stranger, who holds which token, and which partners never answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.support.networks import ConnectionHandle, EnterpriseHandle, Network, ok
from tests.support.operators import READ, OperatorClient

STRANGERS: Final = 4
"""So many, because one token may ask 360 times a minute, and the prober asks more often."""

_DEPOSIT: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """A client's connection to a silent partner, and the tokens of both."""

    connection: ConnectionHandle
    token: str
    partner_token: str


@dataclass(frozen=True, slots=True)
class Target:
    """The network, as its attackers know it."""

    strangers: Sequence[tuple[str, str]]
    """Paths of strangers' balances, each with a token of the stranger."""
    reader: EnterpriseHandle
    reader_token: str
    """A token that may only read."""
    settled: ConnectionHandle
    """A connection with funds, at a partner that settles."""
    settler_token: str
    silent: Sequence[Waiting]
    """One client for each silent partner."""


def build(operator: OperatorClient, silent: int) -> Target:
    """Builds the network over HTTP, with ``silent`` partners whose callback address is set later."""
    with Network(operator) as network:
        strangers = [_stranger(network, number) for number in range(STRANGERS)]
        reader = network.client("reader").enterprise
        settler = network.partner("settler", dispute_window=600, deposits={"ofcbtc": _DEPOSIT})
        settled = network.funded(settler, {"ofcbtc": _DEPOSIT}, name="settled")
        return Target(
            strangers,
            reader,
            operator.user_token("reader", scopes=[READ]),
            settled,
            operator.user_token("settler"),
            [_silent(network, number) for number in range(silent)],
        )


def silence(operator: OperatorClient, target: Target, address: str) -> None:
    """Gives the silent partners this callback address."""
    for waiting in target.silent:
        name = waiting.connection.partner.enterprise.id
        path = f"/enterprises/{name}/partner-configuration"
        body = {"currencies": {"BTC": "ofcbtc"}, "amountUnit": "base", "callbackUrl": address}
        ok(operator.put(path, body))


def _stranger(network: Network, number: int) -> tuple[str, str]:
    name = f"stranger-{number}"
    network.client(name, deposits={"ofcbtc": _DEPOSIT})
    return f"/api/network/v1/enterprises/{name}/clients/balances", network.operator.user_token(name)


def _silent(network: Network, number: int) -> Waiting:
    partner = network.partner(f"silent-{number}", currencies={"BTC": "ofcbtc"})
    client = network.client(f"client-of-silent-{number}", deposits={"ofcbtc": _DEPOSIT})
    tokens = (network.operator.user_token(one.enterprise.id) for one in (client, partner))
    return Waiting(network.connect(client, partner), *tokens)
