"""The proof finds what is broken in settlements on chain, and nothing where nothing is."""

from __future__ import annotations

from typing import Final

import pytest

from clearwindow.database.pool import Transaction
from clearwindow.proof.service import findings
from tests.proof.onchain_breaks import ONCHAIN_BREAKS
from tests.support.chains import CONFIRMATION_MINUTES, ChainDesk, chain_desk
from tests.support.settling import Floor

TRIGGERS_OFF: Final = "SET LOCAL session_replication_role = replica"


@pytest.fixture
def desk(floor: Floor) -> ChainDesk:
    """A settlement that has ended, and one whose loss is on the chain and whose deposit is held."""
    desk = chain_desk(floor)
    ended = desk.initiate({desk.ann.id: {"BTC": "-300"}, desk.bob.id: {"BTC": "100"}}, externalId="ended")
    desk.fund(ended["externalId"], "BTC", 100)
    desk.confirm_all()
    desk.confirm_all()
    assert desk.status(ended["id"]) == "completed"
    desk.fund("open", "BTC", 10)
    desk.floor.pass_minutes(CONFIRMATION_MINUTES)
    desk.initiate({desk.ann.id: {"BTC": "-20"}, desk.bob.id: {"BTC": "30"}}, externalId="open")
    desk.floor.run_due()
    return desk


def found(tx: Transaction) -> set[str]:
    return {finding.invariant for finding in findings(tx)}


def test_each_break_of_a_settlement_on_chain_is_found(desk: ChainDesk) -> None:
    desk.floor.assert_proven()
    with desk.floor.runtime.transaction() as tx:
        for what, (change, expected) in ONCHAIN_BREAKS.items():
            with tx.connection.transaction(force_rollback=True):
                tx.connection.execute(TRIGGERS_OFF)
                assert tx.connection.execute(change).rowcount > 0, what
                assert found(tx) == expected, what
            assert found(tx) == set(), what
