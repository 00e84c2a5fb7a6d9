"""The journal of one account: postings of settlements have no index by account: settlements find them."""

from __future__ import annotations

from tests.support.settlements import Testbed, close_dispute, dispute, stage


def test_entries_of_an_account_are_those_that_move_it(testbed: Testbed) -> None:
    """Deposits, allocations, and settlements that run, are disputed and taken over by the next, or are rejected."""
    partner = testbed.network.partner(deposits={"ofcbtc": 1_000, "ofcusd": 1_000})
    trader, other = (testbed.network.funded(partner, {"ofcbtc": 500}, name=name) for name in ("ann", "bob"))
    disputed = stage(partner, {trader.id: {"BTC": "-200"}, other.id: {"BTC": "70", "USD": "9"}})
    raised = dispute(trader, disputed["id"], {"ofcbtc": "-50"}).json()["dispute"]
    testbed.pass_minutes(10)
    close_dispute(trader, raised["id"])
    testbed.pass_minutes(10)
    stage(partner, {other.id: {"BTC": "-30"}})
    testbed.pass_minutes(20)
    rejected = stage(partner, {other.id: {"BTC": "-3"}})
    testbed.operator.post(f"/settlements/{rejected['id']}/reject", {"reason": "wrong day"})
    testbed.assert_proven()

    entries = testbed.operator.entries(pageSize=500)
    assert {entry["kind"] for entry in entries} >= {
        *("deposit", "allocation_cleared", "settlement_held", "settlement_executed", "settlement_rejected"),
    }
    moved_by: dict[str, list[str]] = {}
    for entry in entries:
        for account in dict.fromkeys(posting.get("accountId") for posting in entry["postings"]):
            if account is not None:
                moved_by.setdefault(account, []).append(entry["id"])
    assert len(moved_by) == 5
    for account, expected in moved_by.items():
        assert [entry["id"] for entry in testbed.operator.entries(accountId=account, pageSize=500)] == expected
