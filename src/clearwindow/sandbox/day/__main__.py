"""``make day``: a sandbox of its own in a temporary folder, a network, a day on it, and the server's own check."""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from clearwindow.sandbox.server import ServerNotStartedError, serving

# Whoever moves the clock does what falls due: the worker need not look for it all the time.
_SANDBOX: Final = {
    "CLEARWINDOW_SANDBOX": "1",
    "CLEARWINDOW_RATE_LIMIT_PER_MINUTE": "0",
    "CLEARWINDOW_WORKER_POLL_SECONDS": "2",
}
_TOKEN_VARIABLE: Final = "CLEARWINDOW_OPERATOR_TOKEN"  # noqa: S105 - the name of a variable


def main() -> int:
    """Runs the commands as a person would; gives the first exit code that is not 0."""
    asked = argparse.ArgumentParser(prog="make day", description=__doc__)
    asked.add_argument("--exchanges", default="10")
    asked.add_argument("--traders", default="100")
    asked.add_argument("--rounds-per-day", default="24")
    asked.add_argument("--disputes-percent", default="2")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="clearwindow-day-") as name:
        folder = Path(name)
        # Where root plays, the database runs as somebody else, who must get through to its own folder.
        folder.chmod(0o711)
        network = str(folder / "network.json")
        token = secrets.token_urlsafe()
        try:
            with serving(folder, token, _SANDBOX) as url:
                size = ("--exchanges", given.exchanges, "--traders", given.traders)
                course = ("--rounds-per-day", given.rounds_per_day, "--disputes-percent", given.disputes_percent)
                return (
                    _run(("sandbox", "seed", "--url", url, "--out", network, *size), token)
                    or _run(("sandbox", "day", "--network", network, *course), token)
                    or _run(("check", "--data", str(folder / "data")), token)
                )
        except ServerNotStartedError as error:
            print(error, file=sys.stderr)  # noqa: T201 - the end of a command
            return 1


def _run(arguments: Sequence[str], token: str) -> int:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLEARWINDOW_")}
    command = [sys.executable, "-m", "clearwindow", *arguments]
    done = subprocess.run(command, env=kept | _SANDBOX | {_TOKEN_VARIABLE: token}, check=False)  # noqa: S603 - this very program
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
