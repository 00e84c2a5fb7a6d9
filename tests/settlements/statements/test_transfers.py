"""What is read of a settlement's transfers and parties is read of this settlement, and of no other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from clearwindow.postgres.pool import Transaction
from clearwindow.settlements.transfers import store
from clearwindow.settlements.transfers.models import (
    AmountArrays,
    Direction,
    DisputeTarget,
    FinalAmount,
    Objections,
    Quantity,
    Run,
    TransferFilter,
    TransferSearch,
)
from tests.conftest import START
from tests.settlements.statements import rows

FIRST, SECOND, PARTNER, OTHER_PARTNER, CLOSURE, CANCELLED = (UUID(int=number) for number in range(1, 7))
ANN, BOB, CAT, DAN = (UUID(int=number) for number in range(11, 15))
HOUR = timedelta(hours=1)


@pytest.fixture
def both(tx: Transaction) -> dict[str, UUID]:
    """Two settlements of two partners, with the transfers of a closure each. Returns the ids of the transfers.

    Dan disputes the first. Bob disputes the second.
    """
    rows.settlement(tx, PARTNER, id=FIRST, state="top_up_window", initiated_by="anna")
    rows.settlement(tx, OTHER_PARTNER, id=SECOND, state="failed", initiated_by="berta", updated_at=START + HOUR)
    for one, disputed in ((FIRST, DAN), (SECOND, BOB)):
        for connection in (ANN, BOB, CAT, DAN):
            rows.party(tx, one, connection, disputed=connection == disputed)
    of = {FIRST: {"partner_id": PARTNER}, SECOND: {"partner_id": OTHER_PARTNER}}
    return {
        "ann": rows.transfer(tx, FIRST, ANN, -5, **of[FIRST]),
        "ann again": rows.transfer(tx, FIRST, ANN, 2, **of[FIRST]),
        "ann eth": rows.transfer(tx, FIRST, ANN, 4, currency="ofceth", **of[FIRST]),
        "ann to bob": rows.transfer(tx, FIRST, ANN, -7, counterparty_connection_id=BOB, **of[FIRST]),
        "dan to cat": rows.transfer(tx, FIRST, DAN, -9, counterparty_connection_id=CAT, **of[FIRST]),
        "dan": rows.transfer(tx, FIRST, DAN, -1, **of[FIRST]),
        "closed": rows.transfer(tx, FIRST, CAT, -3, dispute_closure_id=CLOSURE, **of[FIRST]),
        "closed to ann": rows.transfer(
            tx, FIRST, CAT, -6, dispute_closure_id=CLOSURE, counterparty_connection_id=ANN, **of[FIRST]
        ),
        "second": rows.transfer(tx, SECOND, ANN, 100, **of[SECOND]),
        "second eth": rows.transfer(tx, SECOND, CAT, -200, currency="ofceth", **of[SECOND]),
        "second to ann": rows.transfer(tx, SECOND, DAN, -300, counterparty_connection_id=ANN, **of[SECOND]),
        "second closed": rows.transfer(tx, SECOND, BOB, -400, dispute_closure_id=CANCELLED, **of[SECOND]),
    }


def transfers(tx: Transaction, both: dict[str, UUID], settlement_id: UUID, filters: TransferFilter) -> set[str]:
    """Returns the names of the transfers that a list has. The count and the export must say the same."""
    names = {transfer_id: name for name, transfer_id in both.items()}
    found, total = store.list_transfers(tx, settlement_id, filters)
    whole = store.list_whole(tx, settlement_id, filters, TransferSearch().part)
    assert {each.id for each in whole.items} == {each.id for each in found}
    assert total == len(found)
    return {names[each.id] for each in found}


FIRST_ALL = {"ann", "ann again", "ann eth", "ann to bob", "dan to cat", "dan", "closed", "closed to ann"}
OF_PARTNER = {"ann", "ann again", "ann eth", "dan", "closed"}


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({}, FIRST_ALL),
        ({"own_connection_ids": [BOB]}, {"ann to bob"}),
        ({"own_connection_ids": [DAN]}, {"dan to cat", "dan"}),
        ({"own_connection_ids": [CAT, BOB]}, {"ann to bob", "dan to cat", "closed", "closed to ann"}),
        ({"connection_ids": [DAN]}, {"dan to cat", "dan"}),
        ({"connection_ids": [BOB]}, set()),
        ({"counterparty_connection_ids": [BOB]}, {"ann to bob"}),
        ({"counterparty_connection_ids": [], "from_partner": True}, OF_PARTNER),
        ({"counterparty_connection_ids": [CAT], "from_partner": True}, OF_PARTNER | {"dan to cat"}),
        ({"from_partner": True}, FIRST_ALL),
        ({"account_ids": [DAN]}, {"dan to cat", "dan"}),
        ({"counterparty_account_ids": [ANN, CAT]}, {"closed to ann", "dan to cat"}),
        ({"currencies": ["ofceth"]}, {"ann eth"}),
        ({"currencies": ["ofcbtc"], "connection_ids": [ANN]}, {"ann", "ann again", "ann to bob"}),
    ],
)
def test_list_count_and_export_have_what_the_filters_say(
    tx: Transaction, both: dict[str, UUID], wanted: dict[str, Any], names: set[str]
) -> None:
    assert transfers(tx, both, FIRST, TransferFilter(**wanted)) == names


def test_list_is_of_its_settlement(tx: Transaction, both: dict[str, UUID]) -> None:
    assert transfers(tx, both, SECOND, TransferFilter()) == {
        "second",
        "second eth",
        "second to ann",
        "second closed",
    }
    assert transfers(tx, both, uuid4(), TransferFilter()) == set()


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({"own_connection_ids": [ANN]}, {*FIRST_ALL, "second", "second to ann"} - {"dan to cat", "dan", "closed"}),
        ({"own_connection_ids": [BOB]}, {"ann to bob", "second closed"}),
        ({"own_connection_ids": [BOB, DAN], "settlement_ids": [FIRST]}, {"ann to bob", "dan to cat", "dan"}),
        ({"own_connection_ids": []}, set()),
        ({"own_connection_ids": [CAT], "partner_ids": [OTHER_PARTNER]}, {"second eth"}),
        ({"own_connection_ids": [CAT], "settlement_states": ["failed"]}, {"second eth"}),
        ({"own_connection_ids": [CAT], "initiated_by": ["berta"]}, {"second eth"}),
        ({"own_connection_ids": [CAT], "initiated_by": ["anna"]}, {"dan to cat", "closed", "closed to ann"}),
        ({"own_connection_ids": [CAT], "settlement_updated_on_or_after": START + HOUR}, {"second eth"}),
        (
            {"own_connection_ids": [CAT], "settlement_updated_before": START + HOUR},
            {"dan to cat", "closed", "closed to ann"},
        ),
        ({"own_connection_ids": [CAT], "currencies": ["ofceth"]}, {"second eth"}),
        ({"own_connection_ids": [CAT], "statuses": ["disputed"]}, {"dan to cat"}),
    ],
)
def test_search_has_both_sides_and_what_the_filters_say(
    tx: Transaction, both: dict[str, UUID], wanted: dict[str, Any], names: set[str]
) -> None:
    found = store.search(tx, TransferSearch(**wanted))
    assert {each.id for each in found.items} == {both[name] for name in names}


def test_transfers_of_closures(tx: Transaction, both: dict[str, UUID]) -> None:
    found = store.closure_transfers(tx, [CLOSURE, uuid4()])
    assert {each.id for each in found} == {both["closed"], both["closed to ann"]}


def test_directions_are_those_of_the_connections(tx: Transaction, both: dict[str, UUID]) -> None:
    assert both
    assert store.directions(tx, [FIRST], [BOB]) == [Direction(FIRST, receives=True, sends=False)]
    assert store.directions(tx, [FIRST], [DAN]) == [Direction(FIRST, receives=False, sends=True)]
    assert store.directions(tx, [FIRST], [ANN]) == [Direction(FIRST, receives=True, sends=True)]
    assert store.directions(tx, [uuid4()], [ANN]) == []


def test_parties_are_those_of_the_settlement(tx: Transaction) -> None:
    rows.party(tx, FIRST, ANN)
    rows.party(tx, FIRST, BOB)
    rows.party(tx, SECOND, CAT)
    rows.party(tx, SECOND, BOB)
    assert store.party_connections(tx, FIRST) == [ANN, BOB]
    assert store.party_connections(tx, FIRST, [BOB, CAT]) == [BOB]
    assert store.mark_disputed(tx, FIRST, [BOB, CAT]) == 1
    marked = tx.connection.execute(
        "SELECT settlement_id, connection_id FROM settlement_party WHERE disputed"
    ).fetchall()
    assert marked == [(FIRST, BOB)]


def test_party_has_new_transfers_only_if_some_are_of_no_closure(tx: Transaction, both: dict[str, UUID]) -> None:
    def has_new(connection_id: UUID) -> bool:
        found = store.lock_party(tx, FIRST, connection_id)
        assert found is not None
        assert (found.settlement_id, found.connection_id) == (FIRST, connection_id)
        assert found.disputed is (connection_id == DAN)
        return found.has_new_transfers

    assert both
    assert all(has_new(connection) for connection in (ANN, BOB, CAT, DAN))
    eve = uuid4()
    rows.party(tx, FIRST, eve)
    assert not has_new(eve)
    rows.transfer(tx, FIRST, eve, 1, dispute_closure_id=CLOSURE)
    rows.transfer(tx, SECOND, eve, 1)
    assert not has_new(eve)
    assert store.lock_party(tx, SECOND, eve) is None


def test_rejected_and_withdrawn_settlements_run_nothing_of_their_own(tx: Transaction) -> None:
    stands, rejected = rows.settlement(tx, PARTNER), rows.settlement(tx, PARTNER, state="rejected")
    withdrawn = rows.settlement(tx, PARTNER, withdrawn_at=START, withdrawn_reason="a mistake", withdrawn_by="anna")
    assert [store.is_rejected(tx, one) for one in (stands, rejected, withdrawn)] == [False, True, True]


def test_closures_that_were_cancelled_do_not_run(tx: Transaction, both: dict[str, UUID]) -> None:
    assert both
    for settled_in, closure, cancelled_at in ((FIRST, CLOSURE, None), (SECOND, CANCELLED, START)):
        of = rows.dispute(tx, uuid4(), ANN, settled_in_settlement_id=settled_in)
        rows.closure(tx, of, id=closure, cancelled_at=cancelled_at)
    assert store.cancelled_closures(tx, FIRST) == []
    assert store.cancelled_closures(tx, SECOND) == [CANCELLED]
    assert store.count_running_closures(tx, FIRST) == 2
    assert store.count_running_closures(tx, SECOND) == 0


def test_sizes_are_counted_to_a_limit(tx: Transaction, both: dict[str, UUID]) -> None:
    assert both
    assert store.sizes(tx, [FIRST, SECOND, PARTNER], 100)() == {FIRST: 8, SECOND: 4, PARTNER: 0}
    assert store.sizes(tx, [FIRST, SECOND], 5)() == {FIRST: 5, SECOND: 4}


def test_nets_are_of_transfers_with_the_partner(tx: Transaction, both: dict[str, UUID]) -> None:
    assert both
    assert store.nets_of(tx, [FIRST, uuid4()]) == {FIRST: {"ofcbtc": -7, "ofceth": 4}}
    rows.transfer(tx, SECOND, ANN, 300)
    assert store.nets_of(tx, [SECOND]) == {SECOND: {"ofceth": -200}}


def rows_of(tx: Transaction, relation: object) -> set[tuple[object, ...]]:
    query, values = relation.query, relation.values  # type: ignore[attr-defined]  # a Relation
    return {
        tuple(int(each) if str(each).lstrip("-").isdigit() else each for each in row)
        for row in tx.connection.execute(query, dict(values))
    }


def test_runs_move_every_transfer_of_both_sides(tx: Transaction, both: dict[str, UUID]) -> None:
    assert both
    assert rows_of(tx, store.runs([SECOND, uuid4()])) == {
        (SECOND, ANN, "ofcbtc", 400),
        (SECOND, BOB, "ofcbtc", -400),
        (SECOND, CAT, "ofceth", -200),
        (SECOND, DAN, "ofcbtc", -300),
    }


def test_final_amounts_are_what_the_request_said_without_disputed_ones(
    tx: Transaction, both: dict[str, UUID]
) -> None:
    assert both
    expected = [
        FinalAmount(BOB, ANN, "ofcbtc", -7),
        FinalAmount(None, ANN, "ofcbtc", -3),
        FinalAmount(None, ANN, "ofceth", 4),
    ]
    assert store.final_amounts(tx, FIRST) == expected
    rows.transfer(tx, FIRST, ANN, 3)
    assert store.final_amounts(tx, FIRST) == [expected[0], expected[2]]
    tx.connection.execute("UPDATE settlement_party SET disputed = connection_id = %s", [BOB])
    found = store.final_amounts(tx, FIRST)
    assert [(each.connection_id, each.currency) for each in found] == [
        (DAN, "ofcbtc"),
        (ANN, "ofceth"),
        (DAN, "ofcbtc"),
    ]


def test_final_amounts_of_settlements_that_nobody_disputes(tx: Transaction) -> None:
    rows.transfer(tx, FIRST, ANN, -5)
    rows.transfer(tx, FIRST, ANN, 2)
    rows.transfer(tx, FIRST, BOB, 1)
    rows.transfer(tx, FIRST, BOB, -1)
    rows.transfer(tx, SECOND, ANN, -7, counterparty_connection_id=BOB)
    rows.transfer(tx, PARTNER, ANN, 100)
    assert store.final_amounts_of(tx, [FIRST, SECOND, CLOSURE]) == {
        FIRST: [FinalAmount(None, ANN, "ofcbtc", -3)],
        SECOND: [FinalAmount(BOB, ANN, "ofcbtc", -7)],
        CLOSURE: [],
    }


def test_new_quantities_are_sums_by_counterparty(tx: Transaction, both: dict[str, UUID]) -> None:
    assert both
    rows.transfer(tx, FIRST, ANN, -4, currency="ofceth")
    assert store.new_quantities(tx, FIRST, ANN) == [
        Quantity(BOB, BOB, "ofcbtc", -7),
        Quantity(None, None, "ofcbtc", -3),
    ]
    assert store.new_quantities(tx, FIRST, BOB) == [Quantity(ANN, ANN, "ofcbtc", 7)]


def test_own_amounts_are_gross_and_without_closures(tx: Transaction, both: dict[str, UUID]) -> None:
    assert both
    assert store.own_amounts(tx, FIRST, ["ofcbtc"]) == {"ofcbtc": 24}
    assert store.own_amounts(tx, FIRST, ["ofceth", "ofcusd"]) == {"ofceth": 4}


def test_own_sums_are_of_the_connections_and_without_closures(tx: Transaction, both: dict[str, UUID]) -> None:
    assert both
    assert store.own_sums(tx, FIRST, [ANN, CAT]) == {ANN: {"ofcbtc": -10, "ofceth": 4}, CAT: {"ofcbtc": 9}}


def test_losses_are_of_what_loses(tx: Transaction) -> None:
    rows.transfer(tx, FIRST, ANN, -5)
    rows.transfer(tx, FIRST, ANN, -2)
    rows.transfer(tx, FIRST, ANN, 4)
    rows.transfer(tx, FIRST, BOB, 4)
    rows.transfer(tx, SECOND, BOB, -4)
    assert rows_of(tx, store.losses(FIRST)) == {(ANN, "ofcbtc", 7)}


def test_liabilities_are_the_most_that_can_be_taken(tx: Transaction, both: dict[str, UUID]) -> None:
    # Ann: loses 3 net to the partner, or 7 to Bob, or both. A closure brings her 6, whatever happens.
    assert both
    assert rows_of(tx, store.liabilities(FIRST)) == {
        (ANN, "ofcbtc", 4),
        (CAT, "ofcbtc", 9),
        (DAN, "ofcbtc", 10),
    }
    rows.transfer(tx, FIRST, BOB, 1, dispute_closure_id=CLOSURE)
    assert (BOB, "ofcbtc", 0) in rows_of(tx, store.liabilities(FIRST))


def test_equal_transfers_count_each(tx: Transaction) -> None:
    rows.transfer(tx, FIRST, ANN, -5)
    rows.transfer(tx, FIRST, ANN, -5)
    assert rows_of(tx, store.liabilities(FIRST)) == {(ANN, "ofcbtc", 10)}


def test_what_remains_is_without_disputed_transfers(tx: Transaction, both: dict[str, UUID]) -> None:
    assert both
    assert rows_of(tx, store.remaining_liabilities(tx, FIRST, without_new=False)) == {
        (ANN, "ofcbtc", 4),
        (ANN, "ofceth", 0),
        (BOB, "ofcbtc", 0),
        (CAT, "ofcbtc", 9),
        (DAN, "ofcbtc", 0),
    }
    found = rows_of(tx, store.remaining_liabilities(tx, FIRST, without_new=True))
    assert {row for row in found if row[2]} == {(CAT, "ofcbtc", 9)}


def moves(tx: Transaction, run: Run) -> set[tuple[object, ...]]:
    return {row for row in rows_of(tx, run.moves) if row[2]}


def test_run_moves_what_nobody_disputed_and_the_closures(tx: Transaction, both: dict[str, UUID]) -> None:
    assert both
    run = store.run(tx, FIRST)
    assert run.net == {"ofcbtc": -6, "ofceth": 4}
    assert moves(tx, run) == {(ANN, "ofcbtc", -4), (ANN, "ofceth", 4), (BOB, "ofcbtc", 7), (CAT, "ofcbtc", -9)}
    closures = store.run(tx, FIRST, without_new=True)
    assert closures.net == {"ofcbtc": -3}
    assert moves(tx, closures) == {(ANN, "ofcbtc", 6), (CAT, "ofcbtc", -9)}
    of = rows.dispute(tx, uuid4(), ANN, settled_in_settlement_id=FIRST)
    rows.closure(tx, of, id=CLOSURE, cancelled_at=START)
    assert store.run(tx, FIRST).net == {"ofcbtc": -3, "ofceth": 4}
    assert moves(tx, store.run(tx, FIRST)) == {(ANN, "ofcbtc", -10), (ANN, "ofceth", 4), (BOB, "ofcbtc", 7)}


def test_targets_are_what_the_stopped_transfers_would_take(tx: Transaction, both: dict[str, UUID]) -> None:
    assert both
    of_ann, of_bob = UUID(int=21), UUID(int=22)
    standing = Objections({of_bob: BOB, of_ann: ANN})

    def targets(objections: Objections, *among: UUID) -> list[DisputeTarget]:
        return store.dispute_targets_on(tx, FIRST, objections, among)

    assert targets(standing, ANN, BOB, DAN) == [
        DisputeTarget(of_bob, 1, ANN, "ofcbtc", 7),
        DisputeTarget(of_ann, 2, ANN, "ofcbtc", 3),
    ]
    assert targets(standing, BOB) == []
    assert targets(Objections({of_bob: BOB, of_ann: ANN}, frozenset({BOB})), ANN) == [
        DisputeTarget(of_ann, 2, ANN, "ofcbtc", 3)
    ]
    assert targets(Objections({of_ann: ANN}, frozenset({ANN})), ANN, BOB) == []
    # What a closure takes runs, whoever disputes.
    assert targets(Objections({of_ann: CAT}), CAT) == []
    assert store.dispute_targets_around(tx, FIRST, BOB, standing) == targets(standing, ANN, BOB)
    # Dan has no transfer with Bob.
    both_sides = Objections({of_bob: BOB, of_ann: DAN})
    assert store.dispute_targets_around(tx, FIRST, BOB, both_sides) == [DisputeTarget(of_bob, 1, ANN, "ofcbtc", 7)]
    assert store.dispute_targets_on(tx, SECOND, Objections({of_ann: ANN}), [DAN, CAT]) == [
        DisputeTarget(of_ann, 1, DAN, "ofcbtc", 300)
    ]


def test_transfers_of_closures_are_taken_once(tx: Transaction) -> None:
    waiting = rows.transfer(tx, None, ANN, -1, dispute_closure_id=CLOSURE, counterparty_connection_id=BOB)
    taken = rows.transfer(tx, SECOND, ANN, -1, dispute_closure_id=CLOSURE, assigned_at=START)
    other = rows.transfer(tx, None, CAT, -1, dispute_closure_id=CANCELLED, counterparty_connection_id=DAN)
    assert store.assign_closure_transfers(tx, FIRST, [CLOSURE]) == 1
    found = tx.connection.execute("SELECT id, settlement_id FROM settlement_transfer").fetchall()
    assert set(found) == {(waiting, FIRST), (taken, SECOND), (other, None)}
    store.insert_parties_of_closures(
        tx,
        settlement_id=FIRST,
        partner_id=PARTNER,
        dispute_deadline_at=START,
        connection_ids=[ANN],
        closure_ids=[CLOSURE],
    )
    assert store.party_connections(tx, FIRST) == [ANN, BOB]


def amounts(*written: str) -> AmountArrays:
    """Returns amounts of Ann, each in a currency of its own."""
    numbers = [str(number) for number in range(1, len(written) + 1)]
    return AmountArrays([ANN], [ANN], ["1"] * len(written), None, numbers, written)


@pytest.mark.parametrize(
    ("written", "decimals", "digits_only", "problem"),
    [
        ("1.25", 2, False, None),
        ("1.2500", 2, False, None),
        ("1.251", 2, False, "too_fine"),
        ("0", 2, False, "zero"),
        ("0.00", 2, False, "zero"),
        ("1" + "0" * 76, 2, False, "too_large"),
        ("-1" + "0" * 76, 2, False, "too_large"),
        ("9" * 76, 2, False, None),
        ("125", 0, True, None),
        ("125.0", 0, True, "too_fine"),
    ],
)
def test_amount_is_unfit_for_one_reason(
    tx: Transaction, written: str, decimals: int, *, digits_only: bool, problem: str | None
) -> None:
    found = store.unfit_amounts(tx, amounts("1", written), [0, decimals], digits_only=digits_only)()
    assert [(each.currency_number, each.problem) for each in found] == ([] if problem is None else [(2, problem)])


def beyond(tx: Transaction, settlement_id: UUID) -> set[tuple[UUID, str]]:
    found = store.losses_beyond_limits(tx, settlement_id, PARTNER, START, START + 24 * HOUR)()
    return {(each.connection_id, each.currency) for each in found}


def test_losses_are_limited_by_settlement_and_by_day(tx: Transaction) -> None:
    assert beyond(tx, FIRST) == set()
    limit = {"partner_id": PARTNER, "connection_id": ANN, "updated_by": "anna", "updated_at": START}
    rows.insert(tx, "loss_limit", **limit, currency="ofcbtc", per_settlement=10, per_day=12)
    rows.settlement(tx, PARTNER, id=FIRST)
    rows.transfer(tx, FIRST, ANN, -8)
    rows.transfer(tx, FIRST, ANN, 100)
    rows.transfer(tx, FIRST, ANN, -100, currency="ofceth")
    rows.transfer(tx, FIRST, ANN, -100, dispute_closure_id=CLOSURE)
    rows.transfer(tx, FIRST, BOB, -100)
    withdrawn = {"withdrawn_at": START, "withdrawn_reason": "a mistake", "withdrawn_by": "anna"}
    for changes in (
        {"state": "rejected"},
        withdrawn,
        {"created_at": START - HOUR},
        {"partner_id": OTHER_PARTNER},
    ):
        other = rows.settlement(tx, **{"partner_id": PARTNER} | changes)
        rows.transfer(tx, other, ANN, -100)
    assert beyond(tx, FIRST) == set()
    earlier = rows.settlement(tx, PARTNER)
    rows.transfer(tx, earlier, ANN, -4)
    rows.transfer(tx, earlier, ANN, -100, currency="ofceth")
    rows.transfer(tx, earlier, ANN, -100, dispute_closure_id=CLOSURE)
    rows.transfer(tx, earlier, ANN, 100)
    assert beyond(tx, FIRST) == set()
    rows.transfer(tx, earlier, ANN, -1)
    assert beyond(tx, FIRST) == {(ANN, "ofcbtc")}
    tx.connection.execute("UPDATE loss_limit SET per_settlement = 7, per_day = NULL")
    assert beyond(tx, FIRST) == {(ANN, "ofcbtc")}
    change = "UPDATE loss_limit SET next_per_settlement = 9, next_per_day = 13, next_from = %s"
    tx.connection.execute(change, [START])
    assert beyond(tx, FIRST) == set()
    tx.connection.execute(change, [START + HOUR])
    assert beyond(tx, FIRST) == {(ANN, "ofcbtc")}
