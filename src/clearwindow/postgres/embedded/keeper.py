"""Keeps the embedded PostgreSQL running: a server process that ends without being told to is started again."""

import threading
from collections.abc import Callable
from typing import Final

import structlog

from clearwindow.database.postmaster import Postmaster

log = structlog.get_logger(__name__)

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 30.0
# One that ran for this long did come up; the next pause is a first one again.
_STEADY_SECONDS: Final = 60.0


class Keeper:
    """A server process, and after its death the next one, until it is stopped.

    Whoever is connected loses the connection and the open transaction; recovery keeps all that was committed.
    """

    def __init__(self, postmaster: Postmaster, restart: Callable[[], Postmaster]) -> None:
        self._postmaster = postmaster
        self._restart = restart
        self._changing = threading.Lock()
        self._stopping = threading.Event()
        threading.Thread(target=self._watch, name="postgres-keeper", daemon=True).start()

    def stop(self) -> None:
        """End the server for good, within a bounded time; harmless when repeated.

        Raises:
            EmbeddedPostgresError: it does not end.
        """
        self._stopping.set()
        with self._changing:
            self._postmaster.stop()

    def _watch(self) -> None:
        pause_seconds = _FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            if self._postmaster.wait(_STEADY_SECONDS):
                if self._stopping.wait(pause_seconds):
                    return
                pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
                self._replace()
            else:
                pause_seconds = _FIRST_PAUSE_SECONDS

    def _replace(self) -> None:
        with self._changing:
            if self._stopping.is_set():
                return
            log.error("postgres_ended", message="the embedded PostgreSQL ended by itself and is started again")
            try:
                self._postmaster = self._restart()
            except Exception:
                # A full disk, say: the server process must still be kept when there is room again.
                log.exception("postgres_not_started")
