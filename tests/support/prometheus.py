"""Prometheus and promtool, with the files of ``deploy/prometheus``."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from tests.support.http import loopback_client
from tests.support.ports import reserved_port
from tests.support.proxies import DEPLOY

FOLDER: Final = DEPLOY / "prometheus"
_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 30
_POLL_SECONDS: Final = 0.1
_FOR: Final = re.compile(r"^ +for: .*\n", re.MULTILINE)


def program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        pytest.fail(f"install {name} (.ci/run has the package)")
    return found


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program("promtool"), *arguments], capture_output=True, text=True, check=False)  # noqa: S603 - found above


class Prometheus:
    """A running Prometheus that reads one server."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client

    def firing(self) -> set[str]:
        """Returns the names of the alerts that fire, each with the labels that it was counted by."""
        alerts: list[Any] = self._client.get("/api/v1/alerts").json()["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def series(
        self, expression: str, began: float, ended: float
    ) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """Returns the labels and the points of each series of an expression, a point for each second."""
        asked: dict[str, str | float] = {"query": expression, "start": began, "end": ended, "step": 1}
        found: list[Any] = self._client.get("/api/v1/query_range", params=asked).json()["data"]["result"]
        return [
            (
                {
                    name: value
                    for name, value in one["metric"].items()
                    if name not in {"job", "instance", "__name__"}
                },
                [(at, float(value)) for at, value in one["values"] if value != "NaN"],
            )
            for one in found
        ]

    def await_firing(self, wanted: set[str], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while (firing := self.firing()) != wanted:
            assert time.monotonic() < deadline, f"firing: {firing}, wanted: {wanted}"
            time.sleep(_POLL_SECONDS)


@contextmanager
def prometheus(target: str, folder: Path) -> Iterator[Prometheus]:
    """Runs it with our alerts until the block ends. It reads ``target`` every two seconds, and no alert waits.

    A read may last as long as the interval. A busy machine needs a good part of a second for it.
    """
    (folder / "alerts.yml").write_text(_FOR.sub("", (FOLDER / "alerts.yml").read_text()))
    settings = (FOLDER / "prometheus.yml").read_text()
    often = (
        ("scrape_interval: 15s", "scrape_interval: 2s"),
        ("evaluation_interval: 15s", "evaluation_interval: 200ms"),
    )
    for old, new in (*often, ("127.0.0.1:8080", target)):
        assert old in settings
        settings = settings.replace(old, new)
    worker = settings.index("  # Workers")
    (folder / "prometheus.yml").write_text(settings[:worker])
    port = reserved_port()
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)  # noqa: S603 - found above
    try:
        with loopback_client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            _await_ready(process, client, folder / "log")
            yield Prometheus(client)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        finally:
            process.kill()
            process.wait()


def _await_ready(process: subprocess.Popen[bytes], client: httpx2.Client, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            if client.get("/-/ready").status_code == 200:
                return
        except httpx2.TransportError:
            pass
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(_POLL_SECONDS)
