"""What a release consists of: the sdist, and the wheel built from it alone, with the same bytes every time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
_HEADING: Final = re.compile(r"^## (?:\[?(\d+\.\d+\.\d+)\]? - (\d{4}-\d{2}-\d{2})|Unreleased)$", re.MULTILINE)


def version_of(project: Path) -> str:
    """Returns the version in ``pyproject.toml``, the only place that has it."""
    described = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(described["version"])


def faults_of_changelog(text: str, version: str) -> list[str]:
    """Returns what is wrong with the headings of a changelog for this version of the package."""
    headings = re.findall(r"^## .*$", text, re.MULTILINE)
    wrong = [heading for heading in headings if not _HEADING.fullmatch(heading)]
    released = [found[1] for found in map(_HEADING.fullmatch, headings) if found and found[1]]
    numbers = [tuple(map(int, each.split("."))) for each in released]
    faults = {f"the heading {heading!r} has another form" for heading in wrong}
    if headings[:1] != ["## Unreleased"]:
        faults.add("it does not begin with Unreleased")
    if numbers != sorted(set(numbers), reverse=True):
        faults.add("its versions do not go down")
    if released and released[0] != version:
        faults.add(f"its newest version is {released[0]}, and the package's {version}")
    return sorted(faults)


def build(project: Path, made: Path, *, epoch: int) -> tuple[Path, Path]:
    """Builds the sdist of a project, and the wheel from this sdist alone.

    Args:
        project: its folder.
        made: an empty folder, which gets both, and the unpacked sdist.
        epoch: the second since 1970 that all files in them are said to be from.

    Returns:
        the sdist and the wheel.
    """
    (made / "dist").mkdir(parents=True)
    _hatchling("sdist", project, made / "dist", epoch)
    (sdist,) = (made / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as packed:
        packed.extractall(made / "unpacked", filter="data")
    _hatchling("wheel", made / "unpacked" / sdist.name.removesuffix(".tar.gz"), made / "dist", epoch)
    (wheel,) = (made / "dist").glob("*.whl")
    return sdist, wheel


def _hatchling(target: str, project: Path, made: Path, epoch: int) -> None:
    given = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(made)]
    subprocess.run(command, cwd=project, env=given, check=True, capture_output=True)  # noqa: S603 - the words above
