"""The workflows have the form that GitHub takes, and run no action that can be changed under them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

GITHUB: Final = Path(__file__).parents[2] / ".github"
WORKFLOWS: Final = sorted((GITHUB / "workflows").glob("*.yml"))


def checked(schema: str, *files: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "check-jsonschema"
    words = [str(program), "--builtin-schema", schema, *map(str, files)]
    return subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - of this environment


def unpinned(text: str) -> list[str]:
    """Returns the actions that are not named by a commit."""
    return [used for used in re.findall(r"uses: (\S+)", text) if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", used)]


def test_workflows_have_githubs_form(tmp_path: Path) -> None:
    done = checked("vendor.github-workflows", *WORKFLOWS)
    assert (len(WORKFLOWS), done.returncode) == (3, 0), done.stdout
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(WORKFLOWS[0].read_text(encoding="utf-8").replace("runs-on:", "runs:"), encoding="utf-8")
    assert checked("vendor.github-workflows", wrong).returncode == 1


def test_actions_are_pinned_by_commit() -> None:
    assert [unpinned(file.read_text(encoding="utf-8")) for file in WORKFLOWS] == [[]] * len(WORKFLOWS)
    assert unpinned("- uses: actions/checkout@v6") == ["actions/checkout@v6"]
