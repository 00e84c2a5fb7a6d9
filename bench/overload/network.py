"""Fifty partners with one funded connection each, and their requests, signed before anything is measured."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.networks import Network, PartnerHandle
from tests.support.operators import OperatorClient
from tests.support.settlements import fields_of

PARTNERS: Final = 50
DISPUTE_WINDOW_MINUTES: Final = 0.05
"""So that settlements fall due, and the worker has its share of the work, all the while."""

_FUNDS: Final = 10**12


@dataclass(frozen=True, slots=True)
class Desk:
    """A partner, its connection and its token."""

    partner: PartnerHandle
    connection_id: str
    token: str


def build(operator: OperatorClient, partners: int) -> Sequence[Desk]:
    """Builds the network over HTTP."""
    with Network(operator) as network:
        return [_desk(network, number) for number in range(partners)]


def prepare(desks: Sequence[Desk], requests: int, file: Path, seed: int) -> Sequence[str]:
    """Writes so many signed requests, each of a random partner, and returns their externalIds."""
    drawn = random.Random(seed)  # noqa: S311 - no secret
    ids = []
    with file.open("w", encoding="ascii") as lines:
        for _ in range(requests):
            partner = drawn.randrange(len(desks))
            external_id, request = _request(desks[partner])
            ids.append(external_id)
            lines.write(json.dumps([partner, request]) + "\n")
    return ids


def _desk(network: Network, number: int) -> Desk:
    deposits = {"ofcbtc": _FUNDS, "ofceth": _FUNDS}
    partner = network.partner(
        f"exchange-{number}", dispute_window=DISPUTE_WINDOW_MINUTES, top_up_window=0, deposits=deposits
    )
    connection = network.funded(partner, deposits, name=f"trader-{number}")
    return Desk(partner, connection.id, network.operator.user_token(partner.enterprise.id))


def _request(desk: Desk) -> tuple[str, str]:
    """Returns the externalId and the whole request, head and body."""
    enterprise = desk.partner.enterprise
    fields = fields_of({desk.connection_id: {"BTC": "-100", "ETH": "100"}})
    body = json.dumps(enterprise.sign(fields))
    head = (
        f"POST /api/network/v2/enterprises/{enterprise.id}/partners/settlements HTTP/1.1\r\n"
        f"Host: clearwindow\r\nAuthorization: Bearer {desk.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return str(fields["externalId"]), head + body
