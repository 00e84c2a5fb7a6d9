"""The comparison of settlements with trades, and the choice of faults; without a server."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from clearwindow.client.answers.base import Meta
from clearwindow.client.answers.settlements import ClientTransfer
from clearwindow.simulator.trader.comparison import Comparison, settled_amounts
from clearwindow.simulator.trader.faults import Fault, Faults, parse_faults

OWN = {"account-1": "connection-1", "account-2": "connection-2"}
ALL = tuple(Fault)


def transfer(quantity: int, currency: str = "ofcbtc", **sides: str | None) -> ClientTransfer:
    fields: Mapping[str, object] = {
        "id": "t",
        "settlementId": "s",
        "currency": currency,
        "quantity": str(quantity),
        "status": "pending",
        "txIds": [],
        "createdAt": "2026-01-05T12:00:00.000Z",
        "updatedAt": "2026-01-05T12:00:00.000Z",
        "settlementStatus": "pending",
        **sides,
    }
    return ClientTransfer.read(fields, Meta())


def test_transfers_are_summed_by_connection() -> None:
    transfers = [
        transfer(5, destinationNetworkAccountId="account-1"),
        transfer(-2, destinationNetworkAccountId="account-1"),
        transfer(7, "ofcusd", destinationNetworkAccountId="account-2", sourceNetworkAccountId="somebody's"),
        # Between two connections, a positive quantity is the destination's gain and the source's loss.
        transfer(4, "ofcusd", destinationNetworkAccountId="somebody's", sourceNetworkAccountId="account-2"),
        # A transfer that settles an earlier dispute is not a trade of this round.
        transfer(100, destinationNetworkAccountId="account-1", disputeClosureId="d"),
    ]
    assert settled_amounts(transfers, OWN) == {"connection-1": {"ofcbtc": 3}, "connection-2": {"ofcusd": 3}}


def test_amounts_that_sum_to_zero_are_left_out() -> None:
    sides = {"destinationNetworkAccountId": "account-1"}
    assert settled_amounts([transfer(5, **sides), transfer(-5, **sides)], OWN) == {"connection-1": {}}


@pytest.mark.parametrize(
    ("settled", "reason"),
    [
        ({"ofcbtc": 5, "ofcusd": -7}, ""),
        ({"ofcbtc": 4, "ofcusd": -7}, "ofcbtc: +4 settled, +5 traded"),
        ({"ofcbtc": 5}, "ofcusd: +0 settled, -7 traded"),
        (
            {"ofcbtc": 5, "ofcusd": 7, "ofceth": 1},
            "ofceth: +1 settled, +0 traded; ofcusd: +7 settled, -7 traded",
        ),
    ],
)
def test_the_reason_names_every_difference(settled: dict[str, int], reason: str) -> None:
    comparison = Comparison("connection-1", settled, {"ofcbtc": 5, "ofcusd": -7})
    assert (comparison.right, comparison.reason) == (not reason, reason)


def test_faults_depend_on_the_seed_and_the_trader() -> None:
    def drawn(trader: str, seed: str = "7") -> list[Fault | None]:
        faults = Faults(ALL, 30, seed, trader)
        return [faults.of_next_delivery() for _ in range(300)]

    assert drawn("a") == drawn("a")
    assert drawn("a") != drawn("b")
    assert drawn("a") != drawn("a", "8")
    assert set(drawn("a")) == {None, *ALL} - {Fault.MISTAKE}
    assert 60 < sum(fault is not None for fault in drawn("a")) < 120


def test_faults_that_are_off_never_happen() -> None:
    quiet = Faults((), 100, "7", "a")
    assert quiet.of_next_delivery() is None
    assert not quiet.mistakes("exchange-round-1", "connection-1")
    assert Faults([Fault.MISTAKE], 100, "7", "a").of_next_delivery() is None
    assert Faults([Fault.MISTAKE], 100, "7", "a").mistakes("exchange-round-1", "connection-1")
    assert Faults(ALL, 0, "7", "a").of_next_delivery() is None


def test_faults_are_parsed_from_a_comma_separated_list() -> None:
    assert parse_faults("") == ()
    assert parse_faults("drop, error-500") == (Fault.DROP, Fault.ERROR_500)
    with pytest.raises(ValueError, match="unknown fault fire; the faults are slow, error-500"):
        parse_faults("drop,fire")
