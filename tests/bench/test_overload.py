"""`make overload` runs, and judges by its aims. No test asserts how long anything takes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.overload.outcome import MEBIBYTE, Outcome, Row, Times, normal_after
from bench.overload.stages import Answer, Offered, Stage
from tests.support.long import long

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 300
SOME = Times(number=100, median=0.1, p99=0.4, worst=0.9)
NONE = Times.of([])
ROW = Row(Stage.OVERLOAD, 20, 200, SOME, SOME, NONE, {}, 0, 0, 0, 0, 0, 100 * MEBIBYTE, 0)


def outcome(overload: Row = ROW, *, again: float | None = 0, broken: Sequence[str] = ()) -> Outcome:
    rows = [overload if stage is Stage.OVERLOAD else replace(ROW, stage=stage) for stage in Stage]
    return Outcome(rows, again, broken, unfinished=0)


@pytest.mark.parametrize(
    ("measured", "missed"),
    [
        (outcome(), None),
        (outcome(replace(ROW, accepted=replace(SOME, p99=0.51))), "accepted"),
        (outcome(replace(ROW, accepted=NONE)), "accepted"),
        (outcome(replace(ROW, refused=replace(SOME, worst=1.1))), "refused"),
        (outcome(replace(ROW, refused=NONE)), "refused"),
        (outcome(replace(ROW, without_retry_after=1)), "refused"),
        (outcome(replace(ROW, others={"429 too_many_at_once": 1})), "refused"),
        (outcome(replace(ROW, waited_for_locks=replace(SOME, worst=10))), None),
        (outcome(replace(ROW, server_bytes=201 * MEBIBYTE)), "memory"),
        (outcome(again=None), "normal again"),
        (outcome(again=6), "normal again"),
        (outcome(broken=["1 accepted settlements are lost"]), "books"),
    ],
)
def test_each_aim_is_judged(measured: Outcome, missed: str | None) -> None:
    assert [aim for aim, met in measured.judged().items() if not met] == ([missed] if missed else [])
    assert measured.met is (missed is None)


def offered(stage: Stage, began: float, answers: Sequence[tuple[float, float, int]]) -> Offered:
    """Returns a stage of ten seconds; the answers are when they were due, their seconds and status."""
    made = tuple(Answer(0, due, 0, seconds, status) for due, seconds, status in answers)
    return Offered(stage, began, began + 10, 1, 0, made)


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        ([(20.5, 0.1, 200), (21.5, 0.1, 200)], 0),
        ([(20.5, 0.1, 503), (21.5, 0.1, 200)], 1),
        ([(20.5, 0.1, 200), (21.5, 0.3, 200), (22.5, 0.2, 200)], 2),
        ([(20.5, 0.1, 200), (21.5, 0.1, 503)], None),
    ],
)
def test_server_is_normal_from_the_first_good_second_on(
    after: Sequence[tuple[float, float, int]], seconds: float | None
) -> None:
    before = offered(Stage.BEFORE, 0, [(1, 0.1, 200)])
    found = normal_after(before, offered(Stage.OVERLOAD, 10, []), offered(Stage.AFTER, 20, after))
    assert found == seconds


@long
def test_an_overload_is_measured_and_written(tmp_path: Path) -> None:
    written, page = tmp_path / "overload.json", tmp_path / "overload.md"
    options = ["--small", "--report-only", "--partners", "3", "--requests", "3000", "--json", str(written)]
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "bench.overload", *options, "--markdown", str(page)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    measured = json.loads(written.read_text(encoding="utf-8"))
    assert [row["stage"] for row in measured["rows"]] == list(Stage)
    assert measured["broken"] == []
    capacity, overload = measured["rows"][1], measured["rows"][3]
    assert capacity["accepted"]["number"] > 0
    assert overload["accepted"]["number"] > 0
    assert overload["offered"] == pytest.approx(4 * capacity["accepted"]["number"] / 2, rel=0.01)
    assert {"accepted", "refused", "memory", "normal again", "books"} == set(measured["aims"])
    assert "| overload |" in page.read_text(encoding="utf-8")
