"""The page of proposals lists all acts, and the acts have names of their own."""

from __future__ import annotations

from pathlib import Path

from clearwindow.bootstrap import ACTS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "proposals.md"


def test_page_lists_every_act_and_no_other() -> None:
    rows = [line.split("`")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    acts = [row for row in rows if "." in row]
    assert sorted(acts) == sorted(act.name for act in ACTS)
