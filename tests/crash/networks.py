"""A partner with some hundred funded connections: large enough to kill a settlement half-way."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

import psycopg

from tests.support.networks import ConnectionHandle, Network, PartnerHandle

FUNDS: Final = 10**12
LARGEST_AMOUNT: Final = 1_000
CURRENCIES: Final = {"BTC": "ofcbtc", "ETH": "ofceth", "USD": "ofcusd"}
WINDOW_MINUTES: Final = 60
CUTOFF: Final = "2026-01-05T11:59:00.000Z"
PATH: Final = "/partners/settlements"
Amounts = Mapping[str, Mapping[str, int]]
Balances = dict[tuple[UUID, str], tuple[int, int]]
"""Per account and currency: available, held."""


@dataclass(frozen=True)
class LargeNetwork:
    """A partner with its connections.

    ``disputer`` and ``middle`` lose in every settlement. Statements are held at the rows of ``middle``.
    """

    partner: PartnerHandle
    clients: tuple[ConnectionHandle, ...]
    accounts: Mapping[str, UUID]
    """The network account of each connection."""
    middle_account_number: int
    btc_number: int

    @property
    def disputer(self) -> ConnectionHandle:
        return self.clients[0]

    @property
    def middle(self) -> ConnectionHandle:
        return self.clients[1]

    @property
    def partner_account(self) -> UUID:
        return UUID(self.partner.enterprise.account.id)

    @property
    def enterprises(self) -> set[str]:
        """All enterprises that take part in a settlement of all connections."""
        return {self.partner.enterprise.id, *(one.client.enterprise.id for one in self.clients)}

    def amounts(self, rng: random.Random) -> Amounts:
        """Draws an amount for every connection and currency; some gain and some lose."""
        drawn = {
            connection: {name: rng.choice((-1, 1)) * rng.randint(1, LARGEST_AMOUNT) for name in CURRENCIES}
            for connection in sorted(self.accounts)
        }
        for loser in (self.disputer, self.middle):
            drawn[loser.id] = {name: -abs(amount) for name, amount in drawn[loser.id].items()}
        return drawn

    def request(self, amounts: Amounts) -> tuple[str, bytes]:
        """Returns the externalId and the signed request, byte for byte, so that it can be sent again."""
        external_id = uuid4().hex
        fields = {
            "externalId": external_id,
            "cutoffAt": CUTOFF,
            "settlementAmounts": {
                connection: {name: str(amount) for name, amount in given.items()}
                for connection, given in amounts.items()
            },
        }
        return external_id, json.dumps(self.partner.enterprise.sign(fields)).encode()

    def balances(self, connection: psycopg.Connection) -> Balances:
        accounts = [self.partner_account, *self.accounts.values()]
        rows = connection.execute(
            "SELECT account_id, currency, available, held FROM balance WHERE account_id = ANY(%s)", [accounts]
        )
        return {(account, currency): (int(available), int(held)) for account, currency, available, held in rows}


def build_large_network(
    network: Network,
    dsn: str,
    *,
    name: str = "exchange",
    clients: int = 4,
    connections: int = 240,
    window_minutes: float = WINDOW_MINUTES,
) -> LargeNetwork:
    """Makes one funded connection of each client over HTTP. SQL copies the others: there are too many for HTTP."""
    partner = network.partner(
        name,
        dispute_window=window_minutes,
        top_up_window=window_minutes,
        deposits=dict.fromkeys(CURRENCIES.values(), FUNDS * connections),
        autoApproveClientClosures=True,
    )
    share = connections // clients
    made = tuple(
        network.funded(partner, dict.fromkeys(CURRENCIES.values(), FUNDS * share), name=f"{name}-trader-{number}")
        for number in range(clients)
    )
    with psycopg.connect(dsn) as connection:
        for handle in made:
            _copy_connections(connection, UUID(handle.id), share - 1)
        rows = connection.execute(
            "SELECT id, network_account_id FROM connection WHERE partner_id = %s", [partner.id]
        ).fetchall()
        numbers = connection.execute(
            "SELECT account.number, currency.number FROM connection JOIN account ON account.id = network_account_id"
            " JOIN currency ON currency.name = 'ofcbtc' WHERE connection.id = %s",
            [made[1].id],
        ).fetchone()
    assert numbers is not None
    return LargeNetwork(partner, made, {str(row[0]): row[1] for row in rows}, *numbers)


def _copy_connections(connection: psycopg.Connection, original: UUID, count: int) -> None:
    """Copies a connection and gives the copies their funds: they are taken back, then allocated anew."""
    values = {"original": original, "count": count, "funds": FUNDS}
    for statement in _COPYING:
        connection.execute(statement, values)


_COPYING: Final = (
    """CREATE TEMPORARY TABLE copied AS
       SELECT gen_random_uuid() AS connection_id, gen_random_uuid() AS account_id, connection.*
       FROM connection CROSS JOIN generate_series(1, %(count)s) WHERE id = %(original)s""",
    """INSERT INTO account (id, kind, partner_id, created_at)
       SELECT account_id, 'network', partner_id, created_at FROM copied""",
    """INSERT INTO connection
       SELECT connection_id, partner_id, client_id, account_id, name, active, encrypted_key, connection_id::text,
              proof, partners_client_id, partners_connection_id, initiated_by, created_at, updated_at
       FROM copied""",
    """CREATE TEMPORARY TABLE moved AS
       SELECT gen_random_uuid() AS id, share.type, connection.id AS connection_id, connection.partner_id, client_id,
              CASE share.type WHEN 'allocation' THEN go_account_id ELSE network_account_id END AS source,
              CASE share.type WHEN 'allocation' THEN network_account_id ELSE go_account_id END AS target,
              connection.initiated_by, connection.created_at, currency, share.quantity,
              gen_random_uuid() AS reserved_id, gen_random_uuid() AS cleared_id
       FROM (SELECT 'deallocation' AS type, %(original)s::uuid AS connection_id,
                    %(funds)s::numeric * %(count)s AS quantity
             UNION ALL SELECT 'allocation', connection_id, %(funds)s FROM copied) AS share
       JOIN connection ON connection.id = share.connection_id
       JOIN client ON client.id = client_id
       JOIN balance ON balance.account_id = (SELECT network_account_id FROM connection WHERE id = %(original)s)""",
    """INSERT INTO allocation (id, partner_id, client_id, connection_id, type, status, currency, quantity,
                               client_external_id, request_sha256, initiated_by, retriable, created_at, updated_at)
       SELECT id, partner_id, client_id, connection_id, type, 'cleared', currency, quantity, id::text, '',
              initiated_by, false, created_at, created_at
       FROM moved""",
    """INSERT INTO ledger_entry (id, partner_id, kind, cause_id, reference, created_at)
       SELECT reserved_id, partner_id, type || '_reserved', id, NULL, created_at FROM moved
       UNION ALL SELECT cleared_id, partner_id, type || '_cleared', id, NULL, created_at FROM moved""",
    """INSERT INTO entry_posting (entry_number, account_number, currency_number, of_settlement, available, held)
       SELECT entry.number, account.number, currency.number, false, part.available, part.held
       FROM moved
       CROSS JOIN LATERAL (VALUES (reserved_id, source, -quantity, quantity), (cleared_id, source, 0, -quantity),
                                  (cleared_id, target, quantity, 0)) AS part (entry_id, account_id, available, held)
       JOIN ledger_entry AS entry ON entry.id = part.entry_id
       JOIN account ON account.id = part.account_id
       JOIN currency ON currency.name = moved.currency""",
    """INSERT INTO balance (account_id, currency, account_number, currency_number, available, held)
       SELECT copied.account_id, currency, account.number, currency_number, %(funds)s, 0
       FROM copied JOIN balance ON balance.account_id = copied.network_account_id
       JOIN account ON account.id = copied.account_id""",
    """UPDATE balance SET available = available - %(funds)s * %(count)s
       FROM connection WHERE connection.id = %(original)s AND balance.account_id = network_account_id""",
    "DROP TABLE copied, moved",
)
