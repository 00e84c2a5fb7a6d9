"""When a dispute is raised, changed, closed and reviewed, and when not, without a database. Protocol §6."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

import pytest

from clearwindow.core.errors import ConflictError, InvalidRequestError, PermissionDeniedError, UnprocessableError
from clearwindow.identity.models import Hands
from clearwindow.ledger.models import Balance, BalanceKey, Hold, HoldCause, Movement, Shortfall
from clearwindow.settlements.disputes import rules
from clearwindow.settlements.disputes.models import ClosedBy, Closure, ClosureStatus, RaisedWith
from clearwindow.settlements.disputes.rules import Closing, HoldChange, OtherDispute, Paying
from clearwindow.settlements.transfers.models import Objections, Quantity
from tests.support.prototypes import CLOSURE, CONNECTION, DISPUTE, NOW, PARTNER, PARTY, SETTLEMENT, an_id, minute

ENDED = replace(PARTY, disputed=True)
APPROVED = replace(CLOSURE, status=ClosureStatus.APPROVED)
ACCOUNT, OTHER_ACCOUNT = an_id(30), an_id(31)
BTC, ETH = BalanceKey(ACCOUNT, "ofcbtc"), BalanceKey(ACCOUNT, "ofceth")


def test_amounts_are_taken_by_our_names() -> None:
    assert rules.canonical_amounts({"btc": "5", "ofceth": "-7"}, ["ofcbtc", "ofceth"]) == {
        "ofcbtc": 5,
        "ofceth": -7,
    }
    with pytest.raises(InvalidRequestError, match=r"^doge: no such currency") as error:
        rules.canonical_amounts({"doge": "5"}, ["ofcbtc"])
    assert error.value.name == "currency_unknown"
    with pytest.raises(InvalidRequestError, match=r"^ofcbtc: ofcbtc is given twice") as error:
        rules.canonical_amounts({"btc": "5", "ofcbtc": "5"}, ["ofcbtc"])
    assert error.value.name == "currency_twice"


def test_rejected_settlement_has_nothing_to_dispute() -> None:
    rules.require_not_rejected(rejected=False)
    with pytest.raises(UnprocessableError) as error:
        rules.require_not_rejected(rejected=True)
    assert error.value.name == "settlement_rejected"


PAYING = {"ofcbtc": Paying(custody=10, connection=4), "ofceth": Paying(custody=1, connection=2)}


@pytest.mark.parametrize(
    "adjusted", [{"ofcbtc": 13}, {"ofcbtc": -7}, {"ofceth": 1}, {"ofceth": -2}, {"ofcbtc": 0}, {}]
)
def test_adjustment_that_somebody_can_pay(adjusted: dict[str, int]) -> None:
    rules.require_carriable(adjusted, {"ofcbtc": 3}, PAYING)


def test_adjustments_that_nobody_can_pay_are_all_named() -> None:
    with pytest.raises(UnprocessableError, match=r"^ofcbtc: 14 is more than there is in custody \(10\)") as error:
        rules.require_carriable({"ofceth": -3, "ofcbtc": 14}, {"ofcbtc": 3}, PAYING)
    assert "the settlement moves (3) together" in error.value.message
    assert error.value.name == "adjustment_out_of_reach"
    of_btc = {
        "currency": "ofcbtc",
        "adjusted": "14",
        "account": "custody",
        "balance": "10",
        "settlementAmounts": "3",
    }
    of_eth = {
        "currency": "ofceth",
        "adjusted": "-3",
        "account": "connection",
        "balance": "2",
        "settlementAmounts": "0",
    }
    assert error.value.details == {"adjustments": [of_btc, of_eth]}
    with pytest.raises(UnprocessableError, match=r"^ofcbtc: -8 is more than there is on the connection \(4\)"):
        rules.require_carriable({"ofcbtc": -8}, {"ofcbtc": 3}, PAYING)


def test_adjustment_of_one_unit_is_paid_by_custody() -> None:
    rules.require_carriable({"ofcbtc": 1}, {}, {"ofcbtc": Paying(custody=1, connection=0)})
    with pytest.raises(UnprocessableError, match=r"^ofcbtc: 1 is more than there is in custody \(0\)") as error:
        rules.require_carriable({"ofcbtc": 1}, {}, {"ofcbtc": Paying(custody=0, connection=5)})
    refused = {
        "currency": "ofcbtc",
        "adjusted": "1",
        "account": "custody",
        "balance": "0",
        "settlementAmounts": "0",
    }
    assert error.value.details == {"adjustments": [refused]}


def test_only_a_closure_that_was_taken_and_has_not_run_is_cancelled() -> None:
    taken = replace(DISPUTE, settled_in_settlement_id=SETTLEMENT.id)
    rules.require_cancellable(APPROVED, taken, ran=False)
    with pytest.raises(ConflictError, match="the closure is approved and no settlement has taken it") as error:
        rules.require_cancellable(APPROVED, DISPUTE, ran=False)
    assert error.value.name == "closure_not_taken"
    with pytest.raises(ConflictError, match=f"the settlement {SETTLEMENT.id} has carried out") as error:
        rules.require_cancellable(APPROVED, taken, ran=True)
    assert error.value.name == "closure_settled"


def test_second_dispute_must_be_the_first_one() -> None:
    first = RaisedWith("wrong", {"ofcbtc": "5"})
    assert rules.differing_fields(first, first) == []
    rules.require_same_request(DISPUTE, first, first)
    for asked, fields in (
        (replace(first, reason=None), ["reason"]),
        (replace(first, expected_transfers={}), ["expectedTransfers"]),
        (RaisedWith(None, {}), ["reason", "expectedTransfers"]),
    ):
        assert rules.differing_fields(first, asked) == fields
        with pytest.raises(ConflictError, match=f"^connectionId: .* dispute {DISPUTE.id}") as error:
            rules.require_same_request(DISPUTE, first, asked)
        assert error.value.name == "dispute_exists"
        assert error.value.details == {"fields": fields, "disputeId": str(DISPUTE.id)}
    with pytest.raises(ConflictError) as error:
        rules.require_same_request(DISPUTE, None, first)
    assert error.value.name == "dispute_exists"
    assert error.value.details == {"fields": [], "disputeId": str(DISPUTE.id)}


def test_second_closing_must_be_the_first_one() -> None:
    rules.require_same_closing(CLOSURE, "agreed")
    with pytest.raises(ConflictError, match=f"^disputeId: .* closure {CLOSURE.id}") as error:
        rules.require_same_closing(CLOSURE, "other")
    assert error.value.name == "dispute_closed"
    assert error.value.details == {"fields": ["notes"], "closureId": str(CLOSURE.id)}
    with pytest.raises(ConflictError, match=f"the closure {CLOSURE.id}, which is pending_review") as error:
        rules.require_same_closing(replace(CLOSURE, closed_by=ClosedBy.OPERATOR), "agreed")
    assert (error.value.name, error.value.details) == ("dispute_closed", None)


def test_dispute_is_raised_inside_the_window() -> None:
    rules.require_disputable(PARTY, minute(9.99))
    for party, now in ((PARTY, minute(10)), (ENDED, minute(1))):
        with pytest.raises(UnprocessableError, match=r"ended at 2026-01-05T12:10:00\.000Z") as error:
            rules.require_disputable(party, now)
        assert error.value.name == "dispute_window_over"
        assert error.value.details == {"disputeDeadlineAt": "2026-01-05T12:10:00.000Z"}
    with pytest.raises(UnprocessableError) as error:
        rules.require_disputable(replace(PARTY, has_new_transfers=False), NOW)
    assert error.value.name == "nothing_to_dispute"


def test_change_of_a_dispute_changes_something() -> None:
    retracted = replace(DISPUTE, retracted=True)
    rules.require_change(DISPUTE, retracted=True, has_new_expectation=False)
    rules.require_change(DISPUTE, retracted=False, has_new_expectation=True)
    rules.require_change(retracted, retracted=False, has_new_expectation=False)
    with pytest.raises(ConflictError, match="is not retracted already") as error:
        rules.require_change(DISPUTE, retracted=False, has_new_expectation=False)
    assert error.value.name == "dispute_unchanged"
    with pytest.raises(ConflictError, match="is retracted already"):
        rules.require_change(retracted, retracted=True, has_new_expectation=True)


def test_dispute_is_closed_once_after_its_window() -> None:
    rules.require_closable(DISPUTE, ENDED, None, minute(10))
    with pytest.raises(ConflictError, match="nothing to close") as error:
        rules.require_closable(replace(DISPUTE, retracted=True), ENDED, None, minute(10))
    assert error.value.name == "dispute_retracted"
    with pytest.raises(ConflictError, match=f"the closure {CLOSURE.id}, which is pending_review") as error:
        rules.require_closable(DISPUTE, ENDED, CLOSURE, minute(10))
    assert error.value.name == "dispute_closed"
    with pytest.raises(ConflictError, match=r"until 2026-01-05T12:10:00\.000Z") as error:
        rules.require_closable(DISPUTE, ENDED, None, minute(9.99))
    assert error.value.name == "dispute_window_open"
    with pytest.raises(ConflictError) as error:
        rules.require_closable(DISPUTE, PARTY, None, minute(10))
    assert error.value.name == "settlement_finalising"


OF_OPERATOR = replace(CLOSURE, closed_by=ClosedBy.OPERATOR, user_id=str(an_id(41)), token_made_by=an_id(42))


@pytest.mark.parametrize("decision", [ClosureStatus.APPROVED, ClosureStatus.REJECTED])
def test_another_operator_reviews(decision: ClosureStatus) -> None:
    rules.require_reviewable(CLOSURE, [an_id(42)], Hands(an_id(41)), decision)
    rules.require_reviewable(OF_OPERATOR, [], Hands(an_id(43), an_id(44)), decision)


@pytest.mark.parametrize("reviewer", [Hands(an_id(41)), Hands(an_id(43), an_id(41)), Hands(an_id(42))])
def test_nobody_reviews_its_own_closure(reviewer: Hands) -> None:
    with pytest.raises(PermissionDeniedError, match="its own closure") as error:
        rules.require_reviewable(OF_OPERATOR, [], reviewer, ClosureStatus.APPROVED)
    assert error.value.name == "four_eyes"


@pytest.mark.parametrize("closure", [CLOSURE, OF_OPERATOR])
@pytest.mark.parametrize("reviewer", [Hands(an_id(45)), Hands(an_id(46), an_id(45))])
def test_who_can_act_as_the_client_does_not_review(closure: Closure, reviewer: Hands) -> None:
    with pytest.raises(PermissionDeniedError, match="with which the client acted") as error:
        rules.require_reviewable(closure, [an_id(47), an_id(45)], reviewer, ClosureStatus.APPROVED)
    assert error.value.name == "four_eyes"


@pytest.mark.parametrize("status", ClosureStatus)
@pytest.mark.parametrize("decision", ClosureStatus)
def test_closure_is_reviewed_once(status: ClosureStatus, decision: ClosureStatus) -> None:
    closure = replace(CLOSURE, status=status)
    if status is ClosureStatus.PENDING_REVIEW and decision is not ClosureStatus.PENDING_REVIEW:
        rules.require_reviewable(closure, [], Hands(an_id(41)), decision)
        return
    with pytest.raises(ConflictError, match=f"the closure is {status} already") as error:
        rules.require_reviewable(closure, [], Hands(an_id(41)), decision)
    assert error.value.name == "closure_reviewed"


@pytest.mark.parametrize(
    ("adjusted", "claimed", "beyond"),
    [
        ({"ofcbtc": 5}, {"ofcbtc": "5"}, []),
        ({"ofcbtc": 6, "ofceth": 0}, {"ofcbtc": "5"}, ["ofcbtc"]),
        ({"ofceth": 1, "ofcbtc": -4}, {"ofcbtc": "-5"}, ["ofcbtc", "ofceth"]),
    ],
)
def test_closure_beyond_the_claim_needs_words(
    adjusted: Mapping[str, int], claimed: Mapping[str, str], beyond: list[str]
) -> None:
    assert rules.beyond_claim(adjusted, claimed) == beyond
    rules.require_written_reason(beyond, "as agreed")
    rules.require_written_reason([], "")
    if beyond:
        with pytest.raises(InvalidRequestError, match=rf"^notes: .* more {', '.join(beyond)} than") as error:
            rules.require_written_reason(beyond, " - .")
        assert (error.value.name, error.value.details) == ("reason_missing", {"currencies": beyond})


def test_new_closure_waits_for_its_review() -> None:
    closing = Closing(
        ClosedBy.OPERATOR,
        "41",
        "as agreed",
        {"ofcbtc": 5},
        b"hash",
        token_made_by=an_id(42),
        claimed={"ofcbtc": "4"},
    )
    assert rules.new_closure(an_id(50), DISPUTE, closing, minute(1)) == Closure(
        id=an_id(50),
        partner_id=PARTNER.id,
        dispute_id=DISPUTE.id,
        status=ClosureStatus.PENDING_REVIEW,
        closed_by=ClosedBy.OPERATOR,
        user_id="41",
        notes="as agreed",
        adjusted_transfers={"ofcbtc": "5"},
        request_sha256=b"hash",
        reviewed_by=None,
        review_notes=None,
        reviewed_at=None,
        created_at=minute(1),
        updated_at=minute(1),
        token_made_by=an_id(42),
        claimed_transfers={"ofcbtc": "4"},
    )


def between(counterparty: UUID | None, currency: str, quantity: int) -> Quantity:
    return Quantity(counterparty, None if counterparty is None else OTHER_ACCOUNT, currency, quantity)


def test_sums_are_by_currency_and_without_zeros() -> None:
    given = [between(None, "ofceth", 5), between(CONNECTION.id, "ofceth", -7), between(None, "ofcbtc", 3)]
    assert rules.sums(given) == {"ofcbtc": 3, "ofceth": -2}
    assert list(rules.sums(given)) == ["ofcbtc", "ofceth"]
    assert rules.sums([*given, between(None, "ofcbtc", -3)]) == {"ofceth": -2}
    assert rules.as_texts({"ofcbtc": -3}) == {"ofcbtc": "-3"}


def test_adjustment_of_an_operator_is_with_the_partner() -> None:
    assert rules.with_partner({"ofcbtc": "-3"}) == [Quantity(None, None, "ofcbtc", -3)]


def test_what_another_dispute_or_adjustment_stops_does_not_run() -> None:
    disputed, upheld, free = (between(an_id(number), "ofcbtc", 1) for number in (61, 62, 63))
    objections = Objections({an_id(70): an_id(61)}, frozenset({an_id(62)}))
    to_partner = between(None, "ofcbtc", 1)
    assert rules.running([disputed, upheld, free, to_partner], objections) == [free, to_partner]


def test_both_sides_of_a_transfer_are_counted() -> None:
    given = [between(None, "ofcbtc", -5), between(an_id(61), "ofcbtc", 3), between(an_id(61), "ofcbtc", 4)]
    theirs = BalanceKey(OTHER_ACCOUNT, "ofcbtc")
    assert rules.needs(ACCOUNT, given) == {BTC: 0, theirs: 7}
    assert rules.needs(ACCOUNT, [*given, between(None, "ofcbtc", -4)]) == {BTC: 2, theirs: 7}
    assert rules.needs(ACCOUNT, [between(an_id(61), "ofcbtc", -3)]) == {BTC: 3, theirs: 0}


def hold(dispute_id: UUID, key: BalanceKey, quantity: int) -> Hold:
    return Hold(HoldCause.DISPUTE, dispute_id, PARTNER.id, key, quantity)


def test_rest_of_a_hold_becomes_available() -> None:
    assert rules.adjust_holds(DISPUTE, {BTC: 7, ETH: 2}, {BTC: 3, ETH: 2}, [], {}) == HoldChange(
        [Movement(BTC, available=4, held=-4)], [hold(DISPUTE.id, BTC, 3)], []
    )


@pytest.mark.parametrize(("available", "short"), [(2, []), (1, [Shortfall(ACCOUNT, "ofcbtc", 5, 4)])])
def test_loss_beyond_the_hold_comes_from_what_is_available(available: int, short: list[Shortfall]) -> None:
    change = rules.adjust_holds(DISPUTE, {BTC: 3}, {BTC: 5}, [], {BTC: Balance(available, 3)})
    assert change == HoldChange([Movement(BTC, available=-2, held=2)], [hold(DISPUTE.id, BTC, 5)], short)


def test_balance_without_a_row_has_nothing() -> None:
    change = rules.adjust_holds(DISPUTE, {}, {BTC: 1}, [], {})
    assert change.shortfalls == [Shortfall(ACCOUNT, "ofcbtc", 1, 0)]


def test_what_is_free_goes_to_other_disputes_in_their_order() -> None:
    first = OtherDispute(an_id(81), {BTC: 1}, {BTC: 1}, {BTC: 4})
    second = OtherDispute(an_id(82), {}, {}, {BTC: 4})
    less = OtherDispute(an_id(83), {ETH: 5}, {ETH: 5}, {ETH: 2})
    change = rules.adjust_holds(DISPUTE, {BTC: 5}, {}, [first, second, less], {})
    assert change.shortfalls == []
    assert change.movements == [Movement(ETH, available=3, held=-3)]
    assert change.holds == [
        hold(DISPUTE.id, BTC, 0),
        hold(first.id, BTC, 4),
        hold(second.id, BTC, 2),
        hold(less.id, ETH, 2),
    ]


def test_dispute_that_has_not_got_all_keeps_what_it_has() -> None:
    waits = OtherDispute(an_id(81), {BTC: 1}, {BTC: 3}, {BTC: 3})
    smaller = OtherDispute(an_id(82), {BTC: 1}, {BTC: 3}, {BTC: 2})
    assert waits.changes() == set()
    assert smaller.changes() == {BTC}
    assert OtherDispute(an_id(83), {}, {BTC: 1}, {ETH: 1}).changes() == {BTC, ETH}
    assert OtherDispute(an_id(83), {}, {BTC: 0}, {}).changes() == set()
    assert OtherDispute(an_id(83), {}, {}, {BTC: 0}).changes() == set()
    assert rules.adjust_holds(DISPUTE, {}, {}, [waits, smaller], {}) == HoldChange([], [], [])


@pytest.mark.parametrize(("needed", "gets"), [(3, 2), (5, 0), (0, 4)])
def test_other_dispute_gets_only_what_is_free(needed: int, gets: int) -> None:
    other = OtherDispute(an_id(81), {}, {}, {BTC: 4})
    change = rules.adjust_holds(DISPUTE, {BTC: 5}, {BTC: needed}, [other], {})
    assert {each.cause_id: each.quantity for each in change.holds}.get(other.id, 0) == gets
    assert sum(each.held for each in change.movements) == needed + gets - 5


def test_balances_are_locked_in_one_order() -> None:
    other = BalanceKey(OTHER_ACCOUNT, "ofcbtc")
    changed = OtherDispute(an_id(81), {}, {}, {other: 1})
    assert rules.touched({ETH: 1}, {BTC: 1}, [changed]) == sorted([BTC, ETH, other])
