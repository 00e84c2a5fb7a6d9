"""One session of psql, connected beforehand, so that only its scripts are measured."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import IO

from clearwindow.postgres.embedded.binaries import find_binaries


class PsqlError(RuntimeError):
    """psql stopped; the message is its output."""


class Psql:
    """A running psql; each script is one transaction that the script itself begins and commits."""

    def __init__(self, process: subprocess.Popen[str], stdin: IO[str], stdout: IO[str]) -> None:
        self._process = process
        self._stdin = stdin
        self._stdout = stdout
        self._runs = 0

    def run(self, script: Path) -> float:
        """Runs the script to its end and returns its seconds.

        Raises:
            PsqlError: a statement failed; the session is over.
        """
        self._runs += 1
        marker = f"script {self._runs} ended"
        start = perf_counter()
        self._stdin.write(f"\\i '{script}'\n\\echo {marker}\n")
        self._stdin.flush()
        said = []
        for line in self._stdout:
            if line.rstrip("\n") == marker:
                return perf_counter() - start
            said.append(line)
        raise PsqlError("".join(said))


@contextmanager
def psql_session(dsn: str) -> Iterator[Psql]:
    """A session on the database; it ends with the block."""
    command = [_program(), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", dsn]
    with subprocess.Popen(  # noqa: S603 - the program that _program found
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("both ends are pipes")
        yield Psql(process, process.stdin, process.stdout)
        process.stdin.close()


def _program() -> str:
    beside_server = find_binaries().bin_dir / "psql"
    found = str(beside_server) if beside_server.exists() else shutil.which("psql")
    if found is None:
        raise PsqlError("psql was not found: install the PostgreSQL client")
    return found
