"""What the embedded server is kept from, and who is kept from the server."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from clearwindow.postgres.embedded import system_user
from clearwindow.postgres.embedded.access import ROLES
from clearwindow.postgres.embedded.account import Account
from clearwindow.postgres.embedded.binaries import EmbeddedPostgresError
from clearwindow.postgres.embedded.cluster import EmbeddedPostgres
from clearwindow.postgres.embedded.environment import KEPT

from .support import each_role, owner, server_pid, start_fast

IS_ROOT = os.geteuid() == 0
CANARY = "hunter2-which-is-secret"


def environment_seen_by(server: EmbeddedPostgres) -> dict[str, str]:
    """Returns the environment of a program that the server itself starts."""
    with psycopg.connect(server.dsn) as connection:
        connection.execute("CREATE TEMPORARY TABLE seen (line text)")
        connection.execute("COPY seen FROM PROGRAM 'env' WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')")
        lines = connection.execute("SELECT line FROM seen").fetchall()
    return dict(line.split("=", 1) for (line,) in lines if "=" in line)


def test_server_gets_no_variable_that_it_does_not_need(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLEARWINDOW_SECRET_KEY", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD", "LC_CANARY", "HOME"):
        monkeypatch.setenv(name, CANARY)
    with start_fast(data_dir) as server:
        seen = environment_seen_by(server)
        server_process = server_pid(data_dir)
        for process in Path("/proc").glob("[0-9]*"):
            if server_process in {int(process.name), _parent_of(process)}:
                assert CANARY.encode() not in _environment_of(process)
    assert CANARY not in "".join(seen.values())
    # PostgreSQL and the shell that it starts set some themselves.
    own = {name for name in seen if name.startswith(("PG", "LC_")) or name in {"PWD", "SHLVL", "_", "OLDPWD"}}
    assert set(seen) - own <= set(KEPT)


def _environment_of(process: Path) -> bytes:
    # One of the server's processes may end meanwhile.
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""


def _parent_of(process: Path) -> int | None:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


@each_role
def test_process_of_another_user_is_refused(role: Account | None, data_dir: Path) -> None:
    with owner(role, data_dir) as process:
        dsn = process.answer["dsn"]
        rules = "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'peer'"
        users = "SELECT array_agg(DISTINCT sys_name ORDER BY sys_name) FROM pg_ident_file_mappings"
        with psycopg.connect(dsn) as connection:
            assert connection.execute(rules).fetchone() == (0,)
            if connection.info.server_version >= 160_000:
                ours = {"root", pwd.getpwuid(os.geteuid() if role is None else role.uid).pw_name}
                assert connection.execute(users).fetchone() == (sorted(ours),)
        if not IS_ROOT:
            return
        others = [pwd.getpwnam("nobody"), pwd.getpwnam("bin")]
        for entry in others:
            assert all("Permission denied" in said for said in _attempts(entry, dsn))
        # Without the modes of the folders and of the socket, the server itself refuses them.
        folder = Path(str(conninfo.conninfo_to_dict(dsn)["host"]))
        for path in (data_dir, folder, folder / ".s.PGSQL.5432"):
            path.chmod(0o777)
        if role is None:
            others.append(pwd.getpwuid((data_dir / "postgres").stat().st_uid))
        for entry in others:
            assert all("Peer authentication failed" in said for said in _attempts(entry, dsn))


def _attempts(user: pwd.struct_passwd, dsn: str) -> list[str]:
    """Returns what a process of this user gets that tries to connect as each role."""
    addresses = [conninfo.make_conninfo(dsn, user=role) for role in ROLES]
    request = {"uid": user.pw_uid, "gid": user.pw_gid, "addresses": addresses}
    outcome = subprocess.run(  # noqa: S603 - a program of these tests
        [sys.executable, str(Path(__file__).with_name("intruder.py")), json.dumps(request)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    said: list[str] = json.loads(outcome.stdout)
    assert len(said) == len(ROLES)
    return said


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("no-such-user", "this machine has no user no-such-user"),
        ("nobody", "PostgreSQL must not run as nobody"),
        ("root", "PostgreSQL must not run as root"),
    ],
)
def test_system_user_that_does_not_fit_is_refused(name: str, problem: str) -> None:
    with pytest.raises(EmbeddedPostgresError, match=f"CLEARWINDOW_POSTGRES_USER: {problem}"):
        system_user.system_account(name)


def test_system_user_that_cannot_be_made_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_user, "DEFAULT_NAME", "clearwindow-not-made")
    monkeypatch.setattr(system_user, "_PROGRAM_FOLDERS", "/nonexistent")
    with pytest.raises(EmbeddedPostgresError, match=r"cannot be made \(there is no useradd\): make it yourself"):
        system_user.system_account(None)


def test_server_runs_as_the_user_that_the_setting_names(data_dir: Path) -> None:
    with start_fast(data_dir, system_user="daemon") as server:
        expected = pwd.getpwnam("daemon").pw_uid if IS_ROOT else os.geteuid()
        assert server.cluster.stat().st_uid == expected
        assert Path(f"/proc/{server_pid(data_dir)}").stat().st_uid == expected
