"""The application: two API processes and two workers, on the machine that the hosts are connected to."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from clearwindow.simulator.programs import Program, run_to_end
from clearwindow.simulator.server import ALONE, START_SECONDS, environment

OPERATOR_TOKEN: Final = "the-operator-token-of-the-failover-run"
_SECRET_KEY: Final = "ab" * 32
_CHECK_SECONDS: Final = 300
FAKETIME: Final = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


class Application:
    """What a custodian runs, all on one database."""

    def __init__(self, folder: Path, address: str, ports: Sequence[int]) -> None:
        self._environment = environment(
            {
                **ALONE,
                "CLEARWINDOW_DATABASE_URL": address,
                "CLEARWINDOW_SECRET_KEY": _SECRET_KEY,
                "CLEARWINDOW_OPERATOR_TOKEN": OPERATOR_TOKEN,
                "CLEARWINDOW_RATE_LIMIT_PER_MINUTE": "0",
                "CLEARWINDOW_WORKER_POLL_SECONDS": "0.1",
                "CLEARWINDOW_LOG_LEVEL": "warning",
                "CLEARWINDOW_DATA_DIR": str(folder / "data"),
            }
        )
        self.urls = [f"http://127.0.0.1:{port}" for port in ports]
        self.apis = [
            Program(f"api-{port}", ["serve", "--no-worker", "--port", str(port)], folder, self._environment)
            for port in ports
        ]
        self._folder = folder
        self.workers = [self._worker(number, {}) for number in (1, 2)]

    def _worker(self, number: int, more: Mapping[str, str]) -> Program:
        return Program(f"worker-{number}", ["worker"], self._folder, {**self._environment, **more})

    def start(self) -> None:
        for program in (*self.apis, *self.workers):
            program.start()
        for api in self.apis:
            api.await_line(lambda _: True, START_SECONDS)

    def stop(self) -> None:
        for program in (*self.apis, *self.workers):
            program.kill()

    def require_running(self) -> None:
        for program in (*self.apis, *self.workers):
            program.require_running()

    def set_clock_of_a_worker(self, seconds: int) -> None:
        """Starts the second worker anew, on a host whose clock is so far ahead."""
        self.workers[1].kill()
        ahead = {"LD_PRELOAD": FAKETIME, "FAKETIME": f"{seconds:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        self.workers[1] = self._worker(2, ahead if seconds else {})
        self.workers[1].start()

    def check(self) -> Sequence[str]:
        """Returns what ``clearwindow check`` finds, after at most a few tries if the database is away."""
        done = run_to_end(["check", "--json"], self._environment, _CHECK_SECONDS)
        for _ in range(3):
            if done.returncode in {0, 1} and done.stdout:
                break
            time.sleep(1)
            done = run_to_end(["check", "--json"], self._environment, _CHECK_SECONDS)
        if done.returncode == 0 and json.loads(done.stdout)["ok"] is True:
            return []
        return [f"check: {done.stdout}{done.stderr}"]


def migrate(application: str, owner: str) -> None:
    """Makes the tables, as the how-to says: by their owner, with grants for the application's role."""
    addresses = {"CLEARWINDOW_DATABASE_URL": application, "CLEARWINDOW_MIGRATION_DATABASE_URL": owner}
    done = run_to_end(["migrate"], environment(addresses), _CHECK_SECONDS)
    if done.returncode != 0:
        raise RuntimeError(f"migrate failed: {done.stdout}{done.stderr}")
