"""Whether a settlement is right, and which faults come when: decided on values alone."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from clearwindow.client.answers.base import Meta
from clearwindow.client.answers.settlements import ClientTransfer
from clearwindow.sandbox.trader.checking import Judgement, said_of
from clearwindow.sandbox.trader.faults import Fault, Faults, parse_faults

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


def test_what_a_settlement_says_is_summed_up_per_connection() -> None:
    transfers = [
        transfer(5, destinationNetworkAccountId="account-1"),
        transfer(-2, destinationNetworkAccountId="account-1"),
        transfer(7, "ofcusd", destinationNetworkAccountId="account-2", sourceNetworkAccountId="somebody's"),
        # Between two connections, + is the destination's gain and the source's loss.
        transfer(4, "ofcusd", destinationNetworkAccountId="somebody's", sourceNetworkAccountId="account-2"),
        # What settles an earlier dispute is no trade of this round.
        transfer(100, destinationNetworkAccountId="account-1", disputeClosureId="d"),
    ]
    assert said_of(transfers, OWN) == {"connection-1": {"ofcbtc": 3}, "connection-2": {"ofcusd": 3}}


def test_amounts_that_cancel_each_other_are_nothing() -> None:
    sides = {"destinationNetworkAccountId": "account-1"}
    assert said_of([transfer(5, **sides), transfer(-5, **sides)], OWN) == {"connection-1": {}}


@pytest.mark.parametrize(
    ("said", "reason"),
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
def test_a_judgement_names_every_difference(said: dict[str, int], reason: str) -> None:
    judgement = Judgement("connection-1", said, {"ofcbtc": 5, "ofcusd": -7})
    assert (judgement.right, judgement.reason) == (not reason, reason)


def test_the_same_seed_makes_the_same_faults_and_each_trader_has_its_own() -> None:
    def drawn(trader: str, seed: str = "7") -> list[Fault | None]:
        faults = Faults(ALL, 30, seed, trader)
        return [faults.of_next_delivery() for _ in range(300)]

    assert drawn("a") == drawn("a")
    assert drawn("a") != drawn("b")
    assert drawn("a") != drawn("a", "8")
    assert set(drawn("a")) == {None, *ALL} - {Fault.MISTAKE}
    assert 60 < sum(fault is not None for fault in drawn("a")) < 120


def test_faults_that_are_not_switched_on_never_come() -> None:
    quiet = Faults((), 100, "7", "a")
    assert quiet.of_next_delivery() is None
    assert not quiet.mistakes("exchange-round-1", "connection-1")
    assert Faults([Fault.MISTAKE], 100, "7", "a").of_next_delivery() is None
    assert Faults([Fault.MISTAKE], 100, "7", "a").mistakes("exchange-round-1", "connection-1")
    assert Faults(ALL, 0, "7", "a").of_next_delivery() is None


def test_faults_are_named_on_the_command_line() -> None:
    assert parse_faults("") == ()
    assert parse_faults("drop, error-500") == (Fault.DROP, Fault.ERROR_500)
    with pytest.raises(ValueError, match="there is no fault fire; there are slow, error-500"):
        parse_faults("drop,fire")
