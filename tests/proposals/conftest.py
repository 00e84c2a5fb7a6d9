"""A network of which one operator has asked for approvals, and its staff."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from fastapi import FastAPI

from clearwindow.core.clock import ManualClock
from clearwindow.identity.models import OperatorRole
from clearwindow.runtime import Runtime
from tests.support.networks import ConnectionHandle, EnterpriseHandle, PartnerHandle
from tests.support.settlements import Testbed
from tests.support.staff import StaffClient, staff, watched


@dataclass(frozen=True)
class Desk:
    """Ada proposes. Ben approves. Carl may do neither, and Dora is one more administrator.

    ``connection`` is of an enterprise with 1000 ofcbtc in its Go Account.
    """

    testbed: Testbed
    ada: StaffClient
    ben: StaffClient
    carl: StaffClient
    dora: StaffClient
    connection: ConnectionHandle

    @property
    def enterprise(self) -> EnterpriseHandle:
        return self.connection.client.enterprise

    @property
    def partner(self) -> PartnerHandle:
        return self.connection.partner

    @property
    def clock(self) -> ManualClock:
        return self.testbed.clock

    @property
    def account(self) -> str:
        return self.enterprise.account.id

    def balance(self) -> tuple[int, int]:
        return self.ada.balances(self.account)["ofcbtc"]

    def events(self, kind: str) -> list[dict[str, object]]:
        return [each["payload"] for each in self.ada.events(enterpriseId=self.enterprise.id, types=kind)]

    def assert_proven(self) -> None:
        assert self.ada.check() == []


@pytest.fixture
def desk(testbed: Testbed, runtime: Runtime, base_url: str, served_app: tuple[FastAPI, str]) -> Iterator[Desk]:
    client = testbed.network.client("trader", deposits={"ofcbtc": 1000})
    connection = testbed.network.connect(client, testbed.network.partner())
    with ExitStack() as stack:
        ada, ben, carl, dora = (
            stack.enter_context(staff(runtime, base_url, name, role))
            for name, role in (
                ("ada", OperatorRole.ADMINISTRATOR),
                ("ben", OperatorRole.APPROVER),
                ("carl", OperatorRole.OPERATOR),
                ("dora", OperatorRole.ADMINISTRATOR),
            )
        )
        stack.enter_context(watched(served_app[0], runtime))
        yield Desk(testbed, ada, ben, carl, dora, connection)
