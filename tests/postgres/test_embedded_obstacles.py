"""Starts after a crash, beside other programs, and in unusual folders."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from clearwindow.postgres.embedded import account, home
from clearwindow.postgres.embedded.account import Account
from clearwindow.postgres.embedded.binaries import Binaries, find_binaries
from clearwindow.postgres.embedded.cluster import (
    DataFolderInUseError,
    DataFolderVersionError,
    EmbeddedPostgresError,
    StartError,
    start_embedded,
)
from clearwindow.postgres.embedded.lock import FolderLock
from clearwindow.postgres.embedded.postmaster import launch_command
from tests.support.long import long

from .support import (
    WHEEL,
    each_installation,
    each_role,
    is_alive,
    owner,
    rows,
    server_pid,
    spawn,
    start_fast,
    wait_until,
    write_row,
)

pytestmark = long

IS_ROOT = os.geteuid() == 0


def cluster_account(cluster: Path) -> Account | None:
    status = cluster.stat()
    return Account(status.st_uid, status.st_gid) if IS_ROOT else None


@contextlib.contextmanager
def running(program: list[str], as_account: Account | None) -> Iterator[int]:
    """Runs a program as the account. Yields its process number, and ends it."""
    command = launch_command(program, as_account, signal.SIGKILL)
    with subprocess.Popen(command) as process:  # noqa: S603 - a program of these tests
        try:
            yield process.pid
        finally:
            # Not SIGINT, which programs in the background of a shell ignore.
            process.terminate()


@each_role
def test_killed_initdb_does_not_block_the_next_start(role: Account | None, data_dir: Path) -> None:
    with spawn(role, data_dir) as process:
        wait_until(lambda: any(data_dir.glob("postgres.new-*/PG_VERSION")))
        process.kill()
    assert not (data_dir / "postgres").exists()
    with owner(role, data_dir) as second:
        write_row(second.answer["dsn"], "a")
    assert not list(data_dir.glob("postgres.new-*"))


def test_cluster_of_a_missing_major_version_is_refused(data_dir: Path) -> None:
    with start_fast(data_dir):
        pass
    (data_dir / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(DataFolderVersionError, match=rf"by PostgreSQL 12, .*{WHEEL.major} in .*pg_upgrade"):
        start_fast(data_dir)


@each_installation
def test_cluster_gets_programs_of_its_own_major_version(binaries: Binaries, data_dir: Path) -> None:
    with start_fast(data_dir, binaries_path=binaries.bin_dir):
        pass
    for binaries_path in (None, WHEEL.bin_dir):
        if binaries.major == WHEEL.major:
            with start_fast(data_dir, binaries_path=binaries_path) as server:
                assert server.major == binaries.major
        else:
            # The system's are used only if the setting names them, and the message says where they are.
            cure = rf"by PostgreSQL {binaries.major}, .*set CLEARWINDOW_POSTGRES_BIN_DIR={binaries.bin_dir}"
            with pytest.raises(DataFolderVersionError, match=cure):
                start_fast(data_dir, binaries_path=binaries_path)


def test_folder_that_is_no_cluster_is_refused(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir(parents=True)
    data_dir.chmod(0o755)
    with pytest.raises(EmbeddedPostgresError, match="is not a PostgreSQL cluster"):
        start_fast(data_dir)


@each_installation
def test_stale_pid_file_with_the_number_of_a_running_process_does_not_block(
    binaries: Binaries, data_dir: Path
) -> None:
    with start_embedded(data_dir, binaries_path=binaries.bin_dir) as server:
        write_row(server.dsn, "a")
        os.kill(server_pid(data_dir), signal.SIGKILL)
    pid_file = data_dir / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    with running(["/bin/sleep", "60"], cluster_account(data_dir / "postgres")) as stranger:
        pid_file.write_text("\n".join([str(stranger), *lines[1:]]) + "\n")
        with start_embedded(data_dir, binaries_path=binaries.bin_dir) as server:
            assert rows(server) == ["a"]
        assert is_alive(stranger)


def test_server_that_was_started_by_hand_is_left_alone(data_dir: Path) -> None:
    with start_fast(data_dir):
        pass
    cluster = data_dir / "postgres"
    by_hand = [str(WHEEL.postgres), "-D", str(cluster), "-c", "listen_addresses="]
    by_hand += ["-c", f"unix_socket_directories={cluster}"]
    with start_fast(data_dir) as server:
        by_hand[0] = str(find_binaries(major=server.major).postgres)
    with running(by_hand, cluster_account(cluster)) as pid:
        wait_until((cluster / ".s.PGSQL.5432").exists)
        with pytest.raises(StartError, match=rf"(?s)did not start.*PID {pid}"):
            start_fast(data_dir)
        assert is_alive(pid)
        assert server_pid(data_dir) == pid


def test_failing_server_is_reported_with_its_log(data_dir: Path) -> None:
    with start_fast(data_dir):
        pass
    (data_dir / "postgres" / "postgresql.conf").write_text("no_such_thing = 1\n")
    began = time.monotonic()
    with pytest.raises(StartError, match=r'(?s)postgres\.log ends with:.*"no_such_thing"'):
        start_fast(data_dir)
    assert time.monotonic() - began < 90
    # The failed attempt has released the lock.
    with pytest.raises(StartError):
        start_fast(data_dir)


def test_failing_initdb_is_reported_with_its_output(data_dir: Path, open_dir: Path) -> None:
    broken = open_dir / "broken"
    broken.mkdir()
    for name, script in (
        ("postgres", "echo 'postgres (PostgreSQL) 17.1'"),
        ("initdb", "echo no luck; exit 1"),
    ):
        (broken / name).write_text(f"#!/bin/sh\n{script}\n")
        (broken / name).chmod(0o755)
    broken.chmod(0o755)
    with pytest.raises(StartError, match="no luck"):
        start_fast(data_dir, binaries_path=broken)
    assert not list(data_dir.glob("postgres*/*"))


@each_role
@pytest.mark.parametrize("name", ["deep/" * 30 + "data", "comma,and space"])
def test_data_folder_may_have_a_path_that_a_socket_cannot_have(
    role: Account | None, name: str, open_dir: Path
) -> None:
    folder = open_dir / name
    folder.mkdir(parents=True)
    for step in (folder, *folder.parents):
        if step == open_dir:
            break
        step.chmod(0o777)
    with owner(role, folder) as process:
        write_row(process.answer["dsn"], "a")
        socket_dir = Path(str(conninfo_to_dict(process.answer["dsn"])["host"]))
        assert open_dir not in socket_dir.parents
    assert not socket_dir.exists()
    with start_fast(folder) as server:
        assert rows(server) == ["a"]


def test_socket_folder_that_others_can_use_is_refused(
    open_dir: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = open_dir / "trap"
    trap.mkdir()
    trap.chmod(0o777)
    monkeypatch.setattr(home.Home, "socket_dir", trap)
    with pytest.raises(EmbeddedPostgresError, match="belongs to somebody else or is open to others"):
        start_fast(data_dir)


def test_data_folder_may_lie_where_only_our_user_can_enter(
    open_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home, "SHELTER", open_dir / "shelter")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with start_embedded(closed / "data") as server:
        write_row(server.dsn, "a")
        cluster = server.cluster
    with start_embedded(closed / "data") as server:
        assert rows(server) == ["a"]
        assert server.cluster == cluster
    assert closed.stat().st_mode & 0o777 == 0o700
    if not IS_ROOT:
        assert cluster == closed / "data" / "postgres"
        return
    assert cluster.parent.parent == open_dir / "shelter"
    # A copy of the data folder names the same cluster and must not use it at the same time.
    shutil.copytree(closed / "data", closed / "copy")
    with start_embedded(closed / "data"), pytest.raises(DataFolderInUseError, match=str(cluster.parent)):
        start_embedded(closed / "copy")
    # A user who removes the data folder expects an empty database.
    shutil.rmtree(closed / "data")
    with start_embedded(closed / "data") as server:
        assert server.cluster != cluster
        lost = server.cluster.parent
    shutil.rmtree(lost)
    with pytest.raises(EmbeddedPostgresError, match=rf"lies in {lost}, which is not there"):
        start_embedded(closed / "data")


def test_data_for_tests_below_a_closed_folder_goes_to_the_temporary_folder(
    open_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(open_dir))
    tmp_path.chmod(0o700)
    with start_fast(tmp_path / "data") as server:
        assert (server.cluster.parent.parent == open_dir) == IS_ROOT


def test_programs_may_be_readable_for_our_user_only(
    open_dir: Path, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = open_dir / "cache"
    monkeypatch.setattr(account, "PROGRAM_CACHE", cache)
    package = WHEEL.bin_dir.parent.parent
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.exists():
            shutil.copytree(source, tmp_path / source.name, ignore=shutil.ignore_patterns("include"))
    tmp_path.chmod(0o700)
    closed = tmp_path / package.name / "pginstall"
    with start_fast(data_dir, binaries_path=closed) as server:
        write_row(server.dsn, "a")
        copies = list(cache.glob("*"))
        assert len(copies) == IS_ROOT
        made_ns = [copy.stat().st_ctime_ns for copy in copies]
    with start_fast(data_dir, binaries_path=closed) as server:
        assert rows(server) == ["a"]
    assert [copy.stat().st_ctime_ns for copy in cache.glob("*")] == made_ns


def test_backup_restored_by_root_or_with_open_permissions_starts(data_dir: Path) -> None:
    with start_fast(data_dir) as server:
        write_row(server.dsn, "a")
        owner_uid = server.cluster.stat().st_uid
    copy = data_dir.with_name("copy")
    shutil.copytree(data_dir, copy)
    copy.chmod(0o711)
    (copy / "postgres").chmod(0o755)
    with start_fast(copy) as server:
        assert rows(server) == ["a"]
        assert server.cluster.stat().st_uid == owner_uid


def test_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    script = f"""
import os, pathlib, time
from clearwindow.postgres.embedded.lock import FolderLock
lock = FolderLock.take(pathlib.Path({str(tmp_path)!r}))
if os.fork() == 0:
    print(os.getpid(), flush=True)
time.sleep(60)
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - the script above
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.kill()
        process.wait(90)
        try:
            lock = FolderLock.take(tmp_path)
            assert lock is not None
            assert is_alive(child)
            lock.release()
        finally:
            os.kill(child, signal.SIGKILL)
