"""Commands with a database by URL, run in this process: their output and exit codes."""

from __future__ import annotations

import json
import socket
from datetime import datetime
from pathlib import Path
from typing import Final

import psycopg
import pytest
from psycopg.types.json import Jsonb

from clearwindow.identity import rules
from clearwindow.identity.enterprises import add_user, ensure_enterprise
from clearwindow.identity.models import Enterprise, TrustOrg, User
from clearwindow.runtime import Runtime
from tests.cli.conftest import Command


def test_operator_gets_a_token_from_the_shell(command: Command, runtime: Runtime) -> None:
    code, printed, note = command("token", "create", "--operator", "ada", "--expires-in-days", "1.5")
    assert (code, note) == (0, "The token is shown only once.\n")
    with runtime.transaction() as tx:
        (made,) = tx.records(
            "SELECT operator.name, expires_at > now() + interval '1 day' AS in_time FROM access_token"
            " JOIN operator ON operator.id = operator_id WHERE token_sha256 = %(sha256)s",
            sha256=rules.token_sha256(printed.strip()),
        )
        (record,) = tx.records("SELECT * FROM audit_record WHERE action = 'token.created'")
    assert made == {"name": "ada", "in_time": True}
    assert str(record["request_id"]).startswith("command-line-")
    assert printed.strip() not in str(record)


def test_member_gets_a_token_from_the_shell(command: Command, runtime: Runtime) -> None:
    with runtime.transaction() as tx:
        now = tx.now()
        ensure_enterprise(
            tx, Enterprise("acme", "Acme", TrustOrg.TRUST, licensed=True, created_at=now, updated_at=now)
        )
        add_user(tx, "acme", User("u1", "Ada", None, now))
    member = ("token", "create", "--enterprise", "acme", "--user", "u1", "--json")
    code, printed, _ = command(*member)
    assert code == 0
    assert json.loads(printed)["token"]["scopes"] == ["settlement_network_read", "settlement_network_write"]
    _, printed, _ = command(*member, "--scope", "settlement_network_read", "--label", "reports")
    token = json.loads(printed)["token"]
    assert (token["scopes"], token["label"]) == (["settlement_network_read"], "reports")
    _, printed, _ = command(*member, "--kind", "v2x")
    assert json.loads(printed)["token"]["value"].startswith("v2x")
    assert command(*member, "--kind", "v3x")[0] == 2
    assert command(*member, "--scope", "everything")[0] == 2
    assert command("token", "create", "--enterprise", "acme", "--user", "stranger")[::2] == (
        2,
        "clearwindow: userId: the enterprise has no member with this id\n",
    )
    assert command("token", "create", "--enterprise", "nobody", "--user", "u1")[0] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--enterprise", "acme"),
        ("--user", "u1"),
        ("--operator", "ada", "--user", "u1"),
        ("--operator", "ada", "--scope", "settlement_network_read"),
    ],
)
def test_token_needs_either_an_operator_or_a_member(command: Command, arguments: tuple[str, ...]) -> None:
    code, printed, said = command("token", "create", *arguments)
    assert (code, printed) == (2, "")
    assert "--operator NAME, or --enterprise ID and --user ID" in said


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("--operator", ""), "--operator"),
        (("--operator", "a" * 256), "--operator"),
        (("--operator", "ada", "--label", ""), "--label"),
        (("--operator", "ada", "--label", "a" * 256), "--label"),
        (("--enterprise", "acme", "--user", "u1", "--label", "a" * 256), "--label"),
    ],
)
def test_name_or_label_of_wrong_length_makes_no_token(
    command: Command, runtime: Runtime, arguments: tuple[str, ...], option: str
) -> None:
    code, printed, said = command("token", "create", *arguments)
    assert (code, printed) == (2, "")
    assert said == f"clearwindow: {option}: must have 1 to 255 characters\n"
    with runtime.transaction() as tx:
        assert tx.scalars(int, "SELECT count(*) FROM access_token") == [0]


def test_token_from_the_shell_is_bound_to_networks(command: Command, runtime: Runtime) -> None:
    options = ("--allow-from", "192.0.2.9/24", "--allow-from", "192.0.2.0/24", "--allow-from", "2001:db8::1")
    code, printed, _ = command("token", "create", "--operator", "ada", "--json", *options)
    assert code == 0
    assert json.loads(printed)["token"]["ipAllowList"] == ["192.0.2.0/24", "2001:db8::1/128"]
    refused = command("token", "create", "--operator", "ada", "--allow-from", "everywhere")
    assert refused[:2] == (2, "")
    assert refused[2] == ("clearwindow: --allow-from: must be an IP address or a network such as 192.0.2.0/24\n")
    with runtime.transaction() as tx:
        assert tx.scalars(int, "SELECT count(*) FROM access_token") == [1]


def test_expiry_from_the_shell_is_a_whole_millisecond(command: Command, runtime: Runtime) -> None:
    assert command("token", "create", "--operator", "ada", "--expires-in-days", "0.123456789")[0] == 0
    with runtime.transaction() as tx:
        (expires_at,) = tx.scalars(datetime, "SELECT expires_at FROM access_token")
    assert expires_at.microsecond % 1000 == 0


