"""An operator handles its second factor on the command line. Codes and tokens are no arguments."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clearwindow.identity.second_factor import rules
from clearwindow.runtime import Runtime
from tests.cli.conftest import Command
from tests.support.operators import OperatorClient
from tests.support.staff import StaffClient, staff


@pytest.fixture
def ada(runtime: Runtime, base_url: str) -> Iterator[StaffClient]:
    with staff(runtime, base_url, "ada") as made:
        yield made


def second_factor(
    command: Command, monkeypatch: pytest.MonkeyPatch, ada: StaffClient, *arguments: str, typed: str = ""
) -> tuple[int, str, str]:
    monkeypatch.setenv("CLEARWINDOW_TOKEN", ada.token_value)
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    return command("operators", "second-factor", arguments[0], "--url", ada.base_url, *arguments[1:])


def code_of(secret: str, steps: int = 0) -> str:
    padded = secret + "=" * (-len(secret) % 8)
    return rules.totp(base64.b32decode(padded), int(time.time()) // rules.STEP_SECONDS + steps)


def test_operator_enrols_confirms_and_removes(
    command: Command, monkeypatch: pytest.MonkeyPatch, ada: StaffClient, tmp_path: Path
) -> None:
    ended, out, _ = second_factor(command, monkeypatch, ada, "enrol", "--json")
    assert ended == 0
    made = json.loads(out)
    assert made["otpauth"].startswith("otpauth://totp/Clearwindow:ada?")
    assert second_factor(command, monkeypatch, ada, "confirm", typed="000\n")[0] == 1
    ended, out, err = second_factor(command, monkeypatch, ada, "confirm", typed=code_of(made["secret"]) + "\n")
    codes = out.split()
    assert (ended, len(codes)) == (0, rules.RECOVERY_CODES)
    assert "only once" in err
    ended, out, _ = second_factor(command, monkeypatch, ada, "show", "--json")
    shown = {"status": "confirmed", "required": False, "recoveryCodesLeft": 10, "lockedUntil": None}
    assert (ended, json.loads(out)) == (0, shown)
    ended, _, err = second_factor(command, monkeypatch, ada, "remove", typed="\n")
    assert (ended, "There is no code" in err) == (1, True)
    assert second_factor(command, monkeypatch, ada, "remove", typed=codes[0] + "\n")[:2] == (0, "Removed.\n")
    out = second_factor(command, monkeypatch, ada, "show")[1]
    assert "status               none\n" in out
    token_file = tmp_path / "token"
    token_file.write_text("nobody's\n")
    ended, _, err = second_factor(command, monkeypatch, ada, "show", "--token-file", str(token_file))
    assert (ended, "Traceback" in err) == (1, False)


def test_another_operators_second_factor_is_removed(
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    ada: StaffClient,
    runtime: Runtime,
    operator: OperatorClient,
) -> None:
    with staff(runtime, ada.base_url, "ben") as ben:
        secret = json.loads(second_factor(command, monkeypatch, ben, "enrol", "--json")[1])["secret"]
        assert second_factor(command, monkeypatch, ben, "confirm", typed=code_of(secret) + "\n")[0] == 0
        ended, out, _ = second_factor(command, monkeypatch, ada, "remove", "--without-code", "--operator", ben.id)
        assert (ended, out) == (0, "Removed.\n")
        assert "none" in second_factor(command, monkeypatch, ben, "show")[1]
    assert operator.audit_log(action="second_factor.removed")[0]["actorId"] == ada.id
