"""``clearwindow backup`` and ``restore``: what was answered before a backup is restored, and nothing is half."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clearwindow.secret_key import FILE_NAME
from clearwindow.simulator.server import temporary_folder
from tests.support.depositors import Depositor
from tests.support.long import long
from tests.support.networks import Network, ok
from tests.support.operators import OperatorClient
from tests.support.processes import START_TOKEN, command, serving_folder
from tests.support.unavailable import becomes

CURRENCY = "ofcusd"
DEPOSIT = 7
FIRST_DEPOSIT = 100


@dataclass(frozen=True)
class Taken:
    """A backup that was made while deposits went on.

    Attributes:
        folder: the backup.
        answer: what the command printed.
        account: the Go Account of the deposits.
        before: how many were acknowledged before the backup began.
        sent: how many were sent in all. Each was answered.
        log: of the server that is lost.
    """

    folder: Path
    answer: dict[str, object]
    account: str
    before: int
    sent: int
    log: Path


@pytest.fixture(scope="module")
def taken() -> Iterator[Taken]:
    """A backup of a server that works meanwhile. Then the server is killed and its folder is lost."""
    with temporary_folder("backup") as top:
        data, folder = top / "data", top / "backups" / "monday"
        with serving_folder(data, sandbox="true") as served:
            with OperatorClient(served.url, START_TOKEN) as operator, Network(operator) as network:
                partner, client = network.partner(), network.client(deposits={CURRENCY: FIRST_DEPOSIT})
                assert network.connect(client, partner).allocate(CURRENCY, 1).status_code == 200
                ok(client.enterprise.api.post("/webhook-endpoints", {"url": "http://127.0.0.1:9/hook"}))
                account = client.enterprise.account.id
                depositor = Depositor(operator, account, CURRENCY, DEPOSIT)
                try:
                    depositor.wait_for(3)
                    before = depositor.acknowledged
                    made = command("backup", str(folder), "--data", str(data), "--json")
                    depositor.wait_for(depositor.acknowledged + 2)
                finally:
                    depositor.stop()
            assert made.returncode == 0, made.stderr
            # A request is logged after its answer, and the kill must not come between.
            becomes(lambda: served.log.read_text().count(f"{account}/deposits") > depositor.sent, seconds=60)
            served.end(signal.SIGKILL)
        # PostgreSQL still ends in it.
        data.rename(top / "lost")
        yield Taken(folder, json.loads(made.stdout), account, before, depositor.sent, served.log)


def test_backup_says_what_it_is(taken: Taken) -> None:
    assert taken.answer["backup"] == str(taken.folder)
    assert taken.answer["hasKey"] is True
    made_at = datetime.fromisoformat(str(taken.answer["madeAt"]))
    assert made_at.tzinfo is not None
    assert made_at <= datetime.now(UTC)
    assert sorted(entry.name for entry in taken.folder.iterdir()) == ["backup.json", "postgres", FILE_NAME]
    # Nobody else may read the key or the books.
    assert taken.folder.stat().st_mode & 0o077 == 0
    assert (taken.folder / FILE_NAME).stat().st_mode & 0o077 == 0
    assert [entry.name for entry in taken.folder.parent.iterdir()] == [taken.folder.name]


@long
def test_what_was_answered_before_the_backup_is_restored(taken: Taken, open_folder: Path) -> None:
    data = open_folder / "restored"
    restored = command("restore", str(taken.folder), "--data", str(data), "--json")
    assert restored.returncode == 0, restored.stderr
    assert json.loads(restored.stdout)["madeAt"] == taken.answer["madeAt"]

    checked = command("check", "--signatures", "--data", str(data))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    compared = command("lost-requests", str(taken.log), "--data", str(data), "--json")
    lost = json.loads(compared.stdout)["lost"]
    assert compared.returncode == int(bool(lost)), compared.stderr
    # Every secret can still be read.
    assert command("secret", "rotate", "--data", str(data)).returncode == 0
    with (
        serving_folder(data, sandbox="true") as served,
        OperatorClient(served.url, START_TOKEN) as operator,
    ):
        available, _ = operator.balances(taken.account)[CURRENCY]
        deposits, remainder = divmod(available - FIRST_DEPOSIT + 1, DEPOSIT)
        assert remainder == 0
        assert taken.before <= deposits <= taken.sent
        # Exactly what was answered and is not there is named.
        path = f"/api/operator/v1/go-accounts/{taken.account}/deposits"
        assert [(one["method"], one["path"]) for one in lost] == [("POST", path)] * (taken.sent - deposits)
        # Sent again after the loss, each deposit is there once.
        for number in range(1, taken.sent + 1):
            ok(operator.move("deposits", taken.account, CURRENCY, DEPOSIT, f"r-{number}"))
        assert operator.balances(taken.account)[CURRENCY][0] == FIRST_DEPOSIT - 1 + taken.sent * DEPOSIT


def test_nothing_is_written_over(taken: Taken, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / FILE_NAME).write_text("somebody's key")
    refused = command("restore", str(taken.folder), "--data", str(data))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "has a database or a key: restore into an empty folder" in refused.stderr
    assert [(entry.name, entry.read_text()) for entry in data.iterdir()] == [(FILE_NAME, "somebody's key")]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("label", "is not a complete backup"),
        ("key", f"has lost its {FILE_NAME}"),
        ("byte", "is damaged"),
        ("file", "is damaged"),
        ("cluster", "is not a copy of a PostgreSQL cluster"),
    ],
)
def test_damaged_backup_is_refused_and_leaves_no_data_folder(
    taken: Taken, tmp_path: Path, harm: str, said: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(taken.folder, copy)
    match harm:
        case "label":
            (copy / "backup.json").unlink()
        case "key":
            (copy / FILE_NAME).unlink()
        case "byte":
            table = max((copy / "postgres" / "base").rglob("*"), key=lambda file: file.stat().st_size)
            content = bytearray(table.read_bytes())
            content[len(content) // 2] ^= 1
            table.write_bytes(content)
        case "file":
            (copy / "postgres" / "global" / "pg_control").unlink()
        case "cluster":
            shutil.rmtree(copy / "postgres")
    data = tmp_path / "data"
    refused = command("restore", str(copy), "--data", str(data))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert said in refused.stderr
    assert not data.exists()


@pytest.mark.parametrize(
    "label",
    ["", "[]", "{}", '{"clearwindow": "1", "postgres": "x", "madeAt": "2026-01-01", "hasKey": true}', "\x00"],
)
def test_label_that_is_none_is_refused(tmp_path: Path, label: str) -> None:
    (tmp_path / "backup.json").write_text(label)
    refused = command("restore", str(tmp_path), "--data", str(tmp_path / "data"))
    assert refused.returncode == 1
    assert "is not a complete backup" in refused.stderr


def test_backup_into_a_folder_that_exists_is_refused(taken: Taken, open_folder: Path) -> None:
    data = open_folder / "second"
    assert command("restore", str(taken.folder), "--data", str(data)).returncode == 0
    for folder in (taken.folder, open_folder):
        refused = command("backup", str(folder), "--data", str(data))
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "exists: name a folder that does not" in refused.stderr


@long
def test_backup_without_a_running_server_and_with_the_key_in_a_setting(open_folder: Path) -> None:
    data, folder = open_folder / "own-key", open_folder / "own-key-backup"
    key = {"secret_key": "11" * 32}
    assert command("migrate", "--data", str(data), **key).returncode == 0
    made = command("backup", str(folder), "--data", str(data), **key)
    assert made.returncode == 0, made.stderr
    assert "It does not hold the secret key, which is a setting: keep the key too." in made.stdout
    restored = command("restore", str(folder), "--data", str(open_folder / "own-key-restored"), **key)
    assert restored.returncode == 0, restored.stderr
    assert command("check", "--data", str(open_folder / "own-key-restored"), **key).returncode == 0


def test_folder_without_a_database_is_refused(tmp_path: Path) -> None:
    refused = command("backup", str(tmp_path / "backup"), "--data", str(tmp_path / "none"))
    assert refused.returncode == 1
    assert "There is no database in the data folder" in refused.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["backup", "restore"])
def test_database_by_url_has_its_own_programs(tmp_path: Path, verb: str) -> None:
    refused = command(verb, str(tmp_path / "backup"), database_url="postgresql://nobody@127.0.0.1/none")
    assert refused.returncode == 1
    assert "docs/how-to/back-up-and-restore.md" in refused.stderr
