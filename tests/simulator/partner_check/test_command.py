"""``clearwindow partner-check`` as it is called: what it prints, how it ends, and what it refuses to begin."""

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
from tests.checks_page import PAGE, page
from tests.conformance.exemplary import JSON, Exemplary, Refusal
from tests.conformance.hostile import Hostile
from tests.support.certificates import self_signed
from tests.support.partners import Json, Reaction, answering

runner = CliRunner()
SECRET = "a-token-that-nobody-else-may-read"


class Repeats(Exemplary):
    """Repeats all that it was sent, the connection key too, and takes any key for the network's."""

    def connect(self, body: Json) -> Json:
        return {**body, **super().connect(body), "connectionId": "another"}


class NamesTheKey(Exemplary):
    """Says in a refusal which key it does not know, and would have a terminal do something."""

    def connect(self, body: Json) -> Json:
        raise Refusal(422, f"no account of \x9b2J{body['connectionToken']}")


class Page(Hostile):
    reaction = Reaction(body=b"<!doctype html>\x1b[2J", headers=JSON)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "network.pem"


@pytest.fixture
def connection_key_file(tmp_path: Path) -> Path:
    file = tmp_path / "connection-key.json"
    file.write_text(json.dumps({"schema": "token", "connectionToken": SECRET}))
    return file


def test_an_endpoint_that_is_right_with_a_key_set_of_its_own(key_file: Path) -> None:
    shown = runner.invoke(app, ["partner-check", "--key-file", str(key_file), "--print-jwks"])
    assert shown.exit_code == 0
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    with answering(Exemplary) as partner:
        partner.read_key_set = shown.stdout.encode
        options = ["--url", partner.url, "--key-file", str(key_file), "--no-serve-jwks", "--only", "authentication"]
        ran = runner.invoke(app, ["partner-check", *options, "--skip", "authentication.ahead", "--json"])
    document = json.loads(ran.stdout)
    assert (ran.exit_code, document["passed"]) == (0, True)
    outcomes = {check["id"]: check["outcome"] for check in document["checks"]}
    assert outcomes["authentication.forged"] == outcomes["connections.accepted"] == "passed"
    assert outcomes["authentication.rotated"] == "not run"
    assert not {"authentication.ahead", "robustness.fine"} & set(outcomes)


def test_what_is_found_is_shown_without_any_secret(key_file: Path, connection_key_file: Path) -> None:
    shown = runner.invoke(app, ["partner-check", "--key-file", str(key_file), "--print-jwks"])
    with answering(Repeats) as partner:
        partner.read_key_set = shown.stdout.encode
        options = ["--url", partner.url, "--key-file", str(key_file), "--no-serve-jwks", "--only", "connections"]
        ran = runner.invoke(app, ["partner-check", *options, "--connection-key-file", str(connection_key_file)])
    assert ran.exit_code == 1
    assert "failed: connections.echo" in ran.output
    assert "connectionId is not the one that was sent" in ran.output
    assert '"connectionToken":"•••"' in ran.output
    assert "1 failed" in ran.output
    assert SECRET not in ran.output
    assert "eyJ" not in ran.output


def test_a_key_in_a_refusal_is_not_shown_either(key_file: Path, connection_key_file: Path) -> None:
    shown = runner.invoke(app, ["partner-check", "--key-file", str(key_file), "--print-jwks"])
    with answering(NamesTheKey) as partner:
        partner.read_key_set = shown.stdout.encode
        options = ["--url", partner.url, "--key-file", str(key_file), "--no-serve-jwks", "--only", "connections"]
        options += ["--connection-key-file", str(connection_key_file)]
        for form in ([], ["--json"]):
            ran = runner.invoke(app, ["partner-check", *options, *form])
            assert ran.exit_code == 1
            assert "the answer was no: no account of  2J•••" in ran.output
            assert SECRET not in ran.output


def test_a_page_is_shown_without_what_a_terminal_would_obey() -> None:
    with answering(Page) as partner:
        ran = runner.invoke(app, ["partner-check", "--url", partner.url, "--jwks-port", "0"])
    assert ran.exit_code == 1
    assert "HTTP 200 without a JSON object" in ran.output
    assert "<!doctype html> [2J" in ran.output
    assert "that stand on connections.accepted, which did not pass" in ran.output
    assert "The key set is at http://127.0.0.1:" in ran.output


@pytest.fixture
def tls_port(tmp_path: Path) -> Iterator[int]:
    """Speaks TLS with a certificate that it made itself, for another name."""
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


def test_a_certificate_that_nobody_vouches_for(tls_port: int) -> None:
    ran = runner.invoke(
        app, ["partner-check", "--url", f"https://127.0.0.1:{tls_port}", "--jwks-port", "0", "--json"]
    )
    found = {
        check["id"]: check["why"] for check in json.loads(ran.stdout)["checks"] if check["outcome"] == "failed"
    }
    assert ran.exit_code == 1
    assert found["transport.tls"] == "self-signed certificate"
    assert found["connections.accepted"].endswith("its certificate is not one that is trusted for this name")


@pytest.fixture(scope="module")
def silent_port() -> Iterator[int]:
    """Somebody listens there, and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield listening.getsockname()[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "Say which endpoint with --url."),
        (["--url", "ftp://127.0.0.1"], "--url must be an address that begins with https or http:// and a host."),
        (["--url", "http://exchange.example"], "https:// and a host, unless --allow-private is said."),
        (["--url", "http://10.0.0.1"], "https:// and a host, unless --allow-private is said."),
        (["--url", "http://a..b", "--allow-private"], "--url must name its host, or give the whole of its IP"),
        (["--url", "http://127.0.0.1:1"], "There is nobody at http://127.0.0.1:1: Connection refused."),
        (
            ["--url", "http://127.0.0.1:{port}", "--jwks-port", "{port}"],
            "The key set cannot be served on 127.0.0.1:",
        ),
        (
            ["--url", "http://127.0.0.1:{port}", "--only", "allocation"],
            "There is no check allocation: name one by its id",
        ),
        (["--url", "http://127.0.0.1:{port}", "--callback-path", "x"], "--callback-path must be CALL=PATH"),
        (["--url", "http://127.0.0.1:{port}", "--callback-path", "x=/y"], "--callback-path: there is no call x"),
        (["--url", "http://127.0.0.1:{port}", "--currency", "BTC=-1"], "--currency must be NAME=AMOUNT"),
        (["--url", "http://127.0.0.1:{port}", "--currency", "BTC=0.0"], "--currency must be NAME=AMOUNT"),
        (["--url", "http://127.0.0.1:{port}", "--amount-unit", "base"], "in whole base units"),
        (["--url", "http://127.0.0.1:{port}", "--client-id", "me"], "--client-id must be a UUID in lowercase."),
        (["--url", "http://127.0.0.1:{port}", "--settlement-file", "{file}"], "does not hold JSON."),
        (["--url", "http://127.0.0.1:{port}", "--connection-key-file", "{file}"], "does not hold JSON."),
        (["--url", "http://127.0.0.1:{port}", "--connection-key-file", "/nowhere"], "cannot be read: No such file"),
        (["--key-file", "{file}", "--print-jwks"], "holds no private key in PEM"),
        (["--key-file", "{ec}", "--print-jwks"], "holds no RSA key of 2048 bits or more."),
        (["--print-jwks"], "Say which key is shown with --key-file."),
        (["--url", "http://127.0.0.1:{port}", "--no-serve-jwks"], "Say which key is shown with --key-file."),
    ],
)
def test_what_cannot_be_begun_is_said_in_one_sentence(
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


def test_the_page_is_made_of_the_checks() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.checks_page"
