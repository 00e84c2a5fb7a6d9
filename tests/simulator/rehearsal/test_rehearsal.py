"""The smallest rehearsal, as whoever tries it sees it through a pipe; `make rehearsal` is the whole one."""

from __future__ import annotations

import re
import subprocess
import threading

from tests.support.processes import COMMAND, environment

LINES = (
    r"1 exchanges, 1 traders, 1 connections +→ 20 of 100 calls go wrong, seed 3",
    r"settlements completed +2$",
    r"entries settled \(a connection in a settlement\) +2$",
    r"accounts that exchange and network agree on +1$",
    r"clearwindow check +→ the ledger is in order: (\d+) of \1 hold",
    r"Everything that went wrong was put right: \d+ s, seed 3",
)
PATIENCE_SECONDS = 300


def _rehearse(*arguments: str, **settings: str) -> tuple[int, str]:
    """The exit code, and all that was printed. One that takes too long is ended in order, with what it started."""
    with subprocess.Popen(  # noqa: S603 - our own program
        [*COMMAND, "rehearsal", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        env=environment(**settings),
    ) as process:
        overdue = threading.Timer(PATIENCE_SECONDS, process.terminate)
        overdue.start()
        try:
            printed, _ = process.communicate()
        finally:
            overdue.cancel()
    return process.returncode, printed


def test_the_smallest_rehearsal_ends_well() -> None:
    small = ("--exchanges", "1", "--traders", "1", "--rounds", "1", "--every-seconds", "1", "--seed", "3")
    # A setting of whoever rehearses must not lead it to a database that is in use.
    code, printed = _rehearse(*small, "--no-kills", database_url="postgresql://nobody@nowhere.invalid/nothing")
    assert code == 0, printed
    at = 0
    for line in LINES:
        found = re.compile(line, re.MULTILINE).search(printed, at)
        assert found, f"not found after the lines before it: {line}\n{printed}"
        at = found.end()
    assert max(map(len, printed.splitlines())) <= 100
