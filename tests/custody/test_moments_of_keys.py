"""A key without a cool-off verifies from the moment in which it is added, however late that moment is read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from clearwindow.custody import go_accounts
from clearwindow.custody.models import OwnKey
from clearwindow.identity.acts import Scene
from clearwindow.identity.models import Operator
from clearwindow.runtime import Runtime
from tests.support.operators import OperatorClient, make_key


@dataclass
class Ticking:
    """A clock that goes on a millisecond each time it is read."""

    moment: datetime = field(default=datetime(2026, 1, 5, 12, tzinfo=UTC))

    def now(self) -> datetime:
        self.moment += timedelta(milliseconds=1)
        return self.moment


@pytest.mark.parametrize("custodian", [True, False])
def test_key_is_added_although_the_clock_goes_on(
    runtime: Runtime, operator: OperatorClient, *, custodian: bool
) -> None:
    operator.enterprise("acme")
    account = operator.go_account("acme")
    ada = operator.operator("ada")
    with runtime.transaction() as tx:
        scene = Scene(runtime, replace(tx, clock=Ticking()), Operator(UUID(ada["id"]), "ada", "request"))
        own = None if custodian else OwnKey(make_key(77).xpub, None)
        key = go_accounts.add_key(scene, account.id, own)
    assert key.verifies_from == key.created_at
