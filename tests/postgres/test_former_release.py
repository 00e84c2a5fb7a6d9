"""A data folder of the former release gets the new roles at its next start, however often that is killed."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from clearwindow.postgres.embedded.cluster import EmbeddedPostgres
from clearwindow.postgres.embedded.system_user import DEFAULT_NAME
from clearwindow.postgres.migrations import all_migrations
from tests.support.long import long_unless
from tests.support.processes import command

from .former import make_former_folder
from .support import is_alive, server_pid, spawn, start_fast, wait_until

OWNERS = """
SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION SELECT DISTINCT pg_get_userbyid(proowner) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION SELECT DISTINCT pg_get_userbyid(typowner) FROM pg_type WHERE typnamespace = 'public'::regnamespace
UNION SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'clearwindow'
"""
STEPS = [*(["files"] if os.geteuid() == 0 else []), "roles", "ownership"]


def assert_upgraded(data_dir: Path) -> None:
    migrated = command("migrate", "--data", str(data_dir), secret_key="ab" * 32)
    assert migrated.returncode == 0, migrated.stderr
    with start_fast(data_dir) as server:
        expected = pwd.getpwnam(DEFAULT_NAME).pw_uid if os.geteuid() == 0 else os.geteuid()
        assert {path.lstat().st_uid for path in [server.cluster, *server.cluster.rglob("*")]} == {expected}
        _assert_roles(server)


def _assert_roles(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.dsn) as connection:
        assert connection.execute(OWNERS).fetchall() == [("clearwindow_owner",)]
    with psycopg.connect(server.application_dsn, autocommit=True) as connection:
        assert connection.execute("SELECT id FROM enterprise").fetchall() == [("lune",)]
        assert connection.execute("SELECT action, subject_id FROM audit_record").fetchall() == [("a", "lune")]
        applied = connection.execute("SELECT name FROM schema_migration ORDER BY name").fetchall()
        assert [name for (name,) in applied] == [one.name for one in all_migrations()]
        for statement in (
            b"DELETE FROM audit_record",
            b"UPDATE entry_posting SET held = 0",
            b"DROP TABLE entry_posting",
        ):
            with pytest.raises(InsufficientPrivilege):
                connection.execute(statement)


def test_folder_of_the_former_release_gets_the_roles(data_dir: Path) -> None:
    make_former_folder(data_dir)
    assert_upgraded(data_dir)


@pytest.mark.parametrize("step", long_unless(lambda step: step == "roles", STEPS))
def test_upgrade_that_was_killed_is_completed_by_the_next_start(data_dir: Path, step: str) -> None:
    make_former_folder(data_dir)
    with spawn(None, data_dir, die_in=step) as process:
        assert process.wait(120) == -9
    if (data_dir / "postgres" / "postmaster.pid").exists():
        pid = server_pid(data_dir)
        wait_until(lambda: not is_alive(pid))
    assert_upgraded(data_dir)
