import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from clearwindow.cli.keys import XPRV_VARIABLE, keys_app, sign
from clearwindow.signing.keys import PrivateKey, parse_public_key
from clearwindow.signing.message import verify_message
from tests.signing.samples import PAYLOAD, SIGNATURE, XPRV, vector_key

app = typer.Typer()
app.add_typer(keys_app, name="keys")
app.command("sign")(sign)
runner = CliRunner()


@pytest.fixture(autouse=True)
def _no_key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(XPRV_VARIABLE, raising=False)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(f"{XPRV}\n")
    path.chmod(0o600)
    return path


def test_generate_prints_a_pair_and_says_which_is_secret() -> None:
    result = runner.invoke(app, ["keys", "generate"])
    assert result.exit_code == 0
    printed = dict(line.split() for line in result.stdout.splitlines())
    assert list(printed) == ["xprv", "xpub"]
    assert parse_public_key(printed["xpub"]) == PrivateKey.parse(printed["xprv"]).public_key
    assert "The xprv is the secret" in result.stderr


def test_generated_keys_differ() -> None:
    results = [runner.invoke(app, ["keys", "generate", "--json"]) for _ in range(3)]
    assert len({json.loads(result.stdout)["xprv"] for result in results}) == 3


def test_generate_into_a_file_keeps_the_secret_off_the_screen(tmp_path: Path) -> None:
    path = tmp_path / "key"
    result = runner.invoke(app, ["keys", "generate", "--out", str(path), "--json"])
    assert result.exit_code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = PrivateKey.parse(path.read_text().strip())
    assert json.loads(result.stdout) == {"xpub": key.xpub}
    assert "xprv9" not in result.output


def test_generate_never_overwrites_a_key(key_file: Path) -> None:
    result = runner.invoke(app, ["keys", "generate", "--out", str(key_file)])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "cannot be written" in result.stderr
    assert key_file.read_text() == f"{XPRV}\n"


def test_sign_prints_the_vectors_signature_and_the_payload(key_file: Path) -> None:
    result = runner.invoke(app, ["sign", "--key-file", str(key_file)], input=PAYLOAD)
    assert result.exit_code == 0
    assert result.stdout_bytes == f"{SIGNATURE}\n{PAYLOAD}".encode()
    assert result.stderr == ""


@pytest.mark.parametrize("raw", ['{"é":"😀"}', '{ "a" : 1 }\n', '{"a":1}\r\n\r\n', '\n{"a":\t1}'])
def test_signed_payload_is_printed_byte_for_byte(tmp_path: Path, key_file: Path, raw: str) -> None:
    payload_file = tmp_path / "payload"
    payload_file.write_bytes(raw.encode())
    arguments = ["sign", "--key-file", str(key_file), "--payload-file", str(payload_file)]
    plain, as_json = runner.invoke(app, arguments), runner.invoke(app, [*arguments, "--json"])
    signature, payload = plain.stdout_bytes.split(b"\n", 1)
    assert payload == raw.encode()
    assert json.loads(as_json.stdout) == {"payload": raw, "signature": signature.decode()}
    assert verify_message([vector_key().public_key], raw, signature.decode()) is not None
    assert ("line break" in plain.stderr) == raw.endswith("\n")


def test_sign_takes_the_key_from_the_environment() -> None:
    result = runner.invoke(app, ["sign"], input=PAYLOAD, env={XPRV_VARIABLE: XPRV})
    assert result.stdout.startswith(SIGNATURE)


def test_sign_without_a_key_says_where_to_put_it() -> None:
    result = runner.invoke(app, ["sign"], input=PAYLOAD)
    assert result.exit_code == 1
    assert "--key-file" in result.stderr
    assert XPRV_VARIABLE in result.stderr


def test_key_is_not_accepted_as_an_argument() -> None:
    assert runner.invoke(app, ["sign", XPRV], input=PAYLOAD).exit_code == 2
    text = " ".join(runner.invoke(app, ["sign", "--help"]).output.split())
    assert "never as an argument" in text


