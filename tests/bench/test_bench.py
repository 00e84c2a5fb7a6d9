"""The benchmark runs and measures every part; how long anything takes is not a test's affair."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 300


def run_bench(*arguments: str) -> str:
    command = [sys.executable, "-m", "bench", "--connections", "20", "--currencies", "2", *arguments]
    done = subprocess.run(  # noqa: S603 - our own module
        command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_part_is_measured_in_every_round() -> None:
    measured = json.loads(run_bench("--rounds", "2", "--json"))
    assert set(measured["product"]) == {"decode", "verify", "stage", "request", "finalise", "execute"}
    assert set(measured["floor"]) == set(measured["ratio_of_medians"]) == {"stage", "finalise", "execute"}
    for side in ("product", "floor"):
        assert all(len(times) == 2 and min(times) > 0 for times in measured[side].values())
    assert set(measured["first"]) == set(measured["product"])
    assert (measured["connections"], measured["currencies"], measured["unit"]) == (20, 2, "seconds")
    assert measured["peak_bytes"] > 0


def test_people_get_a_table() -> None:
    printed = run_bench("--rounds", "1")
    assert "20 connections x 2 currencies = 40 transfers" in printed
    assert "peak memory of the server's process" in printed
