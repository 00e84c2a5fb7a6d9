"""The embedded PostgreSQL starts, keeps its data, and ends with its owner."""

import contextlib
import os
import signal
import stat
import threading
import time
from pathlib import Path

import psycopg
import pytest

from clearwindow.postgres.embedded.account import Account
from clearwindow.postgres.embedded.binaries import Binaries
from clearwindow.postgres.embedded.cluster import DataFolderInUseError, start_embedded
from clearwindow.postgres.embedded.lock import holder_pid

from .support import (
    answers,
    each_installation,
    each_role,
    is_alive,
    owner,
    rows,
    server_pid,
    setting,
    spawn,
    start_fast,
    wait_until,
    write_row,
)


@each_installation
def test_data_survives_a_restart(binaries: Binaries, data_dir: Path) -> None:
    with start_embedded(data_dir, binaries_path=binaries.bin_dir) as server:
        assert server.major == binaries.major
        assert not server.shared
        write_row(server.dsn, "a")
    with start_embedded(data_dir, binaries_path=binaries.bin_dir) as server:
        assert rows(server) == ["a"]


@each_installation
def test_server_is_private_and_configured(binaries: Binaries, data_dir: Path) -> None:
    with start_embedded(data_dir, binaries_path=binaries.bin_dir) as server:
        assert psycopg.conninfo.conninfo_to_dict(server.dsn)["dbname"] == "clearwindow"
        expected = {
            "listen_addresses": "",
            "server_encoding": "UTF8",
            "TimeZone": "UTC",
            "lc_messages": "C",
            "data_checksums": "on",
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "max_wal_size": "2GB",
            "wal_compression": "off",
        }
        assert {name: setting(server, name) for name in expected} == expected
        socket_dir = Path(setting(server, "unix_socket_directories"))
        assert stat.S_IMODE(socket_dir.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.cluster.stat().st_mode) == 0o700
        assert Path(f"/proc/{server_pid(data_dir)}").stat().st_uid != 0
        assert "ready to accept connections" in (data_dir / "postgres.log").read_text()
    assert not socket_dir.exists()


def test_server_for_tests_is_not_durable(data_dir: Path) -> None:
    with start_embedded(data_dir, durable=False) as server:
        traded = ("fsync", "synchronous_commit", "full_page_writes")
        assert {setting(server, name) for name in traded} == {"off"}


@each_role
@each_installation
def test_every_user_can_own_a_server(role: Account | None, binaries: Binaries, data_dir: Path) -> None:
    for line in ("a", "b"):
        with owner(role, data_dir, binaries=str(binaries.bin_dir)) as process:
            assert process.answer["major"] == binaries.major
            write_row(process.answer["dsn"], line)
    # Files of a normal user keep their owner when root starts the server.
    made_by = (data_dir / "postgres").stat().st_uid
    with start_fast(data_dir, binaries_path=binaries.bin_dir) as server:
        assert rows(server) == ["a", "b"]
    assert (data_dir / "postgres").stat().st_uid == made_by != 0
    with owner(role, data_dir, binaries=str(binaries.bin_dir)) as process:
        assert "dsn" in process.answer


@each_installation
def test_killed_server_keeps_what_was_committed(binaries: Binaries, data_dir: Path) -> None:
    with start_embedded(data_dir, binaries_path=binaries.bin_dir) as server:
        write_row(server.dsn, "a")
        os.kill(server_pid(data_dir), signal.SIGKILL)
    with start_embedded(data_dir, binaries_path=binaries.bin_dir) as server:
        assert rows(server) == ["a"]


def test_killed_server_is_started_again_while_its_owner_runs(data_dir: Path) -> None:
    with start_embedded(data_dir) as server:
        for line in ("a", "b"):
            killed = server_pid(data_dir)
            write_row(server.dsn, line)
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: answers(server))
            assert server_pid(data_dir) != killed
        assert rows(server) == ["a", "b"]
        last = server_pid(data_dir)
    assert not is_alive(last)


def test_query_that_outlives_a_killed_server_does_not_block_the_next_one(data_dir: Path) -> None:
    with start_fast(data_dir) as server:
        connection = psycopg.connect(server.dsn)
        orphan = connection.info.backend_pid

        def never_end() -> None:
            with contextlib.suppress(psycopg.Error), connection:
                connection.execute("DO 'BEGIN LOOP END LOOP; END'")

        query = threading.Thread(target=never_end)
        query.start()
        with psycopg.connect(server.dsn, autocommit=True) as observer:
            active = "SELECT state = 'active' FROM pg_stat_activity WHERE pid = %s"
            wait_until(lambda: observer.execute(active, [orphan]).fetchone() == (True,))
        killed = server_pid(data_dir)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: answers(server))
        assert not is_alive(orphan)
        write_row(server.dsn, "a")
    query.join()


@each_role
def test_server_of_a_killed_owner_ends_by_itself(role: Account | None, data_dir: Path) -> None:
    with owner(role, data_dir) as process:
        write_row(process.answer["dsn"], "a")
        pid = server_pid(data_dir)
        process.kill()
        wait_until(lambda: not is_alive(pid))
    with start_fast(data_dir) as server:
        assert rows(server) == ["a"]


@each_role
def test_server_that_outlived_its_owner_is_replaced(role: Account | None, data_dir: Path) -> None:
    with owner(role, data_dir, outlive="yes") as process:
        write_row(process.answer["dsn"], "a")
        pid = server_pid(data_dir)
        process.kill()
    assert is_alive(pid)
    with start_fast(data_dir) as server:
        assert not is_alive(pid)
        assert rows(server) == ["a"]


def test_server_outlives_the_thread_that_started_it(data_dir: Path) -> None:
    servers = []
    thread = threading.Thread(target=lambda: servers.append(start_fast(data_dir)))
    thread.start()
    thread.join()
    with servers[0] as server:
        # A stopping server would refuse new work within this time.
        time.sleep(0.3)
        write_row(server.dsn, "a")


def test_data_folder_in_use_is_refused(data_dir: Path) -> None:
    with owner(None, data_dir) as process:
        expected = f"folder {data_dir} is in use by process {process.process.pid}: stop it, use another"
        with pytest.raises(DataFolderInUseError, match=expected) as caught:
            start_fast(data_dir)
        assert caught.value.pid == process.process.pid
    with start_fast(data_dir), pytest.raises(DataFolderInUseError, match=f"process {os.getpid()}"):
        start_fast(data_dir)


@each_role
def test_running_server_can_be_shared(role: Account | None, data_dir: Path) -> None:
    with spawn(role, data_dir) as first:
        # While the first process is still making the cluster.
        wait_until(lambda: (data_dir / "postgres.lock").exists() and holder_pid(data_dir) == first.pid)
        with start_fast(data_dir, share_running=True) as server:
            assert server.shared
            write_row(server.dsn, "a")
        server.stop()
        assert rows(server) == ["a"]
        first.communicate(timeout=60)
    with start_fast(data_dir, share_running=True) as server:
        assert not server.shared
        assert rows(server) == ["a"]
