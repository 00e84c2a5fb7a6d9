"""What makes and judges mutants, without trying one: ``make mutate`` does that."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants import survivors
from tests.mutants.python import _is_wording, _lines, _plain
from tests.mutants.statements import tests_of
from tests.mutants.statements.sites import PACKAGES, Mutant, mutants_of, sample, text_of
from tests.mutants.survivors import Change, Tried, judge

FILE = """-- name: take
-- A comment = with an operator.
SELECT a - b FROM t LEFT JOIN u ON u.id = t.id
WHERE t.id = %(id)s AND note <> 'a = b' AND {shared}
FOR UPDATE OF t

-- columns: shared
x IS NULL OR greatest(x::int, 0) > 1

-- relation: rows
SELECT 1 WHERE false
"""


def every_mutant() -> list[Mutant]:
    return [mutant for package in PACKAGES for mutant in mutants_of(package, text_of(package))]


def test_every_place_changes_once_and_nothing_else_does() -> None:
    changed = {(mutant.of, mutant.before, mutant.after) for mutant in mutants_of("room", FILE)}
    select = "SELECT a - b FROM t LEFT JOIN u ON u.id = t.id"
    where = "WHERE t.id = %(id)s AND note <> 'a = b' AND {shared}"
    shared = "x IS NULL OR greatest(x::int, 0) > 1"
    assert changed == {
        ("room.take", select, select.replace("-", "+")),
        ("room.take", select, select.replace("LEFT JOIN", "JOIN")),
        ("room.take", select, select.replace("u.id = t.id", "u.id <> t.id")),
        ("room.take", select, select.replace("u.id = t.id", "true")),
        ("room.take", where, where.replace("t.id =", "t.id <>")),
        ("room.take", where, where.replace("note <>", "note =")),
        ("room.take", where, where.replace("t.id = %(id)s", "true")),
        ("room.take", where, where.replace("note <> 'a = b'", "true")),
        ("room.take", where, where.replace("{shared}", "true")),
        ("room.take", "FOR UPDATE OF t", ""),
        ("room.shared", shared, shared.replace("IS NULL", "IS NOT NULL")),
        ("room.shared", shared, shared.replace("OR", "AND")),
        ("room.shared", shared, shared.replace("greatest", "least")),
        ("room.shared", shared, shared.replace(">", ">=")),
    }


def test_equal_changes_of_a_statement_have_their_number() -> None:
    union = "SELECT 1\nUNION ALL\nSELECT 2\n"
    first, second = mutants_of("room", f"-- name: both\n{union}UNION ALL\n{union.partition(chr(10))[0]}\n")
    assert first.change == "- UNION ALL\n+ UNION"
    assert second.change == "- UNION ALL\n+ UNION\n(such place 2)"


def test_sample_has_some_of_each_statement_and_stays_the_same() -> None:
    mutants = every_mutant()
    taken = sample(mutants, 300)
    assert len({(mutant.of, mutant.change) for mutant in taken}) == 300
    assert {mutant.of for mutant in taken} == {mutant.of for mutant in mutants}
    assert sample(list(reversed(mutants)), 300) == taken
    # Text above a statement moves it, and changes nothing of it.
    moved = [mutant.change for mutant in sample(mutants_of("room", f"-- name: other\nSELECT 1\n\n{FILE}"), 9)]
    assert moved == [mutant.change for mutant in sample(mutants_of("room", FILE), 9)]


def test_every_statement_has_tests_that_exist() -> None:
    recorded = tests_of.known()
    without = {
        mutant.of for mutant in every_mutant() if not tests_of.tests_for(mutant.package, mutant.block, recorded)
    }
    assert not without, "run make mutate MUTATE=record"
    named = {tuple(test.partition("[")[0].split("::")) for tests in recorded.values() for test in tests}
    texts = {path: Path(path).read_text() if Path(path).exists() else "" for path, _ in named}
    gone = {f"{path}::{name}" for path, name in named if f"def {name}(" not in texts[path]}
    assert not gone, "run make mutate MUTATE=record"


def test_quickest_and_broadest_tests_of_several_files_are_chosen() -> None:
    of_statements = "tests/ledger/test_statements.py::test_holds"
    seconds = {f"a.py::test_{number}": number / 10 for number in range(20)} | {
        of_statements: 1.5,
        "b.py::test_slow": 2.0,
        "c.py::test_endless": 50.0,
        "d.py::test_each[1]": 0.4,
        "d.py::test_each[0]": 0.2,
        "e.py::test_broken": float("inf"),
    }
    chosen = list(tests_of.choose(seconds, dict.fromkeys(seconds, 1) | {"a.py::test_19": 9}))
    assert chosen[0] == of_statements
    assert {"a.py::test_0", "a.py::test_19", "b.py::test_slow", "d.py::test_each[0]"} <= set(chosen)
    assert [seconds[test] for test in chosen[1:]] == sorted(seconds[test] for test in chosen[1:])
    assert not {"c.py::test_endless", "e.py::test_broken", "d.py::test_each[1]"} & set(chosen)


def test_shared_columns_have_the_tests_of_the_statements_that_write_them() -> None:
    assert tests_of.statements_with("clearwindow.ledger", "wanted") == ["coverage", "hold_liabilities"]
    assert tests_of.statements_with("clearwindow.ledger", "drop_holds") == ["drop_holds"]


def test_mutant_of_python_is_told_by_the_lines_that_it_changes() -> None:
    assert _plain("x_liability__mutmut_12") == "liability"
    assert _plain("xǁOutcomeǁfilled__mutmut_1") == "Outcome.filled"
    original = ["def x_f__mutmut_orig(a, b=1):", "    return a + b"]
    assert _lines(original, ["def x_f__mutmut_1(a, b=1):", "    return a - b"]) == "- return a + b\n+ return a - b"
    assert _lines(original, ["def x_f__mutmut_2(a, b=2):", "    return a + b"]) == "- a, b=1):\n+ a, b=2):"


@pytest.mark.parametrize(
    ("before", "after", "is_wording"),
    [
        ('Error("name", "some words")', 'Error("name", "XXsome wordsXX")', True),
        ('Error("name", "some words")', 'Error("XXnameXX", "some words")', False),
        ('Error("name", "some words")', 'Error("name", None)', False),
    ],
)
def test_words_for_people_are_no_mutants(before: str, after: str, *, is_wording: bool) -> None:
    assert _is_wording(f"- {before}\n+ {after}") is is_wording


def test_run_fails_on_new_survivors_on_too_few_killed_and_on_reasons_for_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known, new, gone, killed = (Change("f", name) for name in ("known", "new", "gone", "killed"))
    monkeypatch.setattr(survivors, "known", lambda _kind: dict.fromkeys([known, gone, killed], "why"))
    tried = [Tried("room", change, killed=change is killed) for change in (known, killed)]
    plenty = [Tried("room", Change("g", str(number)), killed=True) for number in range(20)]
    assert judge("python", tried + plenty, whole=False) == []
    elsewhere = [Tried("other room", change, killed=True) for change in map(Change, "abcdefgh", "abcdefgh")]
    wrong = judge("python", [*tried, Tried("room", new, killed=False), *elsewhere, *plenty[:9]], whole=True)
    assert [one.partition(":")[0] for one in wrong] == [
        "survives, and is not in survivors.toml",
        "is in survivors.toml, but there is no such mutant",
        "is in survivors.toml, but was killed",
        "only 83.3% were killed of room",
    ]
    uneven = [*tried, Tried("room", new, killed=False), *elsewhere, *plenty[:9]]
    assert not any("of room" in one for one in judge("python", uneven, whole=True, each_group=False))
    assert "only 50.0% were killed of all: at least 90% must be" in judge(
        "python", tried, whole=False, each_group=False
    )


@pytest.mark.parametrize("kind", ["python", "statements"])
def test_every_survivor_has_a_reason(kind: str) -> None:
    assert all(why.strip() for why in survivors.known(kind).values())
