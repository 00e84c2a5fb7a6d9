"""Notices that the programs of a running server were replaced by those of another version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import structlog

from clearwindow.postgres.embedded.binaries import Binaries, version_in

log = structlog.get_logger(__name__)

_Stamp: TypeAlias = tuple[int, int, int] | None


class Upgrade:
    """Looks at the programs that a server was started from.

    A package manager replaces one file after another, and may leave what does not work. So a server is started from
    other programs only after they have made a cluster, which needs all of them.
    """

    def __init__(self, binaries: Binaries, try_out: Callable[[], bool]) -> None:
        self._binaries = binaries
        self._try_out = try_out
        self._stamp = _stamp(binaries.postgres)
        self._version = version_in(binaries.bin_dir)
        self._refused: str | None = None

    def has_come(self) -> bool:
        """Returns whether there is another version now, of the same major version, that works."""
        stamp = _stamp(self._binaries.postgres)
        if stamp == self._stamp:
            return False
        version = version_in(self._binaries.bin_dir)
        if version == self._version:
            self._stamp = stamp
            return False
        if version.partition(".")[0] != str(self._binaries.major) or not self._try_out():
            self._refuse(version)
            return False
        log.warning(
            "postgres_upgraded",
            message="another version of PostgreSQL was installed, and the embedded database is started again",
            was=self._version,
            version=version,
        )
        self._stamp, self._version, self._refused = stamp, version, None
        return True

    def _refuse(self, version: str) -> None:
        if version != self._refused:
            self._refused = version
            log.error(
                "postgres_upgrade_unusable",
                message="the programs of PostgreSQL were replaced by others that do not work, or are of another"
                " major version; the running server goes on without them",
                was=self._version,
                version=version,
            )


def _stamp(program: Path) -> _Stamp:
    try:
        status = program.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
