"""A PostgreSQL of one's own, archived, lost, and restored to a moment as the page says, word for word."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

from clearwindow.postgres.embedded.binaries import find_binaries
from clearwindow.postgres.embedded.database import address_of
from clearwindow.postgres.embedded.home import Home
from tests.support.depositors import Depositor
from tests.support.long import long
from tests.support.networks import Network
from tests.support.operators import OperatorClient
from tests.support.processes import COMMAND, START_TOKEN, environment, serving_folder
from tests.support.unavailable import becomes

from .plain_clusters import make_plain_cluster, running_cluster

PAGE: Final = Path("docs/how-to/back-up-and-restore.md").read_text()
SUPERUSER: Final = "postgres"
KEY: Final = "ab" * 32
DEPOSIT: Final = 7


def block(heading: str, language: str) -> str:
    """Returns the first block of this language under the heading."""
    found = re.search(rf"^{re.escape(heading)}$.*?```{language}\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None, heading
    return found[1]


@dataclass(frozen=True)
class Machine:
    """Where the page's folders are in the test."""

    backups: Path
    logs: Path
    home: Home

    def dsn(self, database: str) -> str:
        return address_of(self.home, SUPERUSER, database)

    def sql(self, heading: str) -> None:
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            for statement in self._here(block(heading, "sql")).split(";"):
                if statement.strip():
                    connection.execute(statement.encode())

    def shell(self, heading: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        programs = self.backups.parent / "bin"
        if not programs.exists():
            programs.mkdir()
            (programs / "clearwindow").write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
            (programs / "clearwindow").chmod(0o755)
        path = f"{programs}:{find_binaries().bin_dir}:{os.environ['PATH']}"
        return subprocess.run(  # noqa: S603 - the page's own commands
            ["/bin/bash", "-euc", self._here(block(heading, "sh"))],
            env={**environment(), "PATH": path, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    def give(self, folder: Path) -> None:
        """Gives a folder to the user that runs PostgreSQL, as whom the page's commands run."""
        if self.home.account is None:
            return
        for path in (folder, *folder.rglob("*")):
            os.chown(path, self.home.account.uid, self.home.account.gid)

    def _here(self, text: str) -> str:
        return text.replace("/backups", str(self.backups)).replace("/var/log/clearwindow", str(self.logs))


def archive_all(machine: Machine) -> None:
    """Returns when everything that is written until now is archived."""
    with psycopg.connect(machine.dsn("postgres"), autocommit=True) as connection:
        (segment,) = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone() or ("",)
    becomes((machine.backups / "wal" / str(segment)).exists, seconds=120)


def has_promoted(machine: Machine) -> bool:
    with psycopg.connect(machine.dsn("postgres")) as connection:
        return connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)


@long
def test_database_is_restored_to_a_moment_and_what_is_lost_is_named(data_dir: Path, open_dir: Path) -> None:
    machine = Machine(open_dir / "backups", open_dir / "kept", make_plain_cluster(data_dir, SUPERUSER))
    (machine.backups / "wal").mkdir(parents=True)
    machine.give(machine.backups)
    with running_cluster(machine.home, SUPERUSER):
        machine.sql("### 1. Archive the log")
        with psycopg.connect(machine.dsn("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE clearwindow")
    settings = {"database_url": machine.dsn("clearwindow"), "secret_key": KEY}
    with running_cluster(machine.home, SUPERUSER):
        with serving_folder(open_dir / "served", **settings) as served:
            with OperatorClient(served.url, START_TOKEN) as operator, Network(operator) as network:
                account = network.client().enterprise.account.id
                depositor = Depositor(operator, account, "ofcusd", DEPOSIT)
                try:
                    depositor.wait_for(2)
                    copied = machine.shell(
                        "### 2. Copy the database every night", {"SUPERUSER_URL": machine.dsn("postgres")}
                    )
                    assert copied.returncode == 0, copied.stderr
                    depositor.wait_for(depositor.acknowledged + 3)
                    before = depositor.acknowledged
                    with psycopg.connect(machine.dsn("postgres")) as connection:
                        (moment,) = connection.execute("SELECT clock_timestamp()::text").fetchone() or ("",)
                    begun = depositor.sent
                    depositor.wait_for(depositor.acknowledged + 3)
                finally:
                    depositor.stop()
                balance = operator.balances(account)["ofcusd"][0]
            assert balance == depositor.sent * DEPOSIT
        archive_all(machine)
    machine.logs.mkdir()
    served.log.rename(machine.logs / "monday.log")

    machine.home.cluster.rename(open_dir / "destroyed")
    variables = {"CLUSTER": str(machine.home.cluster), "MOMENT": str(moment)}
    restored = machine.shell("### 3. Restore to a moment", variables)
    assert restored.returncode == 0, restored.stderr
    machine.give(machine.home.cluster)
    with running_cluster(machine.home, SUPERUSER):
        becomes(lambda: has_promoted(machine), seconds=120)
        addressed = {f"CLEARWINDOW_{name.upper()}": value for name, value in settings.items()}
        checked = machine.shell("### 4. Check it", addressed)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        compared = machine.shell("## What is lost", addressed)
        with (
            serving_folder(open_dir / "again", **settings) as again,
            OperatorClient(again.url, START_TOKEN) as operator,
        ):
            deposits = operator.balances(account)["ofcusd"][0] // DEPOSIT
    assert before <= deposits <= begun < depositor.sent
    assert compared.returncode == 1, compared.stderr
    *lost, last = compared.stdout.splitlines()
    assert len(lost) == depositor.sent - deposits
    assert all(line.endswith(f"POST /api/operator/v1/go-accounts/{account}/deposits") for line in lost)
    assert last.endswith(f"{len(lost)} of them are lost.")
