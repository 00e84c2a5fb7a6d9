"""The benchmark runs and measures every part. No test asserts how long anything takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from clearwindow.ledger.check.invariants import INVARIANTS
from tests.support.long import long

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 300


def run_bench(*arguments: str) -> str:
    command = [sys.executable, "-m", "bench", "--connections", "20", "--currencies", "2", *arguments]
    done = subprocess.run(  # noqa: S603 - our own module
        command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@long
def test_every_part_is_measured_in_every_round() -> None:
    measured = json.loads(run_bench("--rounds", "2", "--json"))
    assert set(measured["product"]) == {"preview", "decode", "verify", "stage", "request", "finalise", "execute"}
    assert set(measured["floor"]) == set(measured["ratio_of_lowest"]) == {"stage", "finalise", "execute"}
    for side in ("product", "floor"):
        assert all(len(times) == 2 and min(times) > 0 for times in measured[side].values())
    assert set(measured["first"]) == set(measured["product"])
    assert (measured["connections"], measured["currencies"], measured["unit"]) == (20, 2, "seconds")
    assert measured["peak_bytes"] > 0
    assert set(measured["costs"]) == {
        *("product", "psql, same rows"),
        *("bare, no index", "bare, primary key", "bare, two commits"),
    }
    assert set(measured["asked"]) == {"preview", "request"}
    assert [cost["log_bytes"] > 0 for cost in measured["asked"]["request"]] == [True, True]
    for costs in measured["costs"].values():
        assert [cost["log_bytes"] > 0 and cost["seconds"] > 0 for cost in costs] == [True, True]


@long
def test_due_settlements_of_a_busy_partner_complete() -> None:
    command = [sys.executable, "-m", "bench.busy_partner", "--due", "2", "--json"]
    done = subprocess.run(  # noqa: S603 - our own module
        command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["load"], one["threads"]) for one in outcomes] == [
        ("none", 0),
        ("staging", 2),
        ("one request again", 4),
    ]
    assert all(set(one["answers"]) <= {"200"} for one in outcomes)


@long
def test_due_settlements_of_many_partners_complete() -> None:
    command = [sys.executable, "-m", "bench.due", "--due", "6", "--partners", "2", "--json"]
    done = subprocess.run(  # noqa: S603 - our own module
        command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["partners"], one["due"]) for one in outcomes] == [(2, 6)]


@long
def test_result_is_printed_as_table() -> None:
    # A title may be longer than its table is wide.
    printed = " ".join(run_bench("--rounds", "1").split())
    assert "20 connections x 2 currencies = 40 transfers" in printed
    assert "peak memory of the server's process" in printed
    assert "a whole settlement: request, finalise, execute" in printed
    assert "a preview beside the request that stages the same amounts" in printed


@long
def test_check_of_the_books_is_measured_for_each_invariant() -> None:
    command = [sys.executable, "-m", "bench.check", "--transfers", "60", "--connections", "10", "--currencies", "2"]
    done = subprocess.run(  # noqa: S603 - our own module
        [*command, "--json"], cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert measured["transfers"] == 60
    assert [cost["invariant"] for cost in measured["invariants"]] == list(INVARIANTS)
    assert all(cost["seconds"] > 0 and cost["database_bytes"] > 0 for cost in measured["invariants"])
    assert measured["command_bytes"] > 0
