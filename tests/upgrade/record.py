"""What is read of a network: recorded with a former release, and read again after the upgrade."""

from __future__ import annotations

from typing import Any

import psycopg

from tests.support.networks import ok
from tests.support.operators import OperatorClient

_LISTS = {
    "/go-accounts": "goAccounts",
    "/connections": "connections",
    "/allocations": "allocations",
    "/settlements": "settlements",
    "/disputes": "disputes",
    "/ledger/entries": "entries",
    "/events": "events",
    "/chain/transactions": "transactions",
}
_BALANCES = "SELECT account_id::text, currency, available::text, held::text FROM balance ORDER BY 1, 2"
_HOLDS = "SELECT cause_id::text, cause_kind, account_id::text, currency, quantity::text FROM hold ORDER BY 1, 3, 4"


def read_everything(operator: OperatorClient, dsn: str) -> dict[str, Any]:
    """Returns lists, every settlement with its transfers, the journal of every account, balances and holds."""
    lists = {path: ok(operator.get(path, pageSize=500))[name] for path, name in _LISTS.items()}
    settlements = {one["id"]: ok(operator.get(f"/settlements/{one['id']}")) for one in lists["/settlements"]}
    accounts = sorted(
        {
            posting["accountId"]
            for entry in lists["/ledger/entries"]
            for posting in entry["postings"]
            if "accountId" in posting
        }
    )
    history = {account: [one["id"] for one in operator.entries(accountId=account)] for account in accounts}
    with psycopg.connect(dsn) as connection:
        balances, holds = (
            [list(row) for row in connection.execute(query).fetchall()] for query in (_BALANCES, _HOLDS)
        )
    return {"lists": lists, "settlements": settlements, "history": history, "balances": balances, "holds": holds}
