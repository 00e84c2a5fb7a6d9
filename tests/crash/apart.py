"""A server and a worker as processes of their own, over a PostgreSQL that neither of them owns."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from clearwindow.postgres.embedded.cluster import EmbeddedPostgres, start_embedded
from clearwindow.simulator.programs import Program
from clearwindow.simulator.server import START_SECONDS, data_folder, temporary_folder
from tests.crash.servers import (
    APART_TARGETS,
    RECOVERY_SECONDS,
    Target,
    check,
    is_ready,
    kill_all,
    parent,
    settings_of,
    wait_until,
    wait_until_dead,
)
from tests.support.databases import migrate_as_owner
from tests.support.ports import reserved_port

_SECRET_KEY: Final = base64.b64encode(bytes(range(32))).decode()
"""Keys of a test are no secrets."""


class Apart:
    """The two processes. PostgreSQL belongs to the tests, and is started again if it is killed."""

    def __init__(self, postgres: EmbeddedPostgres, folder: Path) -> None:
        self._postgres = postgres
        port = reserved_port()
        self.url = f"http://127.0.0.1:{port}"
        self._given = settings_of(
            folder / "compiled",
            CLEARWINDOW_DATABASE_URL=postgres.application_dsn,
            CLEARWINDOW_SECRET_KEY=_SECRET_KEY,
        )
        self._api = Program("api", ["serve", "--port", str(port), "--no-worker"], folder, self._given)
        self._worker = Program("worker", ["worker"], folder, self._given)

    @property
    def dsn(self) -> str:
        return self._postgres.dsn

    @property
    def targets(self) -> Sequence[Target]:
        return APART_TARGETS

    def start(self) -> None:
        self._start_api()
        self._start_worker()

    def stop(self) -> None:
        self._api.stop()
        self._worker.stop()

    def kill(self, target: Target, backend: int) -> None:
        """Kills the target. What it had asked of PostgreSQL goes on until somebody notices."""
        match target:
            case Target.API:
                self._api.kill()
            case Target.WORKER:
                self._worker.kill()
            case _:
                victims = [backend if target is Target.BACKEND else parent(backend)]
                kill_all(victims)
                wait_until_dead([*victims, backend])

    def recover(self, target: Target) -> None:
        match target:
            case Target.API:
                self._start_api()
            case Target.WORKER:
                self._start_worker()
            case _:
                self._wait_until_ready(RECOVERY_SECONDS)
                self._worker.require_running()

    def check(self) -> None:
        check(given=self._given)

    def _start_api(self) -> None:
        self._api.start()
        self._wait_until_ready(START_SECONDS)

    def _start_worker(self) -> None:
        begins = len(self._worker.lines)
        self._worker.start()
        self._worker.await_line(lambda line: "working" in line, START_SECONDS, since=begins)

    def _wait_until_ready(self, seconds: float) -> None:
        wait_until(self._is_ready, seconds, f"the server did not become ready: see {self._api.log}")

    def _is_ready(self) -> bool:
        self._api.require_running()
        return is_ready(self.url)


@contextmanager
def running_apart() -> Iterator[Apart]:
    """Runs both over an empty database until the block ends."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder("crash"))
        postgres = stack.enter_context(start_embedded(data_folder(folder), durable=True))
        migrate_as_owner(postgres.dsn)
        apart = Apart(postgres, folder)
        stack.callback(apart.stop)
        apart.start()
        yield apart
