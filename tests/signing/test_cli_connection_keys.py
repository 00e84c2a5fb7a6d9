"""Encryption and decryption of connection keys on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clearwindow.cli.main import app
from tests.support.connection_keys import CLEAR, ENCRYPTED, PRIVATE_PEM, PUBLIC_PEM

runner = CliRunner()


@pytest.fixture
def public_key(tmp_path: Path) -> str:
    path = tmp_path / "partner.pub"
    path.write_text(PUBLIC_PEM)
    return str(path)


@pytest.fixture
def private_key(tmp_path: Path) -> str:
    path = tmp_path / "partner.key"
    path.write_text(PRIVATE_PEM)
    return str(path)


def test_partner_decrypts_what_the_client_encrypts(public_key: str, private_key: str) -> None:
    encrypt = ["keys", "encrypt-connection-key", "--public-key-file", public_key]
    decrypt = ["keys", "decrypt-connection-key", "--private-key-file", private_key]
    encrypted = runner.invoke(app, encrypt, input=f"{CLEAR}\n")
    assert encrypted.exit_code == 0
    assert CLEAR not in encrypted.output
    read = runner.invoke(app, decrypt, input=encrypted.stdout)
    assert (read.exit_code, read.stdout) == (0, f"{CLEAR}\n")
    as_json = json.loads(runner.invoke(app, [*encrypt, "--json"], input=CLEAR).stdout)
    read = runner.invoke(app, [*decrypt, "--json"], input=as_json["encrypted"])
    assert json.loads(read.stdout) == {"clear": CLEAR}


def test_each_error_is_one_line(public_key: str, private_key: str, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for command, given, why in (
        (["encrypt-connection-key", "--public-key-file", public_key], "", "nothing to encrypt"),
        (["encrypt-connection-key", "--public-key-file", private_key], "x", "private key, now disclosed"),
        (["encrypt-connection-key", "--public-key-file", str(tmp_path / "none")], "x", "cannot be read"),
        (["encrypt-connection-key", "--public-key-file", str(tmp_path / "binary")], "x", "text in UTF-8"),
        (["decrypt-connection-key", "--private-key-file", public_key], ENCRYPTED, "private key must be"),
        (["decrypt-connection-key", "--private-key-file", private_key], "x\ny", "is not base64"),
    ):
        result = runner.invoke(app, ["keys", *command], input=given)
        assert (result.exit_code, result.stdout) == (1, "")
        assert why in result.stderr
