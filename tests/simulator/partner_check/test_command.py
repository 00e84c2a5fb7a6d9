"""``clearwindow partner-check``: its output, its exit codes and its errors."""

from __future__ import annotations

import json
import socket
import ssl
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

from clearwindow.cli.main import app
from tests.simulator.partner_check.correct_partner import JSON, CorrectPartner, Refusal
from tests.simulator.partner_check.invalid_answers import InvalidAnswer
from tests.support.certificates import self_signed
from tests.support.partners import Json, Reaction, answering
from tools.checks_page import PAGE, page

runner = CliRunner()
SECRET = "a-token-that-nobody-else-may-read"


class RepeatsBody(CorrectPartner):
    """Repeats the whole body in its answer, including the connection key, with a wrong connectionId."""

    def connect(self, body: Json) -> Json:
        return {**body, **super().connect(body), "connectionId": "another"}


class QuotesKey(CorrectPartner):
    """Quotes the connection key in a refusal, with a control character."""

    def connect(self, body: Json) -> Json:
        raise Refusal(422, f"no account of \x9b2J{body['connectionToken']}")


class AnswersWithPage(InvalidAnswer):
    reaction = Reaction(body=b"<!doctype html>\x1b[2J", headers=JSON)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "network.pem"


@pytest.fixture
def connection_key_file(tmp_path: Path) -> Path:
    file = tmp_path / "connection-key.json"
    file.write_text(json.dumps({"schema": "token", "connectionToken": SECRET}))
    return file


def test_a_correct_endpoint_passes_with_a_printed_key_set(key_file: Path) -> None:
    shown = runner.invoke(app, ["partner-check", "--key-file", str(key_file), "--print-jwks"])
    assert shown.exit_code == 0
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    with answering(CorrectPartner) as partner:
        partner.read_key_set = shown.stdout.encode
        options = ["--url", partner.url, "--key-file", str(key_file), "--no-serve-jwks", "--only", "authentication"]
        ran = runner.invoke(app, ["partner-check", *options, "--skip", "authentication.ahead", "--json"])
    document = json.loads(ran.stdout)
    assert (ran.exit_code, document["passed"]) == (0, True)
    outcomes = {check["id"]: check["outcome"] for check in document["checks"]}
    assert outcomes["authentication.forged"] == outcomes["connections.accepted"] == "passed"
    assert outcomes["authentication.rotated"] == "not run"
    assert not {"authentication.ahead", "robustness.fine"} & set(outcomes)


def test_findings_are_printed_without_secrets(key_file: Path, connection_key_file: Path) -> None:
    shown = runner.invoke(app, ["partner-check", "--key-file", str(key_file), "--print-jwks"])
    with answering(RepeatsBody) as partner:
        partner.read_key_set = shown.stdout.encode
        options = ["--url", partner.url, "--key-file", str(key_file), "--no-serve-jwks", "--only", "connections"]
        ran = runner.invoke(app, ["partner-check", *options, "--connection-key-file", str(connection_key_file)])
    assert ran.exit_code == 1
    assert "failed: connections.echo" in ran.output
    assert "connectionId differs from the one that was sent" in ran.output
    assert '"connectionToken":"•••"' in ran.output
    assert "1 failed" in ran.output
    assert SECRET not in ran.output
    assert "eyJ" not in ran.output


def test_a_key_in_a_refusal_is_not_printed(key_file: Path, connection_key_file: Path) -> None:
    shown = runner.invoke(app, ["partner-check", "--key-file", str(key_file), "--print-jwks"])
    with answering(QuotesKey) as partner:
        partner.read_key_set = shown.stdout.encode
        options = ["--url", partner.url, "--key-file", str(key_file), "--no-serve-jwks", "--only", "connections"]
        options += ["--connection-key-file", str(connection_key_file)]
        for form in ([], ["--json"]):
            ran = runner.invoke(app, ["partner-check", *options, *form])
            assert ran.exit_code == 1
            said = json.dumps(json.loads(ran.output), ensure_ascii=False) if form else ran.output
            assert "it was refused: no account of  2J•••" in said
            assert SECRET not in ran.output


