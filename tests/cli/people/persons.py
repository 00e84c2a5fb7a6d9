"""People at terminals: the real command, in a folder of their own, with their own profiles."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.processes import COMMAND, environment

TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Persons:
    folder: Path
    url: str

    def environment(self, **more: str) -> dict[str, str]:
        own = {"XDG_CONFIG_HOME": str(self.folder / "settings"), "TZ": "UTC", "COLUMNS": "200"}
        return {**environment(), **own, **more}

    def run(self, *arguments: str, given: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end."""
        return subprocess.run(  # noqa: S603 - ours
            [*COMMAND, *arguments],
            cwd=self.folder,
            env=self.environment(**more),
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
        )

    def done(self, *arguments: str, given: str = "", **more: str) -> str:
        """Returns what a command prints that succeeds."""
        ran = self.run(*arguments, given=given, **more)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def json(self, *arguments: str) -> Any:  # noqa: ANN401 - any JSON document
        return json.loads(self.done(*arguments, "--json"))

    def fails(self, code: int, *arguments: str, given: str = "", **more: str) -> str:
        """Returns what a command says that ends with this code."""
        ran = self.run(*arguments, given=given, **more)
        assert ran.returncode == code, (ran.returncode, ran.stdout + ran.stderr)
        assert "Traceback" not in ran.stderr
        return ran.stderr

    def profiles(self) -> Path:
        return self.folder / "settings" / "clearwindow" / "profiles.json"

    def mode(self, path: Path) -> int:
        return os.stat(path).st_mode & 0o777  # noqa: PTH116 - a number
