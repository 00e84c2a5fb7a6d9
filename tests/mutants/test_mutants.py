"""What makes and judges mutants, without trying one: ``make mutate`` does that."""

from __future__ import annotations

import pytest

from tests.mutants import survivors
from tests.mutants.python import _is_wording, _lines, _plain
from tests.mutants.survivors import Change, Tried, judge


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


@pytest.mark.parametrize("kind", ["python"])
def test_every_survivor_has_a_reason(kind: str) -> None:
    assert all(why.strip() for why in survivors.known(kind).values())