def test_an_answer_is_printed_without_control_characters() -> None:
    with answering(AnswersWithPage) as partner:
        ran = runner.invoke(app, ["partner-check", "--url", partner.url, "--jwks-port", "0"])
    assert ran.exit_code == 1
    assert "HTTP 200 without a JSON object" in ran.output
    assert "<!doctype html> [2J" in ran.output
    assert "checks that need connections.accepted, which did not pass" in ran.output
    assert "The key set is at http://127.0.0.1:" in ran.output


@pytest.fixture
def tls_port(tmp_path: Path) -> Iterator[int]:
    """Serves TLS with a self-signed certificate for another name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed("exchange.example", tmp_path))
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    plain, _ = listening.accept()
                    with suppress(OSError), plain, context.wrap_socket(plain, server_side=True):
                        pass

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def test_a_self_signed_certificate_fails(tls_port: int) -> None:
    ran = runner.invoke(
        app, ["partner-check", "--url", f"https://127.0.0.1:{tls_port}", "--jwks-port", "0", "--json"]
    )
    found = {
        check["id"]: check["why"] for check in json.loads(ran.stdout)["checks"] if check["outcome"] == "failed"
    }
    assert ran.exit_code == 1
    assert found["transport.tls"] == "self-signed certificate"
    assert found["connections.accepted"].endswith("its certificate is not trusted for this name")


@pytest.fixture(scope="module")
def silent_port() -> Iterator[int]:
    """A server that accepts connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield listening.getsockname()[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "Name the endpoint with --url."),
        (["--url", "ftp://127.0.0.1"], "--url must be an address that begins with https or http:// and a host."),
        (["--url", "http://exchange.example"], "https:// and a host, unless --allow-private is given."),
        (["--url", "http://10.0.0.1"], "https:// and a host, unless --allow-private is given."),
        (["--url", "http://a..b", "--allow-private"], "--url must name its host, or give the whole of its IP"),
        (["--url", "http://127.0.0.1:1"], "Cannot connect to http://127.0.0.1:1: Connection refused."),
        (
            ["--url", "http://127.0.0.1:{port}", "--jwks-port", "{port}"],
            "The key set cannot be served on 127.0.0.1:",
        ),
        (
            ["--url", "http://127.0.0.1:{port}", "--only", "allocation"],
            "There is no check allocation: use the id of a check",
        ),
        (["--url", "http://127.0.0.1:{port}", "--callback-path", "x"], "--callback-path must be CALL=PATH"),
        (["--url", "http://127.0.0.1:{port}", "--callback-path", "x=/y"], "--callback-path: there is no call x"),
        (["--url", "http://127.0.0.1:{port}", "--currency", "BTC=-1"], "--currency must be NAME=AMOUNT"),
        (["--url", "http://127.0.0.1:{port}", "--currency", "BTC=0.0"], "--currency must be NAME=AMOUNT"),
        (["--url", "http://127.0.0.1:{port}", "--amount-unit", "base"], "in whole base units"),
        (["--url", "http://127.0.0.1:{port}", "--client-id", "me"], "--client-id must be a UUID in lowercase."),
        (["--url", "http://127.0.0.1:{port}", "--settlement-file", "{file}"], "does not contain valid JSON."),
        (["--url", "http://127.0.0.1:{port}", "--connection-key-file", "{file}"], "does not contain valid JSON."),
        (["--url", "http://127.0.0.1:{port}", "--connection-key-file", "/nowhere"], "cannot be read: No such file"),
        (["--key-file", "{file}", "--print-jwks"], "has no private key in PEM format"),
        (["--key-file", "{ec}", "--print-jwks"], "has no RSA key of 2048 bits or more."),
        (["--print-jwks"], "Name the key with --key-file."),
        (["--url", "http://127.0.0.1:{port}", "--no-serve-jwks"], "Name the key with --key-file."),
    ],
)
def test_invalid_options_get_a_one_sentence_error(
    options: list[str], said: str, silent_port: int, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text(f"{{{SECRET}")
    private = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "ec").write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    names = {"port": silent_port, "file": tmp_path / "file", "ec": tmp_path / "ec"}
    ran = runner.invoke(app, ["partner-check", *(option.format(**names) for option in options)])
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert said in ran.stderr
    assert ran.stderr.startswith("clearwindow: ")
    assert ran.stderr.count("\n") == 1
    assert SECRET not in ran.stderr


def test_the_reference_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tools.checks_page"
