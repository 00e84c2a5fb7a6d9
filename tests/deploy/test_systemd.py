"""The units of systemd: verified, little exposed, and started as the page says, without systemd itself."""

from __future__ import annotations

import ctypes
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx2
import psycopg
import pytest

from clearwindow.postgres.embedded.database import address_of
from clearwindow.settings import load_settings
from tests.postgres.plain_clusters import plain_cluster
from tests.support.http import loopback_client
from tests.support.long import long
from tests.support.ports import reserved_port
from tests.support.processes import environment
from tests.support.proxies import DEPLOY

UNITS: Final = sorted((DEPLOY / "systemd").glob("*.service"))
ROOT: Final = DEPLOY.parent
PAGE: Final = (ROOT / "docs" / "how-to" / "deploy-on-one-machine.md").read_text(encoding="utf-8")
HIGHEST_EXPOSURE: Final = 20
"""Of 100. systemd itself shows a tenth of it."""
_INSTALLED: Final = "/opt/clearwindow/bin/clearwindow"
_START_SECONDS: Final = 60
_NO_NEW_PRIVILEGES: Final = 38
"""PR_SET_NO_NEW_PRIVS: what NoNewPrivileges= asks for."""


def systemd_analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.fail("install systemd (.ci/run has the package)")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)  # noqa: S603 - found above


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units, with the command of this environment."""
    command = str(Path(sys.executable).parent / "clearwindow")
    copies = []
    for unit in [*UNITS, DEPLOY / "systemd" / "clearwindow-check.timer"]:
        copies.append(tmp_path / unit.name)
        copies[-1].write_text(unit.read_text(encoding="utf-8").replace(_INSTALLED, command), encoding="utf-8")
    return copies


def test_systemd_takes_the_units_and_finds_them_little_exposed(units: Sequence[Path]) -> None:
    assert len(units) == 4
    verified = systemd_analyze("verify", *map(str, units))
    assert (verified.returncode, verified.stderr) == (0, "")
    for unit in units[:3]:
        judged = systemd_analyze("security", "--offline=yes", f"--threshold={HIGHEST_EXPOSURE}", str(unit))
        assert judged.returncode == 0, judged.stdout


def test_exposed_unit_is_found(units: Sequence[Path]) -> None:
    exposed = units[0]
    without = re.sub(r"^(SystemCallFilter|CapabilityBoundingSet)=.*\n", "", exposed.read_text(), flags=re.MULTILINE)
    exposed.write_text(without)
    judged = systemd_analyze("security", "--offline=yes", f"--threshold={HIGHEST_EXPOSURE}", str(exposed))
    assert judged.returncode != 0


def test_all_services_are_confined_in_the_same_way() -> None:
    confined = {
        unit.read_text().partition("# Both files are root's alone.")[2].partition("\n[Install]")[0].strip()
        for unit in UNITS
    }
    assert len(confined) == 1


def test_template_has_only_settings_that_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = (DEPLOY / "systemd" / "clearwindow.env").read_text(encoding="utf-8")
    file = tmp_path / "clearwindow.env"
    # What is offered as a comment must be right, too.
    file.write_text(re.sub(r"^#(CLEARWINDOW_)", r"\1", text, flags=re.MULTILINE), encoding="utf-8")
    monkeypatch.setenv("CLEARWINDOW_CONFIG_FILE", str(file))
    settings = load_settings()
    assert settings.telemetry_endpoint == "http://127.0.0.1:4318"
    assert settings.trusted_proxies == settings.host == "127.0.0.1"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def confine() -> None:
    """Confines this process, and what it becomes, as far as that is done in a moment without systemd."""
    assert ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0


def values(unit: str, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", unit, re.MULTILINE)


def started(unit: Path, credentials: Path) -> subprocess.Popen[bytes]:
    """Starts what a unit starts, with its credentials and its environment."""
    text = unit.read_text(encoding="utf-8")
    credentials.mkdir(mode=0o700)
    for name, _, file in (each.partition(":") for each in values(text, "LoadCredential")):
        shutil.copy(file, credentials / name)
    (own,) = values(text, "Environment")
    given = dict(each.split("=", 1) for each in own.replace("%d", str(credentials)).split())
    (command,) = values(text, "ExecStart")
    (folder,) = values(text, "WorkingDirectory")
    with (credentials / "log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - the unit's own words
            command.split(),
            cwd=folder,
            env=environment() | given,
            stdout=log,
            stderr=log,
            preexec_fn=confine,  # noqa: PLW1509 - only system calls
        )


@contextmanager
def running(unit: Path, credentials: Path) -> Iterator[None]:
    process = started(unit, credentials)
    try:
        yield
        assert process.poll() is None, (credentials / "log").read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    assert code == 0, (credentials / "log").read_text()


def await_ready(port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    said = "nobody answers"
    with loopback_client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
        while time.monotonic() < deadline:
            try:
                answer = client.get("/readyz")
            except httpx2.TransportError as error:
                said = repr(error)
            else:
                if answer.status_code == 200:
                    return
                said = answer.text
            time.sleep(0.1)
    pytest.fail(said)


@pytest.fixture
def cluster_dir() -> Iterator[Path]:
    """A folder that the user of a PostgreSQL can reach. Only our user can enter pytest's own."""
    with tempfile.TemporaryDirectory(prefix="clearwindow-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder).resolve() / "data"


@long
def test_page_leads_to_a_running_network(cluster_dir: Path, tmp_path: Path, units: Sequence[Path]) -> None:
    server, worker = reserved_port(), reserved_port()
    etc, installed = tmp_path / "etc", tmp_path / "units"
    installed.mkdir()
    _install, settle, migrate, start = blocks("sh")
    with plain_cluster(cluster_dir, "postgres") as home:
        (statements,) = blocks("sql")
        with psycopg.connect(address_of(home, "postgres", "postgres"), autocommit=True) as connection:
            for statement in statements.split(";")[:-1]:
                connection.execute(statement.encode())
        # The copies that the page installs, and everything that is other in a test.
        (tmp_path / "deploy").mkdir()
        shutil.copytree(DEPLOY / "systemd", tmp_path / "deploy" / "systemd")
        for unit in units:
            shutil.copy(unit, tmp_path / "deploy" / "systemd")
        replaced = {
            "@127.0.0.1:5432/clearwindow": f"@/clearwindow?host={quote(str(home.socket_dir), safe='')}",
            _INSTALLED: str(Path(sys.executable).parent / "clearwindow"),
            "/etc/clearwindow": str(etc),
            "/etc/systemd/system": str(installed),
            "8081": str(worker),
            "PORT=8080": f"PORT={server}",
        }
        for file in (tmp_path / "deploy" / "systemd").iterdir():
            file.write_text(with_replaced(file.read_text(), replaced))
        steps = with_replaced(settle + migrate + start.partition("systemctl daemon-reload")[0], replaced)
        ran = subprocess.run(  # noqa: S603 - the page's own words
            ["/bin/bash", "-euo", "pipefail", "-c", steps],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert [line.split("\t")[0] for line in (tmp_path / "first.tokens").read_text().splitlines()] == [
            "Ada",
            "Ben",
        ]
        for name in ("clearwindow.env", "secret.key"):
            assert (etc / name).stat().st_mode & 0o777 == 0o600
        with (
            running(installed / "clearwindow.service", tmp_path / "of-server"),
            running(installed / "clearwindow-worker.service", tmp_path / "of-worker"),
        ):
            await_ready(server)
            await_ready(worker)
            check = started(installed / "clearwindow-check.service", tmp_path / "of-check")
            assert check.wait(60) == 0, (tmp_path / "of-check" / "log").read_text()
            with loopback_client(base_url=f"http://127.0.0.1:{server}", timeout=10) as client:
                assert 'clearwindow_check_violated{kind="signatures"} 0.0' in client.get("/metrics").text
        assert "application_owns_tables" not in (tmp_path / "of-server" / "log").read_text()


def with_replaced(text: str, replaced: dict[str, str]) -> str:
    for old, new in replaced.items():
        text = text.replace(old, new)
    return text
