"""The server as an operator of machines knows it: a process that starts, ends, dies, and starts again."""

from __future__ import annotations

import json
import signal
import stat
from pathlib import Path

from tests.support.http import loopback_client
from tests.support.processes import START_TOKEN, Running, command, serving_folder

OPERATOR_API = "/api/operator/v1"
# An idle machine takes half a second; the suite itself keeps this one busy.
END_SECONDS = 15


def make_enterprise(served: Running, name: str) -> None:
    with loopback_client(base_url=served.url, timeout=60) as client:
        made = client.post(
            f"{OPERATOR_API}/enterprises",
            json={"id": name, "name": name, "licensed": True},
            headers={"Authorization": f"Bearer {START_TOKEN}"},
        )
    assert made.status_code == 200, made.text


def test_a_server_starts_serves_and_ends_in_order(open_folder: Path) -> None:
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


def test_what_was_answered_outlives_a_killed_server(open_folder: Path) -> None:
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
