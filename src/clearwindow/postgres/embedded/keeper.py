"""Keeps the embedded PostgreSQL running: a server process that ends by itself is started again."""

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from clearwindow.postgres.embedded.postmaster import Postmaster
from clearwindow.postgres.embedded.upgrade import Upgrade

log = structlog.get_logger(__name__)

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 30.0
# A server that ran for this long has started. The next pause is the first one again.
_STEADY_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 5.0
"""How often it is looked whether another version of the programs was installed."""


class Keeper:
    """Runs a server process, and the next one when it ends, until it is stopped.

    Clients lose their connections and open transactions. Recovery keeps everything that was committed.
    """

    def __init__(self, postmaster: Postmaster, restart: Callable[[], Postmaster], upgrade: Upgrade) -> None:
        self._postmaster = postmaster
        self._restart = restart
        self._upgrade = upgrade
        self._changing = threading.Lock()
        self._stopping = threading.Event()
        threading.Thread(target=self._watch, name="postgres-keeper", daemon=True).start()

    def stop(self) -> None:
        """Stops the server for good, within a limited time. May be repeated.

        Raises:
            EmbeddedPostgresError: it does not stop.
        """
        self._stopping.set()
        with self._changing:
            self._postmaster.stop()

    def _watch(self) -> None:
        pause_seconds = _FIRST_PAUSE_SECONDS
        started = time.monotonic()
        while not self._stopping.is_set():
            if self._postmaster.wait(LOOK_SECONDS):
                if time.monotonic() - started >= _STEADY_SECONDS:
                    pause_seconds = _FIRST_PAUSE_SECONDS
                if self._stopping.wait(pause_seconds):
                    return
                pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
                log.error("postgres_ended", message="the embedded PostgreSQL ended by itself and is started again")
            elif not self._upgrade_has_come():
                continue
            self._replace()
            started = time.monotonic()

    def _upgrade_has_come(self) -> bool:
        try:
            return self._upgrade.has_come()
        except OSError:
            # For example a full disk. It is looked at again.
            log.exception("postgres_upgrade_unseen")
            return False

    def _replace(self) -> None:
        with self._changing:
            if self._stopping.is_set():
                return
            try:
                self._postmaster.stop()
                self._postmaster = self._restart()
            except Exception:
                # For example a full disk. Try again until there is room.
                log.exception("postgres_not_started")
