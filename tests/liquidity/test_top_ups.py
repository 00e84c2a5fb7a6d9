"""With all top-ups everything executes, and with one base unit less something does not. Protocol §5."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.liquidity.forecasts.models import Outcome, Pending
from clearwindow.liquidity.forecasts.rules import foresee
from clearwindow.liquidity.top_ups.models import TopUp
from clearwindow.liquidity.top_ups.rules import needed
from clearwindow.settlements.models import SettlementState
from tests.support.networks import Json, ok
from tests.support.settlements import Testbed, dispute, stage

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
CURRENCIES = ("ofcbtc", "ofcusd")
SHORT = {Outcome.WAITS_FOR_FUNDS, Outcome.FAILS_FOR_LACK_OF_FUNDS}


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


@st.composite
def settlements(draw: st.DrawFn) -> list[Pending]:
    """Settlements in each state, with windows that end one after another or together."""
    found = []
    for number in range(draw(st.integers(1, 6))):
        state = draw(st.sampled_from(["dispute_window", "top_up_window", "failed", "rejected"]))
        eager, window, top_up = draw(st.booleans()), draw(st.integers(1, 4)), draw(st.integers(0, 4))
        due_at = {"dispute_window": minute(window), "top_up_window": minute(window + top_up), "failed": None}.get(
            state, draw(st.sampled_from([None, minute(window)]))
        )
        passed = state == "failed"
        found.append(
            Pending(
                id=UUID(int=number),
                external_id=str(number),
                created_at=START - timedelta(seconds=draw(st.integers(1, 3))),
                state=SettlementState(state),
                due_at=due_at,
                top_up_deadline_at=minute(-1) if passed else minute(window + top_up),
                execute_when_funded=eager,
                closures_wait=state == "rejected",
                paused=False,
                change=draw(st.dictionaries(st.sampled_from(CURRENCIES), st.integers(-9, 9).filter(bool))),
            )
        )
    return found


def funded(available: dict[str, int], found: list[TopUp]) -> dict[str, int]:
    return {
        name: available.get(name, 0) + sum(one.quantity for one in found if one.currency == name)
        for name in CURRENCIES
    }


def awake(pending: list[Pending]) -> list[Pending]:
    """Returns the settlements after a deposit, which makes those that wait for money due."""
    return [
        replace(one, due_at=START)
        if one.due_at is None or (one.state is SettlementState.TOP_UP_WINDOW and one.execute_when_funded)
        else one
        for one in pending
    ]


AVAILABLE = st.dictionaries(st.sampled_from(CURRENCIES), st.integers(0, 9))


@given(pending=settlements(), available=AVAILABLE)
def test_with_all_top_ups_everything_executes_and_nothing_waits(
    pending: list[Pending], available: dict[str, int]
) -> None:
    whole = funded(available, needed(pending, available, START, {}))
    for one in pending:
        outcomes = [step.outcome for step in foresee(awake(pending), whole, START, one.id)]
        assert outcomes
        assert outcomes[-1] in {Outcome.COMPLETES, Outcome.CLOSURES_RUN}
        assert not SHORT & set(outcomes)


@given(pending=settlements(), available=AVAILABLE)
def test_with_one_unit_less_the_settlement_is_short(pending: list[Pending], available: dict[str, int]) -> None:
    found = needed(pending, available, START, {})
    for number, one in enumerate(found):
        less = [*found[:number], replace(one, quantity=one.quantity - 1), *found[number + 1 :]]
        before = [each for each in less if each.settlement_id == one.settlement_id or each in found[:number]]
        outcomes = [
            step.outcome for step in foresee(awake(pending), funded(available, before), START, one.settlement_id)
        ]
        assert SHORT & set(outcomes)


@given(pending=settlements(), available=AVAILABLE)
def test_times_never_go_back_and_totals_are_sums(pending: list[Pending], available: dict[str, int]) -> None:
    found = needed(pending, available, START, {})
    assert [one.by for one in found] == sorted(one.by for one in found)
    for name in CURRENCIES:
        quantities = [one.quantity for one in found if one.currency == name]
        assert [one.total for one in found if one.currency == name] == [
            sum(quantities[: number + 1]) for number in range(len(quantities))
        ]


@pytest.mark.parametrize(("due_at", "by"), [(minute(3), minute(3)), (None, START)])
def test_closures_that_wait_are_topped_up_by_the_moment_at_which_they_run(
    due_at: datetime | None, by: datetime
) -> None:
    rejected = Pending(
        id=UUID(int=1),
        external_id="1",
        created_at=START,
        state=SettlementState.REJECTED,
        due_at=due_at,
        top_up_deadline_at=minute(9),
        execute_when_funded=False,
        closures_wait=True,
        paused=False,
        change={"ofcusd": -7},
    )
    assert [one.by for one in needed([rejected], {}, START, {})] == [by]
    waits = replace(rejected, state=SettlementState.TOP_UP_WINDOW, due_at=minute(5), closures_wait=False)
    assert [one.by for one in needed([waits], {}, START, {})] == [minute(9)]


class Scenario:
    """Two settlements that pay out 7 and 5 USD, and a partner with 4. The first also brings it 20 BTC."""

    def __init__(self, testbed: Testbed) -> None:
        self.testbed = testbed
        self.partner = testbed.network.partner(deposits={"ofcusd": 4})
        self.trader = testbed.network.funded(self.partner, {"ofcbtc": 500})
        self.first = stage(self.partner, {self.trader.id: {"BTC": "-20", "USD": "7"}})
        testbed.clock.advance(minutes=5)
        self.second = stage(self.partner, {self.trader.id: {"BTC": "15", "USD": "5"}})

    def read(self, **query: object) -> Json:
        return dict(ok(self.partner.api.get("/partners/top-ups", **query)))

    def deposit(self, quantity: int) -> None:
        self.testbed.operator.deposit(self.partner.enterprise.account.id, "ofcusd", quantity)

    def states(self) -> list[str]:
        return [self.testbed.state(one["id"]) for one in (self.first, self.second)]


@pytest.fixture
def scenario(testbed: Testbed) -> Scenario:
    return Scenario(testbed)


def test_partner_sees_what_it_must_top_up_until_when(scenario: Scenario) -> None:
    found = scenario.read()
    assert found == {
        "goAccountId": scenario.partner.enterprise.account.id,
        "asOf": "2026-01-05T12:05:00.000Z",
        "consideredSettlements": 2,
        "allConsidered": True,
        "topUps": [
            {
                "currency": "ofcusd",
                "quantity": quantity,
                "total": total,
                "by": by,
                "overdue": False,
                "settlementId": settlement["id"],
                "externalId": settlement["externalId"],
            }
            for quantity, total, by, settlement in (
                ("3", "3", "2026-01-05T12:20:00.000Z", scenario.first),
                ("5", "8", "2026-01-05T12:25:00.000Z", scenario.second),
            )
        ],
    }


def test_what_is_topped_up_in_time_completes_and_one_unit_less_fails(scenario: Scenario) -> None:
    scenario.testbed.pass_minutes(14)
    scenario.deposit(3)
    scenario.testbed.pass_minutes(1)
    assert scenario.states() == ["completed", "top_up_window"]
    scenario.deposit(4)
    scenario.testbed.pass_minutes(5)
    assert scenario.states() == ["completed", "failed"]
    (late,) = scenario.read()["topUps"]
    assert (late["quantity"], late["by"], late["overdue"]) == ("1", "2026-01-05T12:25:00.000Z", True)
    scenario.deposit(1)
    scenario.testbed.run_due()
    assert scenario.states() == ["completed", "completed"]
    assert scenario.read()["topUps"] == []


def test_worst_case_counts_no_gain_that_may_be_disputed(scenario: Scenario) -> None:
    assert [one["currency"] for one in scenario.read()["topUps"]] == ["ofcusd", "ofcusd"]
    worst = scenario.read(worstCase="true")["topUps"]
    assert {one["currency"]: one["total"] for one in worst} == {"ofcbtc": "15", "ofcusd": "8"}
    ok(dispute(scenario.trader, scenario.first["id"]))
    assert {one["currency"]: one["total"] for one in scenario.read()["topUps"]} == {"ofcbtc": "15", "ofcusd": "1"}


def test_paused_settlements_are_left_out_and_others_see_nothing(scenario: Scenario) -> None:
    ok(scenario.testbed.operator.post("/pauses", {"kind": "network", "reason": "a drill"}))
    assert scenario.read()["topUps"] == []
    rival = scenario.testbed.network.partner("rival")
    assert ok(rival.api.get("/partners/top-ups"))["consideredSettlements"] == 0
    refused = scenario.partner.api.get("/partners/top-ups", worstCase="maybe")
    assert (refused.status_code, refused.json()["name"]) == (400, "request_invalid")