def test_key_file_that_others_can_read_gives_a_warning(key_file: Path) -> None:
    key_file.chmod(0o644)
    result = runner.invoke(app, ["sign", "--key-file", str(key_file)], input=PAYLOAD)
    assert result.exit_code == 0
    assert "chmod 600" in result.stderr


@pytest.mark.parametrize("content", [b"", b"xprv9nonsense", XPRV[:-1].encode(), b"\xff\xfe" + XPRV.encode()])
def test_damaged_key_file_is_refused_and_not_quoted(key_file: Path, content: bytes) -> None:
    key_file.write_bytes(content)
    result = runner.invoke(app, ["sign", "--key-file", str(key_file)], input=PAYLOAD)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert XPRV[4:20] not in result.stderr
    assert result.stderr.endswith(".\n")


@pytest.mark.parametrize(
    ("payload", "expected"),
    [(b"", "not valid JSON"), (b"[]", "object"), (b'{"a":1,"a":2}', "occurs twice"), (b"\xff", "UTF-8")],
)
def test_payload_that_the_server_would_refuse_is_not_signed(key_file: Path, payload: bytes, expected: str) -> None:
    result = runner.invoke(app, ["sign", "--key-file", str(key_file)], input=payload)
    assert (result.exit_code, result.stdout) == (1, "")
    assert expected in result.stderr


def test_missing_files_are_named(tmp_path: Path, key_file: Path) -> None:
    missing = tmp_path / "missing"
    for arguments in (
        ["--key-file", str(missing)],
        ["--key-file", str(key_file), "--payload-file", str(missing)],
    ):
        result = runner.invoke(app, ["sign", *arguments], input=PAYLOAD)
        assert result.exit_code == 1
        assert f"{missing} cannot be read: No such file" in result.stderr


def test_sign_adds_what_the_payload_is_for(key_file: Path) -> None:
    arguments = ["sign", "--key-file", str(key_file), "--json", "--operation", "allocation"]
    ids = ["--id", "enterpriseId=aster", "--id", "connectionId=7b4f"]
    before = datetime.now(UTC)
    result = runner.invoke(app, [*arguments, *ids, "--amount-unit", "base"], input='{"amount":1.50}')
    assert (result.exit_code, result.stderr) == (0, "")
    printed = json.loads(result.stdout)
    said = json.loads(printed["payload"])
    expires_at = datetime.fromisoformat(said.pop("expiresAt"))
    assert timedelta(minutes=9) < expires_at - before < timedelta(minutes=30)
    assert said == {
        "amount": 1.5,
        "operation": "allocation",
        "enterpriseId": "aster",
        "connectionId": "7b4f",
        "amountUnit": "base",
    }
    key = PrivateKey.parse(XPRV)
    assert verify_message([key.public_key], printed["payload"], printed["signature"]) == key.public_key
    longer = runner.invoke(app, [*arguments, *ids, "--expires-in-minutes", "43200"], input="{}")
    said = json.loads(json.loads(longer.stdout)["payload"])
    assert datetime.fromisoformat(said["expiresAt"]) - before > timedelta(days=29)
    assert "amountUnit" not in said


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ([], "connectionId"),
        (["--id", "enterpriseId=aster"], "connectionId"),
        (["--id", "enterpriseId=a", "--id", "connectionId="], "connectionId"),
        (["--id", "enterpriseId=a", "--id", "connectionId=c", "--id", "disputeId=d"], "connectionId"),
        (["--id", "enterpriseId=a", "--id", "connectionId=c", "--id", "connectionId=d"], "connectionId"),
        (["--id", "enterpriseId=a", "--id", "connectionId=c", "--expires-in-minutes", "43201"], "43200"),
        (["--id", "enterpriseId=a", "--id", "connectionId=c", "--amount-unit", "coins"], "amount-unit"),
    ],
)
def test_sign_refuses_wrong_ids_units_and_times(key_file: Path, more: list[str], expected: str) -> None:
    arguments = ["sign", "--key-file", str(key_file), "--operation", "allocation", *more]
    result = runner.invoke(app, arguments, input="{}")
    assert (result.exit_code, result.stdout) == (2, "")
    assert expected in result.stderr
