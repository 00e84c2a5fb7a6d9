"""A sandbox as people run it: a server and a worker over one PostgreSQL. Both die and are started again."""

from __future__ import annotations

import base64
import http.client
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from clearwindow.simulator.programs import Program, run_to_end
from clearwindow.simulator.server import START_SECONDS
from tests.support.ports import reserved_port
from tests.support.processes import START_TOKEN, environment

_LOOK_SECONDS: Final = 0.02
_CHECK_SECONDS: Final = 900
_SECRET_KEY: Final = base64.b64encode(bytes(range(32))).decode()
"""Keys of a simulation are no secrets."""


class Processes:
    """The server and the worker. The server's address is the same after every start.

    Attributes:
        dsn: the address of the database.
        approvals_needed: by operators' acts, since the last start of the server.
    """

    def __init__(self, dsn: str, folder: Path) -> None:
        self.approvals_needed = 0
        self.dsn = dsn
        self._port = reserved_port()
        serve = ["serve", "--port", str(self._port), "--no-worker"]
        self._servers = [
            Program(f"server-{approvals}", serve, folder, _environment(dsn, approvals)) for approvals in (0, 1)
        ]
        self._worker = Program("worker", ["worker"], folder, _environment(dsn, 0))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def starts(self) -> tuple[int, int]:
        """How often the server and the worker were started."""
        return sum(each.starts for each in self._servers), self._worker.starts

    def start(self) -> None:
        """Returns when both work."""
        self._start_server()
        self._start_worker()

    def restart_server(self, number: signal.Signals, *, approvals_needed: int) -> None:
        """Ends the server with the signal and starts it with this setting."""
        self._server.end(number)
        self._server.stop()
        self.approvals_needed = approvals_needed
        self._start_server()

    def restart_worker(self, number: signal.Signals) -> None:
        self._worker.end(number)
        self._start_worker()

    @contextmanager
    def dying_server(self, after_seconds: float) -> Iterator[None]:
        """Kills the server at this time after the beginning of the block, and starts it again at its end."""
        killer = threading.Timer(after_seconds, self._server.kill)
        killer.start()
        try:
            yield
        finally:
            killer.join()
            self._start_server()

    def check_signatures(self) -> str:
        """Verifies the evidence of all signed requests. Returns what is wrong, and nothing if all is right."""
        checked = run_to_end(["check", "--signatures"], _environment(self.dsn, 0), _CHECK_SECONDS)
        return "" if checked.returncode == 0 else checked.stdout + checked.stderr

    def stop(self) -> None:
        self._server.stop()
        self._worker.stop()

    @property
    def _server(self) -> Program:
        return self._servers[self.approvals_needed]

    def _start_server(self) -> None:
        self._server.start()
        give_up_at = time.monotonic() + START_SECONDS
        while not self._answers():
            self._server.require_running()
            if time.monotonic() > give_up_at:
                raise AssertionError(f"the server did not start: {self._server.logged()}")
            time.sleep(_LOOK_SECONDS)

    def _start_worker(self) -> None:
        begins = len(self._worker.lines)
        self._worker.start()
        self._worker.await_line(lambda line: "working" in line, START_SECONDS, since=begins)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=START_SECONDS)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _environment(dsn: str, approvals_needed: int) -> dict[str, str]:
    return environment(
        database_url=dsn,
        secret_key=_SECRET_KEY,
        sandbox="1",
        operator_token=START_TOKEN,
        approvals_needed=str(approvals_needed),
        rate_limit_per_minute="0",
        worker_poll_seconds="1",
        log_level="warning",
    )
