"""Outside a sandbox, the network uses the host's clock and cannot be reset."""

from __future__ import annotations

import pytest

from clearwindow import bootstrap
from clearwindow.core.errors import PermissionDeniedError
from clearwindow.core.ids import NIL
from clearwindow.identity.models import Operator
from clearwindow.jobs import clock as network_clock
from clearwindow.jobs import reset
from clearwindow.jobs.models import ClockMove
from clearwindow.runtime import Runtime
from tests.support.operators import OperatorClient

SOMEBODY = Operator(NIL, "somebody", "request")


def test_clock_move_and_reset_are_rejected_outside_a_sandbox(runtime: Runtime, operator: OperatorClient) -> None:
    operator.enterprise("desk")
    seen = operator.get("/clock").json()
    assert (seen["sandbox"], seen["now"]) == (False, seen["wall"])
    for path, body in (("/clock", {"advanceMinutes": 1}), ("/sandbox/reset", None)):
        refused = operator.post(path, body)
        assert (refused.status_code, refused.json()["name"]) == (403, "not_a_sandbox")
        assert "CLEARWINDOW_SANDBOX=1" in refused.json()["error"]
    with pytest.raises(PermissionDeniedError):
        network_clock.move(runtime, SOMEBODY, ClockMove(), bootstrap.build_mover(runtime))
    with pytest.raises(PermissionDeniedError):
        reset.reset(runtime, SOMEBODY)
    assert operator.get("/clock").json() == seen
