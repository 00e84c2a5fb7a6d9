"""A network that is no sandbox has the world's clock, and nothing empties it."""

from __future__ import annotations

import pytest

from clearwindow import bootstrap
from clearwindow.access.values import Operator
from clearwindow.errors import PermissionDeniedError
from clearwindow.ids import NIL
from clearwindow.operator import clock as network_clock
from clearwindow.operator import resetting
from clearwindow.operator.clock_wire import ClockRequest
from clearwindow.runtime import Runtime
from tests.support.operators import OperatorClient

SOMEBODY = Operator(NIL, "somebody", "request")


def test_it_is_neither_moved_nor_emptied(runtime: Runtime, operator: OperatorClient) -> None:
    operator.enterprise("desk")
    seen = operator.get("/clock").json()
    assert (seen["sandbox"], seen["now"]) == (False, seen["wall"])
    for path, body in (("/clock", {"advanceMinutes": 1}), ("/sandbox/reset", None)):
        refused = operator.post(path, body)
        assert (refused.status_code, refused.json()["name"]) == (403, "not_a_sandbox")
        assert "CLEARWINDOW_SANDBOX=1" in refused.json()["error"]
    with pytest.raises(PermissionDeniedError):
        network_clock.move(runtime, SOMEBODY, ClockRequest(), bootstrap.build_mover(runtime))
    with pytest.raises(PermissionDeniedError):
        resetting.reset(runtime, SOMEBODY)
    assert operator.get("/clock").json() == seen
