"""The decisions of an on-chain settlement, without a database. Protocol §7."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.core.errors import ConflictError
from clearwindow.settlements.models import FundingGap, SettlementState
from clearwindow.settlements.onchain import rules
from clearwindow.settlements.onchain.chain import Side
from clearwindow.settlements.onchain.models import Phase, Progress, Sla, Tally
from clearwindow.settlements.onchain.rules import PAYMENTS_UNDER_WAY, TRIES, Step
from tests.support.prototypes import SETTLEMENT

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
COUNTS = st.integers(0, 3)


@st.composite
def tallies(draw: st.DrawFn) -> Tally:
    failed = draw(COUNTS)
    exhausted = draw(st.integers(0, failed))
    retry_at = NOW + timedelta(seconds=draw(st.integers(-60, 60))) if failed > exhausted else None
    return Tally(draw(COUNTS), draw(COUNTS), failed, draw(COUNTS), exhausted, retry_at)


@given(phase=st.sampled_from(Phase), losses=tallies(), gains=tallies(), funded=st.booleans())
def test_each_settlement_has_a_next_step_or_a_time_to_wait_for(
    *, phase: Phase, losses: Tally, gains: Tally, funded: bool
) -> None:
    of = {Side.LOSS: losses, Side.GAIN: gains}
    step = rules.next_step(phase, of, funded=funded)
    tally = of[rules.side_of(phase)]
    if step is Step.COMPLETE:
        assert (phase, gains.all_completed) == (Phase.GAINS, True)
    elif step is Step.TAKE_DEPOSITS:
        assert (phase, losses.all_completed) == (Phase.LOSSES, True)
    elif step is Step.FUND_GAINS:
        assert (phase, funded) == (Phase.DEPOSITS, True)
    elif step is Step.FAIL:
        assert (tally.pending, tally.initiated, tally.failed) == (0, 0, tally.exhausted)
        assert tally.exhausted > 0
    elif phase is not Phase.DEPOSITS:
        assert tally.pending or tally.initiated or tally.failed > tally.exhausted
    assert rules.next_look_at(NOW, phase, tally, []) >= NOW


def test_settlement_is_not_due_at_once_while_the_chain_is_full() -> None:
    full = Tally(pending=5, initiated=PAYMENTS_UNDER_WAY, failed=1, retry_at=NOW - timedelta(minutes=1))
    assert rules.next_look_at(NOW, Phase.LOSSES, full, []) > NOW
    assert rules.next_look_at(NOW, Phase.LOSSES, Tally(pending=5), []) == NOW


@given(st.decimals(Decimal("0.001"), 525_600, places=3))
def test_alert_is_due_in_the_last_fifth_of_the_time(minutes: Decimal) -> None:
    sla = rules.sla(NOW, minutes)
    assert sla is not None
    assert NOW <= sla.alert_at <= sla.breach_at
    assert abs((sla.breach_at - NOW) * 4 - (sla.alert_at - NOW) * 5) <= timedelta(milliseconds=5)


def test_no_alert_without_an_sla() -> None:
    assert rules.sla(NOW, None) is None


def test_waiting_time_grows_with_each_failure() -> None:
    waits = [rules.retry_seconds(failures) for failures in range(1, TRIES + 1)]
    assert waits == sorted(waits) == [30, 60, 120, 240, 480]
    assert [rules.unseen_seconds(attempts) for attempts in (0, 1, 6, 1_000)] == [10, 20, 600, 600]


@pytest.mark.parametrize(
    ("gains", "deposited", "shortfalls"),
    [
        ({}, {}, {}),
        ({"ofcbtc": 5}, {"ofcbtc": 5}, {}),
        ({"ofcbtc": 5}, {"ofcbtc": 4, "ofceth": 9}, {"ofcbtc": 1}),
        ({"ofcbtc": 5, "ofceth": 1}, {}, {"ofcbtc": 5, "ofceth": 1}),
    ],
)
def test_deposits_must_cover_every_currency(
    gains: dict[str, int], deposited: dict[str, int], shortfalls: dict[str, int]
) -> None:
    assert {gap.currency: gap.shortfall for gap in rules.funding_gaps(gains, deposited)} == shortfalls


LOSSES, DEPOSITS, GAINS = Phase
DONE = Tally(completed=2)


@pytest.mark.parametrize(
    ("phase", "losses", "gains", "funded", "step"),
    [
        (LOSSES, DONE, Tally(pending=1), False, Step.TAKE_DEPOSITS),
        (LOSSES, Tally(pending=1), DONE, True, Step.WAIT),
        (LOSSES, Tally(initiated=1), DONE, True, Step.WAIT),
        (LOSSES, Tally(failed=1), DONE, True, Step.WAIT),
        (LOSSES, Tally(failed=1, exhausted=1), DONE, True, Step.FAIL),
        (LOSSES, Tally(failed=2, exhausted=1), DONE, True, Step.WAIT),
        (LOSSES, Tally(failed=1, exhausted=1, pending=1), DONE, True, Step.WAIT),
        (LOSSES, Tally(failed=1, exhausted=1, initiated=1), DONE, True, Step.WAIT),
        (DEPOSITS, DONE, Tally(pending=1), False, Step.WAIT),
        (DEPOSITS, DONE, Tally(pending=1), True, Step.FUND_GAINS),
        (GAINS, Tally(pending=1), DONE, False, Step.COMPLETE),
        (GAINS, DONE, Tally(failed=2, exhausted=2, completed=1), False, Step.FAIL),
    ],
)
def test_next_step(phase: Phase, losses: Tally, gains: Tally, step: Step, *, funded: bool) -> None:
    assert rules.next_step(phase, {Side.LOSS: losses, Side.GAIN: gains}, funded=funded) is step


def test_each_phase_has_its_side_and_only_the_last_has_its_deposits() -> None:
    assert [rules.side_of(phase) for phase in (LOSSES, GAINS)] == [Side.LOSS, Side.GAIN]
    assert [rules.has_its_deposits(phase) for phase in Phase] == [False, False, True]


def test_alert_and_breach_are_exact() -> None:
    assert rules.sla(NOW, Decimal(10)) == Sla(NOW + timedelta(minutes=8), NOW + timedelta(minutes=10))


@pytest.mark.parametrize(
    ("phase", "tally", "alerts", "seconds"),
    [
        (LOSSES, Tally(), [], 600),
        (LOSSES, Tally(), [None, NOW + timedelta(seconds=7)], 7),
        (LOSSES, Tally(initiated=1), [], 10),
        (LOSSES, Tally(initiated=1, pending=1), [], 0),
        (GAINS, Tally(initiated=PAYMENTS_UNDER_WAY - 1, pending=1), [], 0),
        (GAINS, Tally(initiated=PAYMENTS_UNDER_WAY, pending=1), [], 10),
        (GAINS, Tally(failed=1, retry_at=NOW + timedelta(seconds=30)), [], 30),
        (GAINS, Tally(failed=1, retry_at=NOW - timedelta(seconds=30)), [], 0),
        (DEPOSITS, Tally(initiated=1, pending=1), [], 600),
    ],
)
def test_waiting_settlement_is_looked_at_again(
    phase: Phase, tally: Tally, alerts: list[datetime | None], seconds: int
) -> None:
    assert rules.next_look_at(NOW, phase, tally, alerts) == NOW + timedelta(seconds=seconds)


PROGRESS = Progress(SETTLEMENT.id, SETTLEMENT.partner_id, LOSSES, NOW, None, NOW + timedelta(seconds=1), None)
OPEN = {Side.LOSS: Tally(pending=1), Side.GAIN: Tally(pending=1)}


def test_each_open_side_is_alerted_once() -> None:
    later = NOW + timedelta(seconds=1)
    assert rules.coming_alerts(SETTLEMENT, PROGRESS, OPEN) == {Side.LOSS: NOW, Side.GAIN: later}
    assert rules.coming_alerts(SETTLEMENT, PROGRESS, OPEN | {Side.LOSS: DONE}) == {
        Side.LOSS: None,
        Side.GAIN: later,
    }
    assert rules.coming_alerts(SETTLEMENT, PROGRESS, OPEN | {Side.GAIN: DONE}) == {Side.LOSS: NOW, Side.GAIN: None}
    sent = replace(SETTLEMENT, loss_sla_alert_sent=True)
    assert rules.coming_alerts(sent, PROGRESS, OPEN) == {Side.LOSS: None, Side.GAIN: later}
    sent = replace(SETTLEMENT, gain_sla_alert_sent=True)
    assert rules.coming_alerts(sent, PROGRESS, OPEN) == {Side.LOSS: NOW, Side.GAIN: None}
    assert rules.alerts_due(NOW, SETTLEMENT, PROGRESS, OPEN) == [Side.LOSS]
    assert rules.alerts_due(later, SETTLEMENT, PROGRESS, OPEN) == [Side.LOSS, Side.GAIN]
    assert rules.alerts_due(later, SETTLEMENT, PROGRESS, OPEN | {Side.LOSS: DONE}) == [Side.GAIN]


def test_gap_has_what_is_needed_and_deposited() -> None:
    assert rules.funding_gaps({"b": 5, "a": 1}, {"b": 4}) == [FundingGap("a", 1, 0), FundingGap("b", 5, 4)]


def test_reason_says_whose_transactions_failed() -> None:
    assert rules.failure_reason(Side.LOSS, 1, "no fee") == (
        "a transaction of the losses to the partner failed 5 times on the chain, the last time because: no fee"
    )
    assert rules.failure_reason(Side.GAIN, 2, "no fee").startswith("2 transactions of the gains to clients failed")


@pytest.mark.parametrize("state", SettlementState)
def test_ended_settlement_is_not_rejected(state: SettlementState) -> None:
    settlement = replace(SETTLEMENT, state=state)
    if state not in (SettlementState.COMPLETED, SettlementState.REJECTED):
        rules.require_rejectable(settlement, [Tally(pending=1), Tally(failed=1)])
        return
    with pytest.raises(ConflictError, match=f"the settlement is {state}: nothing") as error:
        rules.require_rejectable(settlement, [])
    assert error.value.name == "settlement_state"


@pytest.mark.parametrize("on_the_chain", [Tally(initiated=1), Tally(completed=1)])
def test_settlement_on_the_chain_is_not_rejected(on_the_chain: Tally) -> None:
    with pytest.raises(ConflictError) as error:
        rules.require_rejectable(SETTLEMENT, [Tally(pending=1), on_the_chain])
    assert error.value.name == "settlement_on_chain"
