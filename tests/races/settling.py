"""Races of settlements: with the ends of windows, with money that comes or goes, with closures and with repeats."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

from tests.races.arena import PLENTY, Arena, Desk, accepted, either
from tests.support.networks import ok, sign_body
from tests.support.operators import make_key
from tests.support.settlements import (
    change_dispute,
    close_dispute,
    dispute,
    fields_of,
    post,
    post_withdrawal,
    stage,
    try_settle,
    try_stage,
    withdrawal,
)
from tests.support.top_ups import spare_account, standing_top_up

_QUANTITY = 10
_LATE = {"dispute_window_over": 422}
_NOT_COVERED = {"insufficient_funds": 422, "liabilities_exceed_balance": 422}


def dispute_at_the_last_moment(arena: Arena) -> str:
    desk = arena.desk("dispute")
    settlement, before = _staged(desk, -7), arena.funds(desk)
    raised, _ = arena.together(partial(dispute, desk.connection, settlement), arena.ending())
    disputed = accepted(raised, _LATE)
    arena.end_window()
    assert arena.state(settlement) == "completed"
    assert arena.funds(desk) == (before[0], before[1] if disputed else before[1] - 7)
    return "disputed" if disputed else "too late"


def retraction_at_the_last_moment(arena: Arena) -> str:
    desk = arena.desk("retraction")
    settlement, before = _staged(desk, -7), arena.funds(desk)
    raised = ok(dispute(desk.connection, settlement))["dispute"]["id"]
    retract = partial(change_dispute, desk.connection, raised, retracted=True)
    answer, _ = arena.together(retract, arena.ending())
    retracted = accepted(answer, _LATE)
    arena.end_window()
    assert arena.state(settlement) == "completed"
    assert arena.funds(desk) == (before[0], before[1] - 7 if retracted else before[1])
    return "retracted" if retracted else "too late"


def withdrawal_at_the_last_moment(arena: Arena) -> str:
    """A partner takes its settlement back, its client disputes it, and its window ends."""
    desk = arena.desk("withdrawal")
    settlement, before = _staged(desk, -7), arena.funds(desk)
    body = withdrawal(desk.partner, settlement)
    take_back = partial(post_withdrawal, desk.partner, settlement, body)
    taken, raised, _ = arena.together(take_back, partial(dispute, desk.connection, settlement), arena.ending())
    withdrawn = accepted(taken, {"withdrawal_window_over": 422})
    disputed = accepted(raised, {**_LATE, "settlement_rejected": 422, "settlement_withdrawn": 422})
    arena.end_window()
    assert arena.state(settlement) == ("rejected" if withdrawn else "completed")
    if withdrawn:
        # Nothing of it is held any more, and nothing has moved.
        assert arena.funds(desk) == (before[0] + 7, before[1] - 7)
        return "disputed, then withdrawn" if disputed else "withdrawn"
    assert arena.funds(desk) == (before[0], before[1] if disputed else before[1] - 7)
    return "disputed" if disputed else "neither"


def deposit_while_a_settlement_fails(arena: Arena) -> str:
    desk = arena.desk("deposit")
    settlement, before = _staged(desk, _QUANTITY), arena.funds(desk)
    arena.end_window()
    deposit = partial(arena.operator.move, "deposits", desk.account, "ofcbtc", _QUANTITY, uuid4().hex)
    answer, _ = arena.together(deposit, arena.end_window)
    ok(answer)
    arena.work()
    assert arena.state(settlement) == "completed"
    assert arena.funds(desk) == (before[0] + _QUANTITY, before[1])
    failures = arena.operator.events(enterpriseId=desk.partner.enterprise.id, types="settlement.failed", pageSize=1)
    failed = any(one["payload"]["settlementId"] == settlement for one in failures)
    return "failed and woken" if failed else "covered in time"


def deallocation_and_staging(arena: Arena) -> str:
    desk = _with_exactly(arena, "deallocation")
    leave = partial(desk.connection.deallocate, "ofcbtc", _QUANTITY)
    left, staged = arena.together(leave, partial(try_stage, desk.partner, {desk.connection.id: {"BTC": "-10"}}))
    outcome = either({"deallocated": accepted(left, _NOT_COVERED), "staged": accepted(staged, _NOT_COVERED)})
    assert arena.funds(desk) == ((0, 0) if outcome == "deallocated" else (0, _QUANTITY))
    arena.settle()
    assert arena.funds(desk) == (0, 0)
    return outcome


def deallocation_and_immediate_settlement(arena: Arena) -> str:
    desk = _with_exactly(arena, "immediate", dispute_window=None, top_up_window=None)
    leave = partial(desk.connection.deallocate, "ofcbtc", _QUANTITY)
    left, settled = arena.together(leave, partial(try_settle, desk.partner, {desk.connection.id: {"BTC": "-10"}}))
    done = settled.status_code == 200
    assert done or (settled.status_code, settled.json()["settlement"]["status"]) == (401, "failed"), settled.text
    outcome = either({"deallocated": accepted(left, _NOT_COVERED), "settled": done})
    assert arena.funds(desk) == (0, 0)
    return outcome


def two_stagings_of_the_same_funds(arena: Arena) -> str:
    desk = _with_exactly(arena, "stagings")
    call = partial(try_stage, desk.partner, {desk.connection.id: {"BTC": "-10"}})
    answers = arena.together(call, call)
    outcome = either({name: accepted(answers[one], _NOT_COVERED) for one, name in enumerate(("first", "second"))})
    assert arena.funds(desk) == (0, _QUANTITY)
    arena.settle()
    return outcome


def approval_of_a_closure_and_staging(arena: Arena) -> str:
    """This settlement takes the closure, or the next one does."""
    desk = arena.desk("closure")
    left = arena.memory.pop("closure", set())
    first = stage(desk.partner, {desk.connection.id: {"BTC": "-7"}})
    assert {one["id"] for one in first["settlingDisputes"]} == left
    disputed = ok(dispute(desk.connection, first["id"]))["dispute"]["id"]
    arena.settle()
    before = arena.funds(desk)
    closure = ok(close_dispute(desk.connection, disputed))["disputeClosure"]["id"]
    decision = {"decision": "approved", "notes": "seen"}
    review = partial(arena.second.post, f"/dispute-closures/{closure}/review", decision)
    reviewed, staged = arena.together(review, partial(stage, desk.partner, {desk.connection.id: {"BTC": "-1"}}))
    ok(reviewed)
    taken = {one["id"] for one in staged["settlingDisputes"]}
    assert taken in (set(), {disputed})
    arena.settle()
    # Its loss was held since its settlement was staged, and is until another has carried it out.
    assert arena.funds(desk) == (before[0] - 1, before[1] - (7 if taken else 0))
    arena.memory["closure"] = {disputed} - taken
    return "taken" if taken else "left to the next"


def rejection_and_the_end_of_the_window(arena: Arena) -> str:
    desk = arena.desk("rejection")
    settlement, before = _staged(desk, -7), arena.funds(desk)
    arena.end_window()
    reject = partial(arena.operator.post, f"/settlements/{settlement}/reject")
    answer, _ = arena.together(reject, arena.end_window)
    rejected = accepted(answer, {"settlement_state": 409})
    arena.work()
    assert arena.state(settlement) == ("rejected" if rejected else "completed")
    assert arena.funds(desk) == (before[0] + (7 if rejected else 0), before[1] - 7)
    return "rejected" if rejected else "completed"


def the_same_bytes_twice(arena: Arena) -> str:
    desk = arena.desk("repeat")
    body, before = (
        desk.partner.enterprise.sign(fields_of({desk.connection.id: {"BTC": "-7"}})),
        arena.funds(desk),
    )
    answers = arena.together(partial(post, desk.partner, body), partial(post, desk.partner, body))
    assert len({ok(answer)["settlement"]["id"] for answer in answers}) == 1
    made = [answer.headers.get("Idempotent-Replayed") is None for answer in answers]
    assert arena.funds(desk) == (before[0] - 7, before[1] + 7)
    arena.settle()
    return either({"the first made it": made[0], "the second made it": made[1]})


def one_external_id_twice(arena: Arena) -> str:
    desk, external = arena.desk("external"), uuid4().hex
    before = arena.funds(desk)
    calls = [
        partial(try_stage, desk.partner, {desk.connection.id: {"BTC": str(-quantity)}}, externalId=external)
        for quantity in (3, 5)
    ]
    three, five = (accepted(answer, {"external_id_taken": 409}) for answer in arena.together(*calls))
    outcome = either({"three": three, "five": five})
    held = 3 if three else 5
    assert arena.funds(desk) == (before[0] - held, before[1] + held)
    arena.settle()
    return outcome


def revocation_of_a_key_and_staging(arena: Arena) -> str:
    desk = arena.desk("key")
    account = desk.partner.enterprise.account
    former, former_id = arena.memory.get("key", (account.key, account.key_id))
    arena.memory["keys"] = arena.memory.get("keys", 5_000_000) + 1
    new = make_key(arena.memory["keys"])
    made = ok(arena.operator.post(f"/go-accounts/{account.id}/keys", {"pub": new.xpub}))["key"]["id"]
    body = sign_body(fields_of({desk.connection.id: {"BTC": "-7"}}), former)
    before = arena.funds(desk)
    staged, revoked = arena.together(
        partial(post, desk.partner, body),
        partial(arena.operator.delete, f"/go-accounts/{account.id}/keys/{former_id}"),
    )
    assert revoked.status_code == 204
    signed = accepted(staged, {"signature_invalid": 401})
    assert arena.funds(desk) == ((before[0] - 7, before[1] + 7) if signed else before)
    arena.memory["key"] = new, made
    arena.settle()
    return "staged" if signed else "refused"


def standing_top_up_and_withdrawal(arena: Arena) -> str:
    """A settlement draws on another account of its partner, from which an operator withdraws."""
    desk = arena.desk("top-up")
    if "spare" not in arena.memory:
        arena.memory["spare"] = spare_account(arena.testbed, desk.partner)
        standing_top_up(desk.partner, arena.memory["spare"], perSettlement=str(PLENTY))
    spare: str = arena.memory["spare"]
    arena.operator.deposit(spare, "ofcbtc", _QUANTITY, uuid4().hex)
    settlement, before = _staged(desk, _QUANTITY), arena.funds(desk)
    arena.end_window()
    withdraw = partial(arena.operator.move, "withdrawals", spare, "ofcbtc", _QUANTITY, uuid4().hex)
    answer, _ = arena.together(withdraw, arena.end_window)
    withdrawn = accepted(answer, _NOT_COVERED)
    assert arena.state(settlement) == ("failed" if withdrawn else "completed")
    assert arena.operator.balances(spare)["ofcbtc"] == (0, 0)
    if withdrawn:
        ok(arena.operator.post(f"/settlements/{settlement}/reject"))
    assert arena.funds(desk) == (before[0] + (0 if withdrawn else _QUANTITY), before[1])
    return "withdrawn" if withdrawn else "topped up"


def two_workers_at_one_settlement(arena: Arena) -> str:
    desk = arena.desk("workers")
    settlement, before = _staged(desk, -7), arena.funds(desk)
    arena.end_window()
    arena.testbed.clock.advance(minutes=10)
    done = arena.together(arena.work, arena.work)
    arena.work()
    assert arena.state(settlement) == "completed"
    assert arena.funds(desk) == (before[0], before[1] - 7)
    return either({"the first": done[0] >= done[1] and done[0] > 0, "the second": done[1] > done[0]})


def _staged(desk: Desk, quantity: int) -> str:
    return str(stage(desk.partner, {desk.connection.id: {"BTC": str(quantity)}})["id"])


def _with_exactly(arena: Arena, name: str, **terms: Any) -> Desk:  # noqa: ANN401 - a partner's terms
    """Returns a desk whose client has exactly the quantity that both actors want."""
    desk = arena.desk(name, allocated=0, **terms)
    ok(desk.connection.allocate("ofcbtc", _QUANTITY))
    return desk


def everything_at_one_partner(arena: Arena) -> str:
    """Any three acts at one partner. Nothing is expected but whole books, and that nobody waits in a circle."""
    desk = arena.desk("everything")
    open_one = _staged(desk, -7)
    calls: dict[str, Callable[[], object]] = {
        "staging": partial(try_stage, desk.partner, {desk.connection.id: {"BTC": "-3"}}),
        "gain": partial(try_stage, desk.partner, {desk.connection.id: {"BTC": "2"}}),
        "allocation": partial(desk.connection.allocate, "ofcbtc", 5),
        "deallocation": partial(desk.connection.deallocate, "ofcbtc", 5),
        "deposit": partial(arena.operator.move, "deposits", desk.account, "ofcbtc", 2, uuid4().hex),
        "dispute": partial(dispute, desk.connection, open_one),
        "withdrawal": partial(post_withdrawal, desk.partner, open_one, withdrawal(desk.partner, open_one)),
        "rejection": partial(arena.operator.post, f"/settlements/{open_one}/reject"),
        "end of a window": arena.end_window,
    }
    chosen = arena.random.sample(sorted(calls), 3)
    answers = arena.together(*(calls[name] for name in chosen))
    statuses = {name: getattr(answer, "status_code", 200) for name, answer in zip(chosen, answers, strict=True)}
    assert set(statuses.values()) <= {200, 202, 409, 422}, statuses
    arena.settle()
    refused = sum(status >= 400 for status in statuses.values())
    return "all accepted" if refused == 0 else "some refused"
