"""The smallest rehearsal, as whoever tries it sees it through a pipe; `make rehearsal` is the whole one."""

from __future__ import annotations

import re

from tests.support.processes import command

LINES = (
    r"1 exchanges, 1 traders, 1 connections +→ 20 of 100 calls go wrong, seed 3",
    r"settlements completed +2$",
    r"entries settled \(a connection in a settlement\) +2$",
    r"accounts that exchange and network agree on +1$",
    r"clearwindow check +→ the ledger is in order: (\d+) of \1 hold",
    r"Everything that went wrong was put right: \d+ s, seed 3",
)


def test_the_smallest_rehearsal_ends_well() -> None:
    small = ("--exchanges", "1", "--traders", "1", "--rounds", "1", "--every-seconds", "1", "--seed", "3")
    # A setting of whoever rehearses must not lead it to a database that is in use.
    played = command("rehearsal", *small, "--no-kills", database_url="postgresql://nobody@nowhere.invalid/nothing")
    assert played.returncode == 0, played.stdout + played.stderr
    at = 0
    for line in LINES:
        found = re.compile(line, re.MULTILINE).search(played.stdout, at)
        assert found, f"not found after the lines before it: {line}\n{played.stdout}"
        at = found.end()
    assert max(map(len, played.stdout.splitlines())) <= 100
