"""What a settlement may do at which moment, and in which words it is refused, without a database. Protocol §5."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from clearwindow.core.errors import ConflictError, InvalidRequestError, PermissionDeniedError, UnprocessableError
from clearwindow.core.money import AmountUnit
from clearwindow.settlements import rules
from clearwindow.settlements.models import (
    TRANSITIONS,
    Candidate,
    Deadlines,
    FundingGap,
    Settlement,
    SettlementState,
    SettlementType,
)
from clearwindow.settlements.transfers.models import LossBeyondLimit
from clearwindow.signing.models import Operation
from tests.support.prototypes import NOW, PARTNER, SETTLEMENT, an_id, minute

WINDOW, TOP_UP = SettlementState.DISPUTE_WINDOW, SettlementState.TOP_UP_WINDOW
DUE = replace(SETTLEMENT, state=TOP_UP, due_at=minute(15))


def test_windows_follow_each_other() -> None:
    assert rules.deadlines(NOW, Decimal("1.5"), Decimal(2)) == Deadlines(minute(1.5), minute(3.5))
    assert rules.deadlines(NOW, Decimal(1), None) == Deadlines(minute(1), minute(1))


def test_wire_has_fewer_states() -> None:
    assert {state: rules.wire_status(state) for state in SettlementState} == {
        WINDOW: "pending",
        TOP_UP: "pending",
        SettlementState.ONCHAIN: "pending",
        SettlementState.FAILED: "failed",
        SettlementState.COMPLETED: "completed",
        SettlementState.REJECTED: "rejected",
    }
    assert rules.states_of(None) is None
    assert rules.states_of([]) == []
    assert rules.states_of(["failed", "pending"]) == [
        SettlementState.FAILED,
        WINDOW,
        TOP_UP,
        SettlementState.ONCHAIN,
    ]


def test_cutoff_is_at_most_five_minutes_ahead() -> None:
    rules.require_cutoff(None, NOW)
    rules.require_cutoff(minute(5), NOW)
    with pytest.raises(InvalidRequestError, match=r"^cutoffAt: .*2026-01-05T12:00:00\.000Z") as error:
        rules.require_cutoff(minute(5) + timedelta(microseconds=1), NOW)
    assert error.value.name == "cutoff_in_future"


@pytest.mark.parametrize(
    ("cutoff_at", "last", "warns"),
    [(None, NOW, False), (NOW, None, False), (NOW, NOW, False), (minute(-1), NOW, True), (minute(1), NOW, False)],
)
def test_cutoff_before_the_last_one_is_told(
    cutoff_at: datetime | None, last: datetime | None, *, warns: bool
) -> None:
    assert rules.cutoff_warnings(cutoff_at, last) == (("cutoff_went_back",) if warns else ())


def test_text_is_for_what_the_caller_says_or_the_partner_uses() -> None:
    at_once = replace(PARTNER, client_dispute_window_minutes=None)
    assert rules.to_sign(PARTNER, None) == (Operation.SETTLEMENT_STAGE, AmountUnit.DECIMAL)
    assert rules.to_sign(at_once, None) == (Operation.SETTLEMENT_IMMEDIATE, AmountUnit.DECIMAL)
    assert rules.to_sign(at_once, Operation.SETTLEMENT_STAGE) == (Operation.SETTLEMENT_STAGE, AmountUnit.DECIMAL)
    assert rules.to_sign(PARTNER, Operation.SETTLEMENT_ONCHAIN) == (Operation.SETTLEMENT_ONCHAIN, AmountUnit.BASE)


@pytest.mark.parametrize("before", SettlementState)
@pytest.mark.parametrize("after", SettlementState)
def test_only_transitions_of_the_table_are_allowed(before: SettlementState, after: SettlementState) -> None:
    settlement = replace(SETTLEMENT, state=before)
    if after in TRANSITIONS[before]:
        rules.require_transition(settlement, after)
        return
    with pytest.raises(ConflictError, match=f"is {rules.wire_status(before)}: it cannot become {after}") as error:
        rules.require_transition(settlement, after)
    assert error.value.name == "settlement_state"


def test_partner_withdraws_inside_the_window() -> None:
    rules.require_withdrawable(SETTLEMENT, minute(9.99))


@pytest.mark.parametrize(
    "changed",
    [
        replace(SETTLEMENT, immediate=True),
        replace(SETTLEMENT, settlement_type=SettlementType.ONCHAIN, state=SettlementState.ONCHAIN),
        replace(SETTLEMENT, state=SettlementState.REJECTED),
    ],
)
def test_settlement_without_a_window_or_a_future_is_not_withdrawn(changed: Settlement) -> None:
    with pytest.raises(ConflictError) as error:
        rules.require_withdrawable(changed, NOW)
    assert error.value.name == "settlement_state"
    has_none = changed.state is not SettlementState.REJECTED
    assert ("no dispute window" in error.value.message) is has_none


@pytest.mark.parametrize(("state", "now"), [(WINDOW, minute(10)), (TOP_UP, minute(0))])
def test_settlement_is_not_withdrawn_after_its_window(state: SettlementState, now: datetime) -> None:
    with pytest.raises(UnprocessableError, match=r"ended at 2026-01-05T12:10:00\.000Z") as error:
        rules.require_withdrawable(replace(SETTLEMENT, state=state), now)
    assert error.value.name == "withdrawal_window_over"


def test_second_withdrawal_has_the_reason_of_the_first() -> None:
    withdrawn = replace(SETTLEMENT, withdrawn_reason="a slip")
    rules.require_same_withdrawal(withdrawn, "a slip")
    with pytest.raises(ConflictError) as error:
        rules.require_same_withdrawal(withdrawn, "another")
    assert error.value.name == "settlement_withdrawn"
    assert error.value.details == {"fields": ["reason"], "settlementId": str(SETTLEMENT.id)}


def test_closures_of_a_rejected_settlement_run_when_they_would_have_run() -> None:
    assert rules.closures_due_at(SETTLEMENT, minute(3)) == minute(15)
    assert rules.closures_due_at(SETTLEMENT, minute(16)) == minute(16)
    assert rules.closures_due_at(replace(SETTLEMENT, execute_when_funded=True), minute(3)) == minute(3)


def test_answer_after_a_retry_has_only_another_time() -> None:
    first = json.dumps({"settlement": {"id": "ä", "updatedAt": "before"}, "more": [1]})
    assert rules.answer_after_retry(first, NOW) == (
        '{"settlement":{"id":"ä","updatedAt":"2026-01-05T12:00:00.000Z"},"more":[1]}'
    )


def test_gap_is_what_is_missing_in_the_order_of_the_currencies() -> None:
    assert rules.funding_gaps({"a": 5, "c": 2}, {"c": -2, "b": -1, "a": -7, "d": 9}) == [
        FundingGap("a", 7, 5),
        FundingGap("b", 1, 0),
    ]


def candidate(settlement: Settlement, change: Mapping[str, int], *, transfers: int = 1) -> Candidate:
    return Candidate(settlement, transfers, in_dispute=False, paused=False, change=change)


def test_batch_ends_before_what_the_account_does_not_cover() -> None:
    one, two, three = (candidate(DUE, {"ofcbtc": quantity}) for quantity in (-3, 9, -3))
    assert rules.batch_of([one, two, three], {"ofcbtc": 6}) == [one, two, three]
    assert rules.batch_of([one, two, three], {"ofcbtc": 5}) == [one, two]
    assert rules.batch_of([one], {}) == []
    assert rules.batch_of([two], {}) == [two]


def test_gains_do_not_lengthen_a_batch() -> None:
    gain, loss = candidate(DUE, {"ofcbtc": 9}), candidate(DUE, {"ofcbtc": -1})
    assert rules.batch_of([gain, loss], {}) == [gain]


def test_batch_has_a_limit_of_transfers_and_keeps_to_what_is_plain() -> None:
    half = candidate(DUE, {}, transfers=rules.BATCH_TRANSFERS // 2)
    more = candidate(DUE, {}, transfers=rules.BATCH_TRANSFERS // 2 + 1)
    assert rules.batch_of([half, half], {}) == [half, half]
    assert rules.batch_of([half, more], {}) == [half]
    one = candidate(DUE, {})
    for other in (
        replace(one, in_dispute=True),
        replace(one, settlement=replace(DUE, attempts=1)),
        replace(one, settlement=replace(DUE, withdrawn_at=NOW)),
        replace(one, settlement=replace(DUE, state=SettlementState.FAILED)),
    ):
        assert rules.batch_of([one, other, one], {}) == [one]
    in_window = replace(one, settlement=SETTLEMENT)
    assert rules.batch_of([one, in_window], {}) == [one, in_window]


def test_what_is_due_before_the_following_settlement_executes_first() -> None:
    one = candidate(DUE, {})
    in_window = replace(one, settlement=replace(SETTLEMENT, due_at=minute(1)))
    of_no_time = replace(one, settlement=replace(DUE, due_at=None))
    batch = [one, replace(one, paused=True), in_window, of_no_time]
    assert rules.executed_before(batch, None, minute(15)) == [one]
    assert rules.executed_before(batch, None, minute(14.99)) == []
    later = replace(DUE, id=an_id(99))
    assert rules.executed_before(batch, later, minute(20)) == [one]
    assert rules.executed_before(batch, replace(DUE, created_at=minute(1)), minute(20)) == [one]
    for earlier in (DUE, replace(DUE, due_at=minute(14)), replace(later, created_at=minute(-1))):
        assert rules.executed_before(batch, earlier, minute(20)) == []
    with pytest.raises(AssertionError):
        rules.executed_before(batch, replace(DUE, due_at=None), minute(20))


def test_batch_has_settlements_as_they_are_now() -> None:
    one, two = candidate(DUE, {}), candidate(replace(DUE, id=an_id(99)), {"ofcbtc": 1})
    changed = replace(DUE, attempts=1)
    assert rules.with_settlements([one, two], [changed]) == [replace(one, settlement=changed), two]


def test_reasons_of_an_immediate_settlement_are_in_one_line() -> None:
    gaps = [FundingGap("ofcbtc", 7, 5), FundingGap("ofceth", 1, 0)]
    short = "the partner's account is short of ofcbtc by 2 (needs 7, has 5), ofceth by 1 (needs 1, has 0)"
    assert rules.failure_reason(gaps) == short
    assert rules.not_covered_reason(None, gaps) == short
    assert rules.not_covered_reason("connections", gaps) == f"connections; {short}"
    assert rules.not_covered_reason("connections", []) == "connections"
    assert [rules.uncovered(available, -7) for available in (6, 7, 8)] == [1, 0, 0]


def test_day_is_that_of_utc_wherever_the_host_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        _assert_days()
    time.tzset()


def _assert_days() -> None:
    begin = datetime(2026, 1, 5, tzinfo=UTC)
    day = (begin, begin + timedelta(days=1))
    east = timezone(timedelta(hours=5))
    assert rules.utc_day(datetime(2026, 1, 6, 4, 59, 59, 999, tzinfo=east)) == day
    assert rules.utc_day(begin) == day
    assert rules.utc_day(begin - timedelta(microseconds=1)) == (begin - timedelta(days=1), begin)


def test_losses_beyond_limits_are_named_and_counted() -> None:
    rules.require_within_loss_limits([], PermissionDeniedError)
    beyond = [LossBeyondLimit(an_id(number), "ofcbtc") for number in range(21)]
    with pytest.raises(PermissionDeniedError, match=rf"^connection {an_id(0)} .*allows and 20 more:") as error:
        rules.require_within_loss_limits(beyond, PermissionDeniedError)
    named = [{"connectionId": str(an_id(number)), "currency": "ofcbtc"} for number in range(20)]
    assert error.value.name == "loss_limit_exceeded"
    assert error.value.details == {"losses": named, "lossCount": 21}
    with pytest.raises(PermissionDeniedError, match="allows and 1 more: nothing was written"):
        rules.require_within_loss_limits(beyond[:2], PermissionDeniedError)
    with pytest.raises(UnprocessableError, match="allows: nothing was written"):
        rules.require_within_loss_limits(beyond[:1], UnprocessableError)
