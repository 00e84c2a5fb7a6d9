"""`make door` runs, and judges by its aims. No test asserts how long anything takes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bench.door.outcome import MEBIBYTE, Held, Outcome, Taken, Times
from tests.support.long import long

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 400
GOOD = Times(probes=100, worst=0.1, p99=0.1, failed=Counter())
OUTCOME = Outcome("name", "what", Taken(), 0, 0, GOOD, GOOD, attack_seconds=1, normal_after_seconds=0)


def held(sent_bytes: int, seconds: float, *, ended: bool = True) -> Taken:
    return Taken(held=[Held(sent_bytes, seconds, ended, "431")])


@pytest.mark.parametrize(
    ("taken", "cut_off"),
    [
        (held(500 * MEBIBYTE, 20), True),
        (held(1000, 300), True),
        (held(2 * MEBIBYTE, 50), False),
        (held(1000, 40, ended=False), False),
        (Taken(), None),
    ],
)
def test_a_connection_is_cut_off_within_a_megabyte_or_half_a_minute(taken: Taken, *, cut_off: bool | None) -> None:
    assert taken.cut_off is cut_off
    assert replace(OUTCOME, taken=taken).met is (cut_off is not False)


@pytest.mark.parametrize(
    ("outcome", "missed"),
    [
        (OUTCOME, None),
        (replace(OUTCOME, server_bytes=101 * MEBIBYTE), "memory"),
        (replace(OUTCOME, stranger=replace(GOOD, worst=1.1)), "stranger"),
        (replace(OUTCOME, stranger=replace(GOOD, failed=Counter({"503": 1}))), "stranger"),
        (replace(OUTCOME, health=replace(GOOD, worst=0.6)), "health"),
        (replace(OUTCOME, health=Times.of([], Counter())), "health"),
        (replace(OUTCOME, normal_after_seconds=None), "normal again"),
        (replace(OUTCOME, taken=Taken(broken=["a new token is served"])), "a new token is served"),
    ],
)
def test_each_aim_is_judged(outcome: Outcome, missed: str | None) -> None:
    assert [aim for aim, met in outcome.judged().items() if not met] == ([missed] if missed else [])


@long
def test_an_attack_is_measured_and_written(tmp_path: Path) -> None:
    written, page = tmp_path / "door.json", tmp_path / "door.md"
    options = ["--small", "--report-only", "--only", "endless-headers", "--json", str(written)]
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "bench.door", *options, "--markdown", str(page)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (attack,) = json.loads(written.read_text(encoding="utf-8"))["attacks"]
    assert (attack["name"], attack["connections"]) == ("endless-headers", 2)
    assert attack["most_bytes"] > 0
    assert attack["health"]["probes"] > 0
    assert attack["stranger"]["probes"] > 0
    assert {"cut off", "memory", "stranger", "health", "normal again"} == set(attack["aims"])
    assert "| endless-headers |" in page.read_text(encoding="utf-8")
