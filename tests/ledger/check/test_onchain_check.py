"""The check reports each broken invariant of on-chain settlements, and nothing in an intact network."""

from __future__ import annotations

from contextlib import closing
from typing import Final

import pytest

from clearwindow.ledger.check.service import findings
from clearwindow.postgres.pool import Database, Transaction
from tests.ledger.check.onchain_breaks import ONCHAIN_BREAKS
from tests.support.chains import CONFIRMATION_MINUTES, ChainDesk, chain_desk
from tests.support.databases import as_superuser
from tests.support.settlements import Testbed

TRIGGERS_OFF: Final = "SET LOCAL session_replication_role = replica"


@pytest.fixture
def desk(testbed: Testbed) -> ChainDesk:
    """A settlement that has ended, and one whose loss is on the chain and whose deposit is held."""
    desk = chain_desk(testbed)
    ended = desk.initiate({desk.ann.id: {"BTC": "-300"}, desk.bob.id: {"BTC": "100"}}, externalId="ended")
    desk.fund(ended["externalId"], "BTC", 100)
    desk.confirm_all()
    desk.confirm_all()
    assert desk.status(ended["id"]) == "completed"
    desk.fund("open", "BTC", 10)
    desk.testbed.pass_minutes(CONFIRMATION_MINUTES)
    desk.initiate({desk.ann.id: {"BTC": "-20"}, desk.bob.id: {"BTC": "30"}}, externalId="open")
    desk.testbed.run_due()
    return desk


def found(tx: Transaction) -> set[str]:
    return {finding.invariant for finding in findings(tx)}


def test_each_broken_onchain_invariant_is_reported(desk: ChainDesk) -> None:
    desk.testbed.assert_proven()
    # Only a superuser may turn the triggers off.
    database = Database(as_superuser(desk.testbed.runtime.database.dsn), desk.testbed.clock)
    database.open()
    with closing(database), database.transaction() as tx:
        for what, (change, expected) in ONCHAIN_BREAKS.items():
            with tx.connection.transaction(force_rollback=True):
                tx.connection.execute(TRIGGERS_OFF)
                assert tx.connection.execute(change).rowcount > 0, what
                assert expected <= found(tx), what
            assert found(tx) == set(), what
