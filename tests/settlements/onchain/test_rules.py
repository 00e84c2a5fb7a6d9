"""The decisions of an on-chain settlement, without a database. Protocol §7."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.settlements.onchain import rules
from clearwindow.settlements.onchain.chain import Side
from clearwindow.settlements.onchain.models import Phase, Tally
from clearwindow.settlements.onchain.rules import PAYMENTS_UNDER_WAY, TRIES, Step

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
