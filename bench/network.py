"""The benchmark's network: one partner with funded connections, and the request that settles them all.

It is made by SQL: over HTTP ten thousand connections would take longer than the whole measurement.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

import psycopg

from clearwindow.identity.rules import new_token, token_sha256
from clearwindow.postgres.queries import Queries
from clearwindow.signing.keys import PrivateKey, generate_private_key
from clearwindow.signing.message import sign_message

sql: Final = Queries("bench")

ENTERPRISE: Final = "exchange"
PATH: Final = f"/api/network/v2/enterprises/{ENTERPRISE}/partners/settlements"
_SEED_STEPS: Final = (
    *("plan", "currencies", "enterprises", "user", "token", "accounts", "go_accounts", "key", "clients"),
    *("configuration", "partner_currencies", "partner", "connections"),
    *("funds", "entries", "postings", "custody_movements", "allocations", "balances"),
)
_LARGEST_AMOUNT: Final = 1_000  # whole coins, of the million of each that every account is given
_SCATTER: Final = 2_654_435_761_000_000_007
_CONNECTION_STRIDE, _CURRENCY_STRIDE = 7_919, 104_729


@dataclass(frozen=True, slots=True)
class TradedCurrency:
    """A currency under the partner's name."""

    name: str
    decimals: int


@dataclass(frozen=True, slots=True)
class Network:
    """The connections and currencies to settle, and the partner's key and token."""

    partner_id: UUID
    connection_ids: Sequence[UUID]
    currencies: Sequence[TradedCurrency]
    key: PrivateKey
    token: str


def seed(dsn: str, connections: int, currencies: int) -> Network:
    """Makes the network in one transaction."""
    key, token = generate_private_key(secrets.token_bytes(32)), new_token()
    ids = {"partner_id": uuid4(), "partner_account_id": uuid4(), "partner_client_id": uuid4()}
    values = ids | {
        "connections": connections,
        "currencies": currencies,
        "token_sha256": token_sha256(token),
        "pub": key.xpub,
        "public_key": key.public_key.compressed,
    }
    with psycopg.connect(dsn) as connection:
        for name in _SEED_STEPS:
            connection.execute(sql[f"seed_{name}"], values)
        connection_ids = [row[0] for row in connection.execute(sql["list_connections"])]
        traded = [TradedCurrency(*row) for row in connection.execute(sql["list_traded"])]
    return Network(ids["partner_id"], connection_ids, traded, key, token)


def signed_request(network: Network, name: str) -> bytes:
    """Returns a request with an amount for every connection and currency; every second one is a loss."""
    fields = {
        "externalId": name,
        "nonce": name,
        "cutoffAt": "2026-01-05T12:00:00.000Z",
        "settlementAmounts": {
            str(connection_id): {
                currency.name: _amount(row, column, currency.decimals)
                for column, currency in enumerate(network.currencies)
            }
            for row, connection_id in enumerate(network.connection_ids)
        },
    }
    payload = json.dumps(fields, separators=(",", ":"))
    signed = fields | {"payload": payload, "signature": sign_message(network.key, payload)}
    return json.dumps(signed, separators=(",", ":")).encode()


def _amount(row: int, column: int, decimals: int) -> str:
    """Returns an amount down to the currency's last decimal, as an exchange settles it."""
    number = (row * _CONNECTION_STRIDE + column * _CURRENCY_STRIDE + 1) * _SCATTER
    whole, fraction = number % _LARGEST_AMOUNT + 1, number // _LARGEST_AMOUNT % 10**decimals
    sign = "-" if (row + column) % 2 else ""
    return f"{sign}{whole}.{fraction:0{decimals}d}"
