"""What approving closures does to holds: the rules against the model, with random trades and disputes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from clearwindow.ledger.models import Balance, BalanceKey
from clearwindow.settlements.disputes import rules
from clearwindow.settlements.disputes.models import Dispute
from clearwindow.settlements.disputes.rules import OtherDispute
from clearwindow.settlements.transfers.models import Objections, Quantity
from tests.support.model import Key, Model, ModelDispute, ModelSettlement, Move, worst_case

NOW = datetime(2026, 1, 5, tzinfo=UTC)
IDS = {name: uuid4() for name in "abcd"}
NAMES = {account: name for name, account in IDS.items()}
QUANTITY = st.integers(-9, 9).filter(bool)
CURRENCY = st.sampled_from(["ofcbtc", "ofcusd"])
PAIR = st.permutations("abcd").map(lambda order: (order[0], order[1]))
TRADE = st.builds(lambda pair, name, given: Move(pair[0], pair[1], name, given), PAIR, CURRENCY, QUANTITY)
WITH_PARTNER = st.builds(Move, st.sampled_from("abcd"), st.none(), CURRENCY, QUANTITY)


@dataclass(frozen=True)
class End:
    """How a dispute is closed, and whether the settlement executes before that."""

    by_operator: bool
    adjusted: dict[str, int]
    executes_before: bool


ENDS = st.builds(End, st.booleans(), st.dictionaries(CURRENCY, QUANTITY), st.booleans())


@settings(max_examples=150, deadline=None)
@given(
    new=st.lists(TRADE, min_size=1, max_size=7) | st.lists(WITH_PARTNER, min_size=1, max_size=5),
    pulled_in=st.lists(TRADE | WITH_PARTNER, max_size=3),
    disputing=st.permutations("abcd").flatmap(lambda order: st.integers(1, 4).map(lambda count: order[:count])),
    ends=st.lists(ENDS, min_size=4, max_size=4),
    closing=st.permutations(range(4)),
    spare=st.dictionaries(st.tuples(st.sampled_from("abcd"), CURRENCY), st.integers(0, 12)),
)
def test_holds_agree_with_the_model_for_all_disputes_and_closures(
    new: list[Move],
    pulled_in: list[Move],
    disputing: list[str],
    ends: list[End],
    closing: list[int],
    spare: dict[Key, int],
) -> None:
    model = Model()
    model.partner.update(dict.fromkeys(["ofcbtc", "ofcusd"], 10**6))
    settlement = ModelSettlement("s", 0.0, new, pulled_in, due_at=10.0)
    for key in settlement.touched():
        held = settlement.held[key] = worst_case(new, pulled_in, key)
        model.accounts[key].held = held
    for key, quantity in spare.items():
        model.accounts[key].available = quantity
    model.settlements.append(settlement)
    for name in disputing:
        if settlement.takes_part(name):
            model.raise_dispute(settlement, name, str(uuid4()))
    model.advance(10)
    for number in closing:
        if number < len(model.disputes):
            if ends[number].executes_before and settlement.state == "top_up_window":
                model.advance(10)
            _close(model, model.disputes[number], ends[number])


def _close(model: Model, dispute: ModelDispute, end: End) -> None:
    settlement = dispute.settlement
    dispute.closed_by = "admin" if end.by_operator else "client"
    dispute.adjusted = end.adjusted if end.by_operator else model.original(dispute)
    standing = [one for one in settlement.standing() if one is not dispute]
    objections = Objections(
        {UUID(one.id): IDS[one.connection] for one in standing},
        frozenset(IDS[one.connection] for one in settlement.disputes.values() if one.upheld),
    )
    held = _balances(dispute.held)
    before = {one.id: (_balances(one.held), _targets(settlement, one)) for one in standing}
    available = {key: Balance(account.available, account.held) for key, account in _keyed(model).items()}
    short = model.approve(dispute)
    dispute.closure_status = "approved"
    others = [OtherDispute(UUID(one.id), *before[one.id], _targets(settlement, one)) for one in standing]
    if end.by_operator:
        quantities = rules.with_partner({name: str(quantity) for name, quantity in end.adjusted.items()})
    else:
        quantities = rules.running(_original(dispute), objections)
    needed = rules.needs(IDS[dispute.connection], quantities)
    change = rules.adjust_holds(_value(dispute), held, needed, others, available)
    assert {(NAMES[gap.account_id], gap.currency) for gap in change.shortfalls} == short
    if short:
        dispute.closure_status = None
        return
    after = _keyed(model)
    for moved in change.movements:
        now, was = after[moved.key], available[moved.key]
        assert (now.available - was.available, now.held - was.held) == (moved.available, moved.held)
    for one in (dispute, *standing):
        held_before = held if one is dispute else before[one.id][0]
        changed = {hold.key: hold.quantity for hold in change.holds if hold.cause_id == UUID(one.id)}
        assert {key: quantity for key, quantity in (held_before | changed).items() if quantity} == _balances(
            one.held
        )


def _original(dispute: ModelDispute) -> list[Quantity]:
    sums: dict[tuple[str | None, str], int] = {}
    for move in dispute.settlement.new:
        for (name, currency), other, quantity in move.sides():
            if name == dispute.connection:
                sums[other, currency] = sums.get((other, currency), 0) + quantity
    return [
        Quantity(*_side(other), currency, quantity) for (other, currency), quantity in sums.items() if quantity != 0
    ]


def _side(name: str | None) -> tuple[UUID | None, UUID | None]:
    account = None if name is None else IDS[name]
    return account, account


def _keyed(model: Model) -> dict[BalanceKey, Balance]:
    return {
        BalanceKey(IDS[name], currency): Balance(account.available, account.held)
        for (name, currency), account in model.accounts.items()
    }


def _balances(held: dict[Key, int]) -> dict[BalanceKey, int]:
    return {BalanceKey(IDS[name], currency): quantity for (name, currency), quantity in held.items() if quantity}


def _targets(settlement: ModelSettlement, dispute: ModelDispute) -> dict[BalanceKey, int]:
    return _balances({key: settlement.target(dispute, key) for key in settlement.touched()})


def _value(dispute: ModelDispute) -> Dispute:
    return Dispute(
        id=UUID(dispute.id),
        partner_id=uuid4(),
        settlement_id=uuid4(),
        connection_id=IDS[dispute.connection],
        user_id="u",
        reason=None,
        expected_transfers={},
        retracted=False,
        retracted_by=None,
        retracted_at=None,
        retracted_reason=None,
        settled_in_settlement_id=None,
        created_at=NOW,
        updated_at=NOW,
    )
