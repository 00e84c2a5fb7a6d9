"""A bounded part of `make attack`: each class of attacks, and that it would see what succeeds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx2
import pytest

from tests.attack.classes.ids import without_ids
from tests.attack.known_open import KNOWN_OPEN
from tests.attack.report import Result, as_json
from tests.attack.run import CLASSES, run, tally_of
from tests.attack.stage import build
from tests.attack.tally import AttackClass, Tally
from tests.support.long import long, long_unless
from tests.support.settlements import Testbed
from tests.support.summary import LINES

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 400
REFUSED = httpx2.Response(404, json={})
ACCEPTED = httpx2.Response(200, json={})


@pytest.mark.parametrize(
    "attacks",
    long_unless(lambda attacks: attacks.name not in {"signatures", "intent", "callers"}, CLASSES),
    ids=lambda attacks: attacks.name,
)
def test_no_attack_succeeds(testbed: Testbed, attacks: AttackClass) -> None:
    tally = tally_of(attacks)
    run(attacks, testbed, tally, thorough=False)
    LINES.append(f"attack {attacks.name}: {tally.attempts} attempts, {tally.open.total()} known to be open")
    assert tally.attempts > 0
    assert tally.succeeded == []
    assert tally.closed_by_now == [], (
        "nothing goes through here any more: remove it from tests/attack/known_open.py"
    )


def test_the_attacked_have_something_for_each_id_in_a_members_path(testbed: Testbed) -> None:
    assert without_ids(build(testbed, thorough=False)) == set(), "add one of it to tests/attack/stage.py"


def test_what_is_known_to_be_open_is_of_a_class_and_has_a_reason() -> None:
    assert set(KNOWN_OPEN) <= {attacks.name for attacks in CLASSES}
    assert all(begins and reason for entries in KNOWN_OPEN.values() for begins, reason in entries.items())


def test_an_attempt_succeeds_unless_it_is_refused_or_known() -> None:
    tally = Tally({"known ": "there is no defence yet", "closed ": "there was none"})
    tally.judge("refused", REFUSED, {404})
    tally.judge("through", ACCEPTED, {404})
    tally.judge("known hole", ACCEPTED, {404})
    tally.judge("another refusal than it must be", REFUSED, {401})
    tally.require("left", held=False, seen="two rows")
    assert tally.answers == Counter({"404": 2, "200": 2, "none": 1})
    assert [line.partition(":")[0] for line in tally.succeeded] == [
        "through",
        "another refusal than it must be",
        "left",
    ]
    assert (tally.open, tally.closed_by_now) == (Counter({"known ": 1}), ["closed "])
    with pytest.raises(AssertionError, match="control"):
        tally.control("a right request", REFUSED)


@pytest.mark.parametrize(
    ("tally", "broken", "held"),
    [
        (Tally(), None, True),
        (Tally(succeeded=["one"]), None, False),
        (Tally({"closed": "by now"}), None, False),
        (Tally(), "a table changed", False),
    ],
)
def test_a_class_holds_if_nothing_went_through(tally: Tally, broken: str | None, *, held: bool) -> None:
    assert Result(CLASSES[0], tally, 1.0, broken).held is held
    (written,) = json.loads(as_json([Result(CLASSES[0], tally, 1.0, broken)]))
    assert (written["class"], written["succeeded"], written["broken"]) == ("callers", tally.succeeded, broken)


@long
def test_the_command_attacks_and_writes_its_counts(tmp_path: Path) -> None:
    written = tmp_path / "attack.json"
    done = _command("--small", "--only", "addresses", "--json", str(written))
    assert done.returncode == 0, done.stdout + done.stderr
    (counted,) = json.loads(written.read_text(encoding="utf-8"))
    assert counted["class"] == "addresses"
    assert counted["attempts"] > 100
    assert "addresses" in done.stdout


@long
def test_the_command_lists_its_classes_and_refuses_others() -> None:
    listed = _command("--list").stdout.splitlines()
    assert [line.split()[0] for line in listed] == [attacks.name for attacks in CLASSES]
    assert _command("--only", "nothing").returncode == 2


def _command(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "tests.attack", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
