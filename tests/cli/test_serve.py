"""The server as a process: it starts, stops, is killed, and starts again."""

from __future__ import annotations

import json
import signal
import ssl
import stat
import subprocess
import time
from pathlib import Path

from tests.support.certificates import self_signed
from tests.support.http import loopback_client
from tests.support.long import long
from tests.support.processes import START_TOKEN, TIMEOUT_SECONDS, Running, command, serving_folder
from tests.support.raw_http import connected, read_answer, read_to_end

OPERATOR_API = "/api/operator/v1"
# Half a second on an idle machine. The other tests keep this one busy.
END_SECONDS = 15


def make_enterprise(served: Running, name: str) -> None:
    with loopback_client(base_url=served.url, timeout=60) as client:
        made = client.post(
            f"{OPERATOR_API}/enterprises",
            json={"id": name, "name": name, "licensed": True},
            headers={"Authorization": f"Bearer {START_TOKEN}"},
        )
    assert made.status_code == 200, made.text


def test_server_starts_serves_and_stops_cleanly(open_folder: Path) -> None:
    data = open_folder / "orderly"
    with serving_folder(data) as served:
        assert served.said["dataDir"] == str(data)
        assert served.get("/healthz").json() == {"status": "ok"}
        ready = served.get("/readyz")
        assert (ready.status_code, ready.json()["ready"]) == (200, True)
        assert stat.S_IMODE((data / "secret.key").stat().st_mode) == 0o600

        second = command("serve", "--port", "0", "--data", str(data))
        assert second.returncode == 1
        assert second.stdout == ""
        in_use = f"clearwindow: The data folder {data} is in use by process {served.process.pid}: "
        assert second.stderr.startswith(in_use)
        assert second.stderr.count("\n") == 1

        made = command("token", "create", "--operator", "ada", "--data", str(data), "--json")
        token = json.loads(made.stdout)["token"]["value"]
        assert served.get(f"{OPERATOR_API}/currencies", token).status_code == 200
        assert served.get(f"{OPERATOR_API}/currencies", token + "x").status_code == 401

        code, seconds = served.end()
        assert code == 0
        assert seconds < END_SECONDS
    log = served.log.read_text()
    assert token not in log
    assert START_TOKEN not in log
    lines = [json.loads(line) for line in log.splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    assert [line["status"] for line in requests] == [200, 401]
    assert all(line["request_id"] and line["route"] == f"{OPERATOR_API}/currencies" for line in requests)


@long
def test_answered_requests_survive_a_killed_server(open_folder: Path) -> None:
    data = open_folder / "killed"
    with serving_folder(data) as served:
        make_enterprise(served, "acme")
        assert served.end(signal.SIGKILL)[0] == -signal.SIGKILL
    with serving_folder(data) as again:
        audit = again.get(f"{OPERATOR_API}/audit-log?subjectId=acme").json()["records"]
        assert [record["action"] for record in audit] == ["enterprise.created"]
        assert again.end(signal.SIGINT)[0] == 0
    checked = command("check", "--data", str(data), "--json")
    assert (checked.returncode, json.loads(checked.stdout)["ok"]) == (0, True)


def test_make_serves_on_another_port_and_folder() -> None:
    made = subprocess.run(
        ["make", "--dry-run", "serve", "PORT=9000", "DATA=./else where"],  # noqa: S607 - whichever make is there
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert 'clearwindow serve --host 127.0.0.1 --port "9000" --data "./else where"' in made.stdout


def test_request_under_way_is_finished_when_the_server_is_stopped(open_folder: Path) -> None:
    body = b'{"id": "acme", "name": "Acme", "licensed": true}'
    with (
        serving_folder(open_folder / "stopped") as served,
        connected(served.url) as half,
        connected(served.url) as one,
    ):
        half.sendall(b"GET /healthz HTTP/1.1\r\n")
        one.sendall(
            f"POST {OPERATOR_API}/enterprises HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {START_TOKEN}\r\n"
            f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        )
        assert one.recv(100).startswith(b"HTTP/1.1 100 ")
        served.process.send_signal(signal.SIGTERM)
        # It is closed at once, so the server is stopping when the body is sent.
        assert read_to_end(half) == b""
        one.sendall(body)
        assert read_answer(one).status == 200
        assert served.process.wait(END_SECONDS) == 0


def test_server_with_tls_reads_its_certificate_again_on_sighup(open_folder: Path, tmp_path: Path) -> None:
    def certificate() -> str:
        with connected(served.url) as plain, trusting.wrap_socket(plain) as connection:
            shown = connection.getpeercert(binary_form=True)
            assert shown is not None
            return ssl.DER_cert_to_PEM_cert(shown)

    file, newer = self_signed("server.example", tmp_path), self_signed("newer.example", tmp_path)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    options = ("--tls-certificate", str(file), "--tls-key", str(file))
    with serving_folder(open_folder / "tls", *options) as served:
        assert served.url.startswith("https://")
        first = certificate()
        file.write_text("not a certificate")
        served.process.send_signal(signal.SIGHUP)
        await_log(served, "certificates_not_reloaded")
        assert certificate() == first
        file.write_bytes(newer.read_bytes())
        served.process.send_signal(signal.SIGHUP)
        await_log(served, "certificates_reloaded")
        assert certificate() in newer.read_text()
        assert served.end()[0] == 0


def await_log(served: Running, event: str) -> None:
    give_up_at = time.monotonic() + TIMEOUT_SECONDS
    while f'"{event}"' not in served.log.read_text():
        assert time.monotonic() < give_up_at, event
        time.sleep(0.02)


def test_half_of_tls_is_refused_before_anything_starts(tmp_path: Path) -> None:
    file = self_signed("server.example", tmp_path)
    refused = command("serve", "--port", "0", "--data", str(tmp_path / "data"), "--tls-certificate", str(file))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "clearwindow: TLS needs both, --tls-certificate and --tls-key.\n"
    assert not (tmp_path / "data").exists()
