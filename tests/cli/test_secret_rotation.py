"""Another secret key: everything stored is encrypted anew, while servers run and whatever is killed."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from cryptography.exceptions import InvalidTag
from fastapi import FastAPI
from psycopg.sql import SQL, Identifier

from clearwindow import key_sources
from clearwindow.core.vault import Vault
from clearwindow.postgres.embedded.cluster import start_embedded
from clearwindow.rotation import SEALED, Sealed
from clearwindow.runtime import Runtime
from clearwindow.secret_key import FILE_NAME, FORMER_NAME, NEXT_NAME, FolderKeys, keys_of, make_key
from clearwindow.settings import SettingsError, load_settings
from tests.postgres.support import is_alive
from tests.support.databases import as_application
from tests.support.long import long
from tests.support.networks import Network, ok
from tests.support.operators import OperatorClient
from tests.support.partners import FakePartner
from tests.support.processes import START_TOKEN, command, serving_folder
from tests.support.runtimes import SECRET_KEY
from tests.support.staff import proposed, staff, watched
from tests.support.unavailable import becomes

FORMER: Final = SECRET_KEY.hex()
NEW: Final = "5a" * 32
NOT_SEALED: Final = {
    "access_token.token_sha256",
    "console_link.settings_proof",
    "console_link.value_sha256",
    "console_session.settings_proof",
    "console_session.value_sha256",
    "custodian_signature.payload_sha256",
    "go_account_key.public_key",
    "key_set.public_keys",
    "key_set.sha256",
    "signed_request.key_set_sha256",
    "signed_request.payload_sha256",
    "signed_request.public_key",
    "signed_request.signature_sha256",
    "used_text.payload_sha256",
    "used_text.public_key",
    "webhook_secret.public_key",
}

INTERRUPTED: Final = """
import os, signal, sys
from clearwindow import rotation
from clearwindow.cli import main
rotation.BATCH_ROWS = 1
renewed = rotation._renewed
left = [3]
def dies(*arguments):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return renewed(*arguments)
rotation._renewed = dies
main.run()
"""


def values_of(dsn: str, sealed: Sealed) -> list[tuple[Any, bytes]]:
    query = SQL("SELECT id, {} FROM {} WHERE {} IS NOT NULL").format(
        Identifier(sealed.column), Identifier(sealed.table), Identifier(sealed.column)
    )
    with psycopg.connect(dsn) as connection:
        return connection.execute(query).fetchall()


def count_under(dsn: str, key: str) -> dict[str, int]:
    """Returns how many values of each table the key decrypts."""
    vault = Vault(bytes.fromhex(key))
    found = dict.fromkeys((sealed.table for sealed in SEALED), 0)
    for sealed in SEALED:
        for row, value in values_of(dsn, sealed):
            try:
                vault.decrypt(value, context=f"{sealed.context}:{row}")
            except InvalidTag:
                continue
            found[sealed.table] += 1
    return found


@pytest.fixture
def stored(
    network: Network,
    operator: OperatorClient,
    partner_server: FakePartner,
    dsn: str,
    runtime: Runtime,
    served_app: tuple[FastAPI, str],
) -> dict[str, int]:
    """A network that has stored a value of each kind. Returns how many of each."""
    partner = network.partner(callbackUrl=partner_server.url)
    client = network.client(deposits={"ofcusd": 100})
    assert network.connect(client, partner).allocate("ofcusd", 1).status_code == 200
    ok(operator.post(f"/enterprises/{client.enterprise.id}/go-accounts", {"label": "kept", "custodianKey": True}))
    operator.user_token(client.enterprise.id, kind="v2x")
    ok(client.enterprise.api.post("/webhook-endpoints", {"url": "http://127.0.0.1:9/hook"}))
    ok(operator.post("/operators/me/second-factor"))
    chat = {"form": "generic", "url": "http://127.0.0.1:9/chat"}
    ok(client.enterprise.api.put("/notifications", {"chat": chat}))
    with (
        staff(runtime, operator.base_url, "ada") as ada,
        staff(runtime, operator.base_url, "ben") as ben,
        watched(served_app[0], runtime),
    ):
        token = proposed(ada.post(f"/operators/{ada.id}/tokens", {}))
        ok(ben.decide(token["id"], "approve"))
    found = count_under(dsn, FORMER)
    assert all(found.values()), found
    return found


def test_list_has_every_encrypted_column(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "SELECT table_name || '.' || column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND data_type = 'bytea' AND column_name NOT LIKE '%request_sha256'"
        ).fetchall()
    assert {name for (name,) in rows} - NOT_SEALED == {f"{sealed.table}.{sealed.column}" for sealed in SEALED}


def test_rotation_that_was_killed_goes_on(stored: dict[str, int], dsn: str) -> None:
    settings = {"database_url": as_application(dsn), "secret_key": NEW, "other_secret_key": FORMER}
    environment = {f"CLEARWINDOW_{name.upper()}": value for name, value in settings.items()}
    killed = subprocess.run(  # noqa: S603 - the script above
        [sys.executable, "-c", INTERRUPTED, "secret", "rotate"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    renewed = sum(count_under(dsn, NEW).values())
    total = sum(stored.values())
    assert 0 < renewed < total
    assert sum(count_under(dsn, FORMER).values()) == total - renewed

    said = command("secret", "rotate", **settings)
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith(f"{total - renewed} values were encrypted anew.")
    assert count_under(dsn, NEW) == stored
    assert command("secret", "rotate", **settings).stdout.startswith("0 values were encrypted anew.")


def test_rotation_without_the_former_key_changes_nothing(stored: dict[str, int], dsn: str) -> None:
    settings = {"database_url": as_application(dsn), "secret_key": NEW}
    alone = command("secret", "rotate", **settings)
    assert (alone.returncode, alone.stdout) == (1, "")
    assert "There is one key only" in alone.stderr
    wrong = command("secret", "rotate", **settings, other_secret_key="77" * 32)
    assert wrong.returncode == 1
    assert "cannot be decrypted with any of the keys" in wrong.stderr
    assert len(wrong.stderr.strip().splitlines()) == 1
    assert count_under(dsn, FORMER) == stored


@long
def test_running_server_takes_part_in_a_rotation_of_its_data_folder(open_folder: Path) -> None:
    data = open_folder / "data"
    with (
        serving_folder(data, sandbox="true") as served,
        OperatorClient(served.url, START_TOKEN) as operator,
        Network(operator) as network,
    ):
        client = network.client()
        ok(client.enterprise.api.post("/webhook-endpoints", {"url": "http://127.0.0.1:9/hook"}))
        first = (data / FILE_NAME).read_text()
        rotated = command("secret", "rotate", "--data", str(data), "--json")
        assert (rotated.returncode, rotated.stdout) == (0, '{"encryptedAnew": 1}\n'), rotated.stderr
        assert (data / FORMER_NAME).read_text() == first != (data / FILE_NAME).read_text()
        assert not (data / NEXT_NAME).exists()
        again = command("secret", "rotate", "--data", str(data))
        assert (again.returncode, "Run clearwindow secret rotate --finish first" in again.stderr) == (1, True)
        # Without a restart, what the server writes now is under the new key.
        ok(client.enterprise.api.post("/webhook-endpoints", {"url": "http://127.0.0.1:9/other"}))
        key = bytes(FolderKeys(data)()[0])
        with start_embedded(data, share_running=True) as shared:
            assert count_under(shared.dsn, key.hex())["webhook_secret"] == 2
        # As if the rotation were long ago, so that no transaction of the worker is from before.
        os.utime(data / FORMER_NAME, (0, 0))
        finished = command("secret", "rotate", "--finish", "--data", str(data))
        assert finished.stdout == "0 values were encrypted anew. The former key is removed.\n", finished.stderr
        assert not (data / FORMER_NAME).exists()
        assert first not in served.log.read_text()


def test_rotation_of_a_folder_that_was_killed_at_any_step_has_both_keys(tmp_path: Path) -> None:
    former = make_key(tmp_path)
    upcoming = make_key(tmp_path, NEXT_NAME)
    assert tuple(FolderKeys(tmp_path)()) == (former, upcoming)
    assert tuple(FolderKeys(tmp_path, upcoming_first=True)()) == (upcoming, former)
    keys = FolderKeys(tmp_path)
    os.link(tmp_path / FILE_NAME, tmp_path / FORMER_NAME)
    assert set(keys()) == {former, upcoming}
    (tmp_path / NEXT_NAME).rename(tmp_path / FILE_NAME)
    assert tuple(keys()) == (upcoming, former)


def load(monkeypatch: pytest.MonkeyPatch, **settings: str) -> bytes:
    for name in list(os.environ):
        if name.startswith("CLEARWINDOW_"):
            monkeypatch.delenv(name)
    for name, value in settings.items():
        monkeypatch.setenv(f"CLEARWINDOW_{name.upper()}", value)
    return bytes(keys_of(load_settings())()[0])


def python(script: str) -> str:
    return shlex.join([sys.executable, "-c", script])


def test_key_comes_from_a_file_or_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key"
    path.write_text(f"{NEW}\n")
    assert load(monkeypatch, secret_key_file=str(path)).hex() == NEW
    assert load(monkeypatch, secret_key_command=python(f"print({NEW!r})")).hex() == NEW


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"secret_key_file": "/nonexistent/key"}, "SECRET_KEY_FILE: /nonexistent/key cannot be read: No such file"),
        (
            {"secret_key_command": "/nonexistent/program"},
            "SECRET_KEY_COMMAND: the command cannot be started: No such",
        ),
        ({"secret_key_command": "echo 'open"}, "SECRET_KEY_COMMAND: has a quote without an end"),
        ({"secret_key_command": python("")}, "The output of CLEARWINDOW_SECRET_KEY_COMMAND must hold 32 bytes"),
        ({"secret_key_command": python("print('c2hvcnQ')")}, "SECRET_KEY_COMMAND must hold 32 bytes"),
        (
            {"secret_key_command": python("print('aa' * 32); raise SystemExit(3)")},
            "SECRET_KEY_COMMAND: the command ended with 3, and its output is not used",
        ),
        (
            {"secret_key": NEW, "secret_key_command": "true"},
            "CLEARWINDOW_SECRET_KEY and CLEARWINDOW_SECRET_KEY_COMMAND are set: set only one of them",
        ),
        ({"secret_key": NEW, "other_secret_key": "short"}, "CLEARWINDOW_OTHER_SECRET_KEY must hold 32 bytes"),
    ],
)
def test_key_that_cannot_be_had_is_told_in_one_line(
    settings: dict[str, str], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError) as refused:
        load(monkeypatch, **settings)
    said = str(refused.value)
    assert problem in said
    assert "\n" not in said
    assert not any(secret in said for secret in ("c2hvcnQ", "aaaa", NEW))


def test_command_that_hangs_is_ended_with_what_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_sources, "COMMAND_SECONDS", 2)
    marker = tmp_path / "pid"
    script = f"import os, time; open({str(marker)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {script!r}])"
    with pytest.raises(SettingsError, match="the command did not end within 2 seconds"):
        load(monkeypatch, secret_key_command=python(outer))
    if marker.exists() and marker.read_text():
        # A killed process takes a moment to end.
        becomes(lambda: not is_alive(int(marker.read_text())), seconds=60)
