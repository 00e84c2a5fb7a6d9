"""A killed worker loses nothing: every event arrives at least once and in order.

``make webhooks-crash`` does the same with a larger load.
"""

from __future__ import annotations

from pathlib import Path

from tests.support.receivers import receiving
from tests.support.runtimes import open_runtime
from tests.webhooks.killed_process import Load, deliver_and_kill, outcome, owe

LOAD = Load(endpoints=4, events=250, kills=2)


def test_every_event_arrives_in_order_although_the_worker_is_killed(dsn: str, tmp_path: Path) -> None:
    with open_runtime(dsn) as runtime, receiving() as receiver:
        owe(runtime, LOAD, receiver)
        deliver_and_kill(runtime, dsn, tmp_path, LOAD, receiver)
        found = outcome(LOAD, receiver)
        assert (found.missing, found.out_of_order) == (0, 0)
        assert found.received == LOAD.deliveries
