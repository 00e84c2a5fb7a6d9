"""Builds nothing: starts what ``tools.container`` built, and looks at it from inside and outside."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx2

from clearwindow.postgres.embedded.account import reachable_binaries
from clearwindow.postgres.embedded.binaries import find_binaries
from clearwindow.postgres.embedded.home import Home
from clearwindow.simulator.server import ALONE, temporary_folder
from tests.container.services import Services, compose_file, inside
from tests.postgres.plain_clusters import plain_cluster
from tests.support.http import loopback_client
from tests.support.networks import Network, ok
from tests.support.operators import OperatorClient
from tests.support.ports import reserved_port
from tests.support.settlements import fields_of
from tools.container import IMAGE, podman, size_bytes, with_own_cgroups

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "how-to" / "run-in-containers.md"
_PATIENCE_SECONDS: Final = 60
_FUNDS: Final = {"ofcbtc": 10_000}
_ABSENT: Final = ("gcc", "cc", "make", "pip", "git", "curl", "wget")


def follow_the_page(folder: Path, home: Home) -> Path:
    """Makes the secrets as the page says, and the database as the Compose file does.

    Returns:
        the folder of the secrets.
    """
    etc = folder / "etc"
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (secrets,) = (block for block in blocks if "openssl" in block)
    # Only podman, as root, reaches the folder; the database of this run is beside the containers.
    steps = secrets.replace("/etc/clearwindow", str(etc)).replace(
        "@database/clearwindow", "@/clearwindow?host=/run/postgresql"
    )
    _bash(steps, {})
    given = {
        "PATH": f"{reachable_binaries(find_binaries(), home.account).bin_dir}:{os.environ['PATH']}",
        "PGHOST": str(home.socket_dir),
        "CLEARWINDOW_SECRETS": str(etc),
    }
    _bash("deploy/compose/database.sh", given)
    return etc


def _bash(text: str, more: Mapping[str, str]) -> None:
    command = ["/bin/bash", "-euo", "pipefail", "-c", text]
    done = subprocess.run(  # noqa: S603 - our own page and script
        command, cwd=ROOT, env={**os.environ, **more}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def await_answer(url: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with loopback_client(timeout=5) as client:
        while True:
            try:
                answer = client.get(url)
            except httpx2.TransportError:
                assert time.monotonic() < deadline, f"{url} does not answer"
            else:
                if answer.status_code == httpx2.codes.OK:
                    return
                assert time.monotonic() < deadline, answer.text
            time.sleep(0.02)


def look_inside(container: str) -> None:
    """Fails if the process may do more than it must, or the image has what it should not."""
    status = inside(container, "cat", "/proc/1/status").stdout
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert facts["Uid"].split() == ["10001"] * 4, facts["Uid"]
    assert {int(facts[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb")} == {0}
    assert facts["NoNewPrivs"] == "1"
    for folder in ("/", "/opt/clearwindow", "/run/secrets", "/etc", "/var"):
        written = inside(container, "touch", f"{folder}/new")
        assert "Read-only file system" in written.stderr, (folder, written)
    assert inside(container, "touch", "/tmp/new").returncode == 0  # noqa: S108 - of the container
    for name in _ABSENT:
        assert inside(container, "sh", "-c", f"command -v {name}").returncode != 0, name
    shown = inside(container, "sh", "-c", "tr '\\0' '\\n' < /proc/1/environ").stdout
    assert "CLEARWINDOW_SECRET_KEY_FILE=/run/secrets/secret.key" in shown
    assert "postgresql://" not in shown
    assert inside(container, "cat", "/run/secrets/owner.env").returncode != 0


def settle(url: str, token: str) -> None:
    """Builds a network, stages a settlement and waits until the worker has completed it."""
    with OperatorClient(url, token) as operator, Network(operator) as network:
        partner = network.partner(dispute_window=0.01, top_up_window=0.01)
        connection = network.funded(partner, _FUNDS)
        signed = partner.enterprise.sign(fields_of({connection.id: {"BTC": "-1"}}))
        settlement = ok(partner.api.post("/partners/settlements", signed, version=2))["settlement"]["id"]
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (state := ok(operator.get(f"/settlements/{settlement}"))["settlement"]["status"]) != "completed":
            assert time.monotonic() < deadline, state
            time.sleep(0.2)


def main() -> None:
    with_own_cgroups("tests.container")
    api, worker = reserved_port(), reserved_port()
    more = {
        **ALONE,
        "CLEARWINDOW_HOST": "127.0.0.1",
        "CLEARWINDOW_PORT": str(api),
    }
    file = compose_file({"8080": str(api), "8081": str(worker), "0.0.0.0": "127.0.0.1"})  # noqa: S104 - taken out
    with temporary_folder("container") as folder, plain_cluster(folder / "cluster", "postgres") as home:
        # Users in containers reach the database, too: the roles have no passwords that it would ask for.
        home.socket_dir.chmod(0o711)
        services = Services(file, follow_the_page(folder, home), home.socket_dir, more)
        said = [f"{IMAGE}: {size_bytes(IMAGE) / 1e6:.0f} MB"]
        began = time.monotonic()
        services.run("migrate")
        said.append(f"migrate: {time.monotonic() - began:.1f} s for an empty database")
        began = time.monotonic()
        with services.running("api") as server:
            await_answer(f"http://127.0.0.1:{api}/healthz")
            said.append(f"api: /healthz answers {time.monotonic() - began:.1f} s after podman was called")
            began = time.monotonic()
            with services.running("worker") as second:
                await_answer(f"http://127.0.0.1:{worker}/readyz")
                said.append(f"worker: /readyz answers {time.monotonic() - began:.1f} s after podman was called")
                for container in (server, second):
                    podman("healthcheck", "run", container)
                    look_inside(container)
                said.append(
                    "inside: user 10001, no capability, no new privileges, only /tmp can be written, no pip"
                )
                named = inside(server, "clearwindow", "operators", "init", "--name", "Ada", "--name", "Ben")
                tokens = dict(line.split("\t")[:2] for line in named.stdout.splitlines())
                assert list(tokens) == ["Ada", "Ben"], named
                settle(f"http://127.0.0.1:{api}", tokens["Ada"])
                said.append("a settlement is staged at the server, and completed by the worker")
                checked = inside(second, "clearwindow", "check", "--signatures")
                assert checked.returncode == 0, checked
                said.append("the check finds nothing; both end with code 0")
    sys.stdout.write("\n".join(said) + "\n")


if __name__ == "__main__":
    main()
