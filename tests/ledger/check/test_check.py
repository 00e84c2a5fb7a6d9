"""What the check answers, and that it covers every kind of entry."""

from __future__ import annotations

import re

import psycopg
from psycopg import sql

from clearwindow.ledger.check.invariants import INVARIANTS, statement_names, statement_of
from clearwindow.ledger.check.service import ROWS_SHOWN, Checked, check_ledger, check_whole_ledger
from clearwindow.ledger.models import EntryKind
from clearwindow.runtime import Runtime
from tests.support.databases import as_superuser
from tests.support.networks import Network
from tests.support.operators import OperatorClient

KINDS_ALLOWED = """
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ledger_entry_kind_known'
"""


def test_every_invariant_has_a_statement() -> None:
    assert statement_names() == set(INVARIANTS)


def test_every_kind_of_entry_has_its_rules_and_its_causes(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        (constraint,) = connection.execute(KINDS_ALLOWED).fetchone() or ("",)
    allowed = set(re.findall(r"'(\w+)'", constraint))
    assert allowed == set(EntryKind)
    rules = re.findall(r"\('(\w+)', '(?:go|network|outside)'", statement_of("entry_moves_what_its_kind_may"))
    assert set(rules) == allowed
    causes = statement_of("entry_has_its_cause")
    made = {"deposit", "withdrawal"} | {f"onchain_{side}_paid" for side in ("loss", "gain")}
    made |= {
        f"{kind}_{step}" for kind in ("allocation", "deallocation") for step in ("reserved", "cleared", "released")
    }
    for text in ("movement.kind", "'onchain_' || side || '_paid'", "type || '_reserved'", "type || '_cleared'"):
        assert text in causes
    assert {kind for kind in allowed if f"'{kind}'" in causes} | made == allowed


def test_operator_gets_the_first_rows_and_the_total(
    network: Network, operator: OperatorClient, runtime: Runtime
) -> None:
    account = network.enterprise("lune").account.id
    checked = operator.get("/ledger/check").json()
    assert checked == {"ok": True, "checkedAt": "2026-01-05T12:00:00.000Z", "findings": []}

    count = ROWS_SHOWN + 50
    with psycopg.connect(as_superuser(runtime.database.dsn)) as connection:
        connection.execute(
            "INSERT INTO currency (name, backing, decimals)"
            " SELECT 'ofcz' || number, 'z', 0 FROM generate_series(1, %s) AS number",
            (count,),
        )
        statement = sql.SQL(
            "INSERT INTO balance (account_id, account_number, currency, currency_number, available, held)"
            " SELECT id, account.number, name, currency.number, 7, 0 FROM account, currency"
            " WHERE id = %s AND backing = 'z'"
        )
        connection.execute(statement, (account,))
    found = {finding["invariant"]: finding for finding in operator.check()}
    assert set(found) == {"balance_equals_its_postings", "currency_sums_to_zero", "accounts_hold_what_came_in"}
    finding = found["balance_equals_its_postings"]
    assert finding["message"] == "violated: every balance is the sum of its journal postings"
    assert finding["details"]["count"] == count
    assert len(finding["details"]["rows"]) == ROWS_SHOWN
    row = finding["details"]["rows"][0]
    assert row["account_id"].replace("-", "") == account
    assert {name: value for name, value in row.items() if name != "account_id"} == {
        "currency": "ofcz1",
        "available": "7",
        "posted_available": None,
        "held": "0",
        "posted_held": None,
    }


def test_check_of_the_command_has_no_time_limit_and_tells_how_far_it_is(runtime: Runtime) -> None:
    told: list[Checked] = []
    with runtime.transaction() as tx:
        assert check_whole_ledger(tx, told.append) == []
        limits = tx.connection.execute("SELECT current_setting('statement_timeout'), current_setting('work_mem')")
        assert limits.fetchone() == ("0", "64MB")
    with runtime.transaction() as tx:
        assert tx.connection.execute("SHOW statement_timeout").fetchone() == ("2min",)
    assert [(checked.number, checked.message) for checked in told] == list(enumerate(INVARIANTS.values(), 1))
    assert {checked.of for checked in told} == {len(INVARIANTS)}


def test_the_check_is_one_read_only_snapshot(runtime: Runtime) -> None:
    with runtime.transaction() as tx:
        assert check_ledger(tx) == []
        isolation = tx.connection.execute("SHOW transaction_isolation").fetchone()
        read_only = tx.connection.execute("SHOW transaction_read_only").fetchone()
    assert (isolation, read_only) == (("repeatable read",), ("on",))
