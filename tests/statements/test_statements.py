"""Statements of accounts over HTTP: opening, entries, closing, and what is held and why."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from datetime import datetime
from itertools import pairwise

import pytest

from clearwindow.core.clock import wire_time
from clearwindow.ledger.models import Balance
from tests.statements.histories import History, lived
from tests.support.lists import next_query
from tests.support.networks import Json, NetworkClient, ok
from tests.support.settlements import Testbed

Sides = dict[str, dict[str, Balance]]


@pytest.fixture
def history(testbed: Testbed) -> History:
    return lived(testbed)


def statement(history: History, name: str, since: datetime | None, before: datetime | None) -> Json:
    """Returns the statement of an account as operators read it."""
    period = {"createdOnOrAfter": since, "createdBefore": before}
    asked = {key: wire_time(moment) for key, moment in period.items() if moment is not None}
    path = f"/accounts/{history.accounts[name]}/statement"
    found: Json = ok(history.testbed.operator.get(path, **asked))["statement"]
    return found


def entries(history: History, name: str, **filters: object) -> list[Json]:
    path = f"/accounts/{history.accounts[name]}/statement/entries"
    found: list[Json] = ok(history.testbed.operator.get(path, pageSize=500, **filters))["entries"]
    return found


def sides(found: Json) -> Sides:
    return {
        currency: {side: _balance(given[side]) for side in ("opening", "change", "closing")}
        for currency, given in found["balances"].items()
    }


def _balance(given: Json) -> Balance:
    return Balance(int(given["available"]), int(given["held"]))


def test_statement_of_every_period_is_what_was_there_and_what_its_entries_changed(history: History) -> None:
    moments = history.moments
    assert len(moments) == 17
    periods = [*pairwise(moments), *((moments[0], later) for later in moments[2:])]
    for name in history.accounts:
        changes = entries(history, name)
        whole = sides(statement(history, name, None, None))
        assert {currency: side["closing"] for currency, side in whole.items()} == history.balances()[name]
        assert all(side["opening"] == Balance(0, 0) for side in whole.values())
        for first, last in periods:
            found = statement(history, name, first.at, last.at)
            assert "held" not in found
            changed = moved(within(changes, first.at, last.at))
            for currency, side in sides(found).items():
                assert side["opening"] == first.balances[name].get(currency, Balance(0, 0))
                assert side["closing"] == last.balances[name].get(currency, Balance(0, 0))
                assert side["change"] == changed.pop(currency, Balance(0, 0))
            assert not changed
            period = {"createdOnOrAfter": wire_time(first.at), "createdBefore": wire_time(last.at)}
            if moments.index(last) == moments.index(first) + 1:
                assert entries(history, name, **period) == within(changes, first.at, last.at)
        since = sides(statement(history, name, moments[-1].at, None))
        assert {currency: side["closing"] for currency, side in since.items()} == history.balances()[name]
        assert {currency: side["opening"] for currency, side in since.items()} == moments[-1].balances[name]
    history.testbed.assert_proven()


def within(changes: list[Json], since: datetime, before: datetime) -> list[Json]:
    return [entry for entry in changes if wire_time(since) <= entry["createdAt"] < wire_time(before)]


def moved(changes: list[Json]) -> dict[str, Balance]:
    sums: dict[str, Balance] = defaultdict(lambda: Balance(0, 0))
    for entry in changes:
        was, currency = sums[entry["currency"]], entry["currency"]
        sums[currency] = Balance(was.available + int(entry["available"]), was.held + int(entry["held"]))
    return dict(sums)


def test_held_amounts_have_their_causes_and_are_all_that_is_held(history: History) -> None:
    for name, balances in history.balances().items():
        found = statement(history, name, None, None)
        held: dict[str, int] = defaultdict(int)
        for one in found["held"]:
            held[one["currency"]] += int(one["quantity"])
        assert dict(held) == {currency: each.held for currency, each in balances.items() if each.held}
        assert found["heldTotal"] == len(found["held"])
    (of_ann,) = statement(history, "ann at exchange", history.moments[-1].at, None)["held"]
    assert (of_ann["cause"], of_ann["externalId"], of_ann["quantity"]) == ("settlement", "day-5", "11")
    assert of_ann["description"] == "settlement day-5 at exchange, the most that it can take"
    (reserved,) = statement(history, "ann's", None, None)["held"]
    assert (reserved["cause"], reserved["externalId"], reserved["quantity"]) == ("allocation", "later", "15")
    assert reserved["description"] == "allocation later at slow, until the partner has answered"
    history.testbed.pass_minutes(10)
    (disputed,) = statement(history, "ann at exchange", None, None)["held"]
    assert (disputed["cause"], disputed["quantity"]) == ("settlement", "11")


def test_disputed_amount_is_held_for_its_dispute(history: History) -> None:
    found = statement(history, "ann at exchange", None, history.moments[3].at)
    assert "held" not in found
    kinds = [(entry["kind"], entry["available"], entry["held"]) for entry in entries(history, "ann at exchange")]
    assert kinds[:3] == [
        ("allocation_cleared", "1000", "0"),
        ("allocation_cleared", "1000", "0"),
        ("settlement_held", "-40", "40"),
    ]
    closed = next(one for one in entries(history, "ann at exchange") if one["kind"] == "dispute_closure_held")
    assert closed["description"] == "closed dispute of settlement =day-1 at exchange: held, what its transfers take"
    assert closed["settlementId"] != closed["causeId"] != closed["disputeId"]
    assert (closed["available"], closed["held"]) == ("10", "-10")


def test_members_read_their_own_accounts_alone(history: History) -> None:
    accounts, desk = history.accounts, history.desk
    ann, bob, exchange = desk.ann.client.api, desk.bob.client.api, desk.partner.api
    for reader, names in (
        (ann, {"ann's", "ann at exchange", "ann at slow"}),
        (bob, {"bob at exchange"}),
        (exchange, {"exchange's", "ann at exchange", "bob at exchange"}),
        (history.slow.partner.api, {"ann at slow"}),
    ):
        for name, account in accounts.items():
            for path in (f"/accounts/{account}/statement", f"/accounts/{account}/statement/entries"):
                answer = reader.get(path)
                if name in names:
                    assert answer.status_code == 200, answer.text
                else:
                    assert (answer.status_code, answer.json()["name"]) == (404, "account_unknown")
    mine = ok(ann.get(f"/accounts/{accounts['ann at exchange']}/statement"))["statement"]
    assert mine["account"] == {
        "id": accounts["ann at exchange"],
        "kind": "network",
        "label": "main",
        "connectionId": desk.ann.id,
    }
    theirs = statement(history, "ann's", None, None)["account"]
    assert (theirs["kind"], theirs["enterpriseId"]) == ("go", "ann")
    for unknown in ("nobody", "0" * 32, "00000000-0000-0000-0000-000000000000", desk.ann.id):
        for api in (ann, history.testbed.operator):
            refused = api.get(f"/accounts/{unknown}/statement")
            assert (refused.status_code, refused.json()["name"]) == (404, "account_unknown")


def test_entries_are_filtered_and_exported(history: History) -> None:
    api, account = history.desk.ann.client.api, history.accounts["ann at exchange"]
    path = f"/accounts/{account}/statement/entries"
    expected = entries(history, "ann at exchange")
    assert followed(api, path, pageSize=3) == expected
    exported = api.get(path, format="jsonl").text
    assert [json.loads(line) for line in exported.splitlines()] == expected
    rows = list(csv.DictReader(io.StringIO(api.get(path, format="csv", createdBefore="2026-01-05T12:10:00Z").text)))
    assert rows[2]["externalId"] == "'=day-1"
    assert (rows[2]["currency"], rows[2]["available"], rows[2]["held"]) == ("ofcbtc", "-40", "40")
    eth = ok(api.get(path, currencies="eth", kinds="settlement_executed,deallocation_reserved"))["entries"]
    assert {(entry["currency"], entry["kind"]) for entry in eth} == {
        ("ofceth", "settlement_executed"),
        ("ofceth", "deallocation_reserved"),
    }
    assert {entry["description"] for entry in eth if entry["kind"] == "deallocation_reserved"} == {
        "deallocation back at exchange: held"
    }
    for wrong in ({"kinds": "loan"}, {"createdBefore": "yesterday"}):
        assert api.get(path, **wrong).status_code == 400


def followed(api: NetworkClient, path: str, **query: object) -> list[Json]:
    """Returns the entries of all pages of a list."""
    page = api.get(path, **query)
    found: list[Json] = ok(page)["entries"]
    while (rest := next_query(page)) is not None:
        page = api.get(path, **rest)
        found += ok(page)["entries"]
    return found


def test_period_that_ends_before_it_begins_is_refused(history: History) -> None:
    api, account = history.desk.ann.client.api, history.accounts["ann's"]
    period = {"createdOnOrAfter": "2026-01-05T12:00:01Z", "createdBefore": "2026-01-05T12:00:00Z"}
    for path in (f"/accounts/{account}/statement", f"/accounts/{account}/statement/entries"):
        refused = api.get(path, **period)
        assert (refused.status_code, refused.json()["name"]) == (400, "request_invalid")
    empty = {**period, "createdOnOrAfter": "2026-01-05T12:00:00Z"}
    same = ok(api.get(f"/accounts/{account}/statement", **empty))["statement"]["balances"]
    assert all(each["change"] == {"available": "0", "held": "0"} for each in same.values())
    assert api.get(f"/accounts/{account}/statement", createdBefore="no time").status_code == 400