def test_migrate_lists_what_it_applied(command: Command, dsn: str) -> None:
    assert command("migrate") == (0, "The database is up to date.\n", "")
    assert command("migrate", "--json")[1] == '{"applied": []}\n'
    with psycopg.connect(dsn) as connection:
        connection.execute("INSERT INTO schema_migration (name, sha256) VALUES ('9999_newer', 'x')")
    code, printed, said = command("migrate")
    assert (code, printed) == (1, "")
    assert "9999_newer" in said


def test_check_lists_kept_and_broken_invariants(command: Command, dsn: str) -> None:
    code, printed, _ = command("check")
    assert code == 0
    assert "  ok  no balance is negative" in printed
    with psycopg.connect(dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "INSERT INTO ledger_entry SELECT (jsonb_populate_record(NULL::ledger_entry, %s)).*", [ENTRY]
        )
        connection.execute("INSERT INTO entry_posting VALUES (1, 0, 1, true, 5, 0)")
    code, printed, _ = command("check")
    assert code == 1
    assert "BROKEN  violated: every journal entry sums to zero (1 rows)" in printed
    code, printed, _ = command("check", "--json")
    assert (code, json.loads(printed)["ok"]) == (1, False)


def test_check_verifies_signatures_if_asked(command: Command, dsn: str) -> None:
    code, printed, _ = command("check", "--signatures")
    assert (code, printed.splitlines()[-1]) == (0, "Signed requests verified: 0.")
    assert "  ok  every signature is valid" in printed
    with psycopg.connect(dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "INSERT INTO nonce (enterprise_id, nonce, request_sha256, used_at, kept_texts)"
            " VALUES ('aster', 'n', '', now(), 1), ('aster', 'older', '', now(), 0)"
        )
        connection.execute(
            "INSERT INTO connection SELECT (jsonb_populate_record(NULL::connection, %s)).*", [OLD_CONNECTION]
        )
    code, printed, _ = command("check", "--signatures")
    assert code == 1
    assert "enterprise_id=aster, nonce=n, stated=1, texts=0" in printed
    older = "Made before evidence was kept, so that there is no signature to verify: 1 connections."
    assert printed.splitlines()[-1] == older
    code, printed, _ = command("check", "--signatures", "--json")
    answer = json.loads(printed)
    assert (code, answer["ok"]) == (1, False)
    assert answer["signatures"] == {"verified": 0, "madeBeforeEvidence": {"connections": 1}}
    assert "nonce=n" not in command("check")[1]


def test_check_does_not_make_or_change_a_database(command: Command, tmp_path: Path, dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("DROP TABLE schema_migration")
    code, _, said = command("check")
    assert (code, said) == (1, "clearwindow: The database has another version: run clearwindow migrate first.\n")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://someone:hunter2@127.0.0.1:1/x", "The database cannot be used: "),
        ("hunter2 hunter2", "The database URL is malformed: "),
    ],
)
def test_unreachable_database_is_reported_in_one_line(
    command: Command, monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    monkeypatch.setenv("CLEARWINDOW_DATABASE_URL", url)
    code, printed, line = command("migrate")
    assert (code, printed) == (1, "")
    assert line.startswith(f"clearwindow: {said}")
    assert line.count("\n") == 1
    assert "hunter2" not in line


def test_wrong_setting_is_reported_in_one_line(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEARWINDOW_DATABASE_CONNECTIONS", "many")
    code, _, line = command("check")
    assert code == 2
    said = "clearwindow: CLEARWINDOW_DATABASE_CONNECTIONS: must be a whole number from 2 to 500\n"
    assert line == said


def test_address_in_use_is_reported_in_one_line(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearwindow.core.logs.configure_logging", lambda _level: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, line = command("serve", "--port", str(taken.getsockname()[1]))
    assert code == 1
    assert line.endswith("Address already in use. Choose another port with --port.\n")
    code, _, line = command("serve", "--host", "nowhere.invalid")
    assert code == 1
    assert line.startswith("clearwindow: There is no address nowhere.invalid")


def test_version_is_printed(command: Command) -> None:
    assert command("--version")[1].startswith("0.")


OLD_CONNECTION: Final = Jsonb(
    {
        "id": "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39",
        "partner_id": "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39",
        "client_id": "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39",
        "network_account_id": "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39",
        "name": "n",
        "active": True,
        "encrypted_key": "",
        "nonce": "n",
        "proof": "p",
        "initiated_by": "u",
        "created_at": "2026-01-05T00:00:00Z",
        "updated_at": "2026-01-05T00:00:00Z",
        "before_evidence": True,
    }
)
ENTRY = json.dumps(
    {
        "number": 1,
        "id": "00000000-0000-0000-0000-000000000001",
        "partner_id": "00000000-0000-0000-0000-000000000000",
        "kind": "settlement_held",
        "cause_id": "00000000-0000-0000-0000-000000000002",
        "created_at": "2026-01-05T12:00:00Z",
    }
)
