"""A database of a former release, with settlements in every state, is upgraded and goes on from there.

``former_release.py`` says how it was made.
"""

from __future__ import annotations

import json
import lzma
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from clearwindow.core.clock import ManualClock
from clearwindow.postgres.embedded.binaries import find_binaries
from clearwindow.postgres.migrations import pending_migrations
from tests.support.databases import TestCluster, as_owner, migrate_as_owner
from tests.support.operators import OperatorClient
from tests.support.processes import COMMAND, environment
from tests.support.settlements import Testbed
from tests.upgrade.record import read_everything

FOLDER = Path(__file__).parent
PATIENCE_SECONDS = 60
WAITS_FOR_A_TABLE = """
SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def _unpacked(name: str) -> str:
    return lzma.decompress((FOLDER / name).read_bytes()).decode()


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_unpacked("former_release.json.xz"))
    return found


@pytest.fixture
def former(cluster: TestCluster) -> Iterator[str]:
    """The database as the former release left it."""
    with cluster.fresh_database(template="template0") as dsn:
        psql = [str(find_binaries().bin_dir / "psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
        subprocess.run(  # noqa: S603 - the program of the embedded server
            [*psql, as_owner(dsn)],
            input=_unpacked("former_release.sql.xz"),
            text=True,
            check=True,
            capture_output=True,
        )
        yield dsn


@pytest.fixture
def dsn(former: str) -> str:
    """The upgraded database, for the fixtures that make a server over it."""
    migrate_as_owner(former)
    return former


@pytest.fixture
def clock(recorded: dict[str, Any]) -> ManualClock:
    return ManualClock(datetime.fromisoformat(recorded["now"]))


def _shown_before(before: Any, after: Any) -> Any:  # noqa: ANN401 - any JSON
    """Returns what is shown after, without the fields that the former release did not have."""
    if isinstance(before, dict) and isinstance(after, dict):
        return {name: _shown_before(before[name], value) for name, value in after.items() if name in before}
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [_shown_before(one, other) for one, other in zip(before, after, strict=True)]
    return after


def _by_id(lists: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Returns lists in an order that no release changes: rows of one moment have none."""
    return {path: sorted(rows, key=lambda row: str(row["id"])) for path, rows in lists.items()}


def test_everything_is_read_as_before_and_goes_on(
    recorded: dict[str, Any], operator: OperatorClient, testbed: Testbed, dsn: str
) -> None:
    testbed.assert_proven()
    testbed.assert_signed()
    everything = read_everything(operator, dsn)
    for name in ("settlements", "history", "balances", "holds"):
        assert _shown_before(recorded[name], everything[name]) == recorded[name], name
    former_lists = _by_id(recorded["lists"])
    assert _shown_before(former_lists, _by_id(everything["lists"])) == former_lists

    for _ in range(3):
        testbed.pass_minutes(10)
        testbed.assert_proven()
    states = {one["id"]: testbed.state(one["id"]) for one in recorded["lists"]["/settlements"]}
    was_open = {one["id"] for one in recorded["lists"]["/settlements"] if one["stage"] == "dispute_window"}
    assert {states[one] for one in was_open} == {"completed"}


def test_killed_upgrade_has_changed_nothing_and_is_completed_by_the_next(former: str) -> None:
    before = pending_migrations(former)
    with psycopg.connect(former) as connection, psycopg.connect(former, autocommit=True) as watching:
        connection.execute("LOCK TABLE posting IN ACCESS SHARE MODE")
        with subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, "migrate"], env=environment(database_url=as_owner(former)), stdout=sys.stderr
        ) as process:
            waits = False
            for _ in range(PATIENCE_SECONDS * 100):
                if waits := watching.execute(WAITS_FOR_A_TABLE).fetchone() != (0,):
                    break
                watching.execute("SELECT pg_sleep(0.01)")
            process.kill()
    assert waits
    assert pending_migrations(former) == before != []
    migrate_as_owner(former)
    assert pending_migrations(former) == []
