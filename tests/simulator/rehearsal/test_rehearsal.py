"""The smallest rehearsal, with its output in a pipe. `make rehearsal` runs a full one."""

from __future__ import annotations

import re
import subprocess
import threading

from tests.support.long import long
from tests.support.processes import COMMAND, environment

LINES = (
    r"1 exchanges, 1 traders, 1 connections +→ 20 of 100 calls fail, seed 3",
    r"settlements completed +2$",
    r"entries \(a connection in a settlement\) +2$",
    r"accounts on which exchange and network agree +1$",
    r"clearwindow check +→ the ledger is correct: (\d+) of \1 invariants hold",
    r"All faults were handled and all balances are correct: \d+ s, seed 3",
)
TIMEOUT_SECONDS = 300


def _rehearse(*arguments: str, **settings: str) -> tuple[int, str]:
    """Returns the exit code and the output. If it takes too long, SIGTERM ends it and its processes."""
    with subprocess.Popen(  # noqa: S603 - our own program
        [*COMMAND, "rehearsal", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        env=environment(**settings),
    ) as process:
        overdue = threading.Timer(TIMEOUT_SECONDS, process.terminate)
        overdue.start()
        try:
            printed, _ = process.communicate()
        finally:
            overdue.cancel()
    return process.returncode, printed


@long
def test_smallest_rehearsal_succeeds() -> None:
    small = ("--exchanges", "1", "--traders", "1", "--rounds", "1", "--every-seconds", "1", "--seed", "3")
    # The user's settings must not make the rehearsal use the user's database.
    code, printed = _rehearse(*small, "--no-kills", database_url="postgresql://nobody@nowhere.invalid/nothing")
    assert code == 0, printed
    at = 0
    for line in LINES:
        found = re.compile(line, re.MULTILINE).search(printed, at)
        assert found, f"not found after the lines before it: {line}\n{printed}"
        at = found.end()
    assert max(map(len, printed.splitlines())) <= 100
