"""``make day``: a new sandbox in a temporary folder, a network, a day on it, and the check of the ledger."""

from __future__ import annotations

import argparse
import secrets
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

from clearwindow.simulator import child
from clearwindow.simulator.server import ServerNotStartedError, environment, serving, temporary_folder

# The process that moves the clock does the due work, so the worker need not poll often.
_SANDBOX: Final = {
    "CLEARWINDOW_SANDBOX": "1",
    "CLEARWINDOW_RATE_LIMIT_PER_MINUTE": "0",
    "CLEARWINDOW_WORKER_POLL_SECONDS": "2",
    "CLEARWINDOW_LOG_LEVEL": "warning",
}
_TOKEN_VARIABLE: Final = "CLEARWINDOW_OPERATOR_TOKEN"  # noqa: S105 - the name of a variable
_BY_SIGNAL: Final = 128


def main() -> int:
    """Runs the commands, and returns the first exit code that is not 0."""
    parser = argparse.ArgumentParser(prog="make day", description=__doc__)
    parser.add_argument("--exchanges", default="10")
    parser.add_argument("--traders", default="100")
    parser.add_argument("--rounds-per-day", default="24")
    parser.add_argument("--disputes-percent", default="2")
    given = parser.parse_args()
    with temporary_folder("day") as folder:
        network = str(folder / "network.json")
        token = secrets.token_urlsafe()
        try:
            with serving(folder, token, _SANDBOX) as url:
                size = ("--exchanges", given.exchanges, "--traders", given.traders)
                options = (
                    "--rounds-per-day",
                    given.rounds_per_day,
                    "--disputes-percent",
                    given.disputes_percent,
                )
                return (
                    _run(("sandbox", "seed", "--url", url, "--out", network, *size), token)
                    or _run(("sandbox", "day", "--network", network, *options), token)
                    or _run(("check", "--data", str(folder / "data")), token)
                )
        except ServerNotStartedError as error:
            print(error, file=sys.stderr)  # noqa: T201 - the end of a command
            return 1


def _run(arguments: Sequence[str], token: str) -> int:
    env = environment(_SANDBOX | {_TOKEN_VARIABLE: token})
    return subprocess.run([*child.COMMAND, *arguments], env=env, stdin=child.input_pipe(), check=False).returncode  # noqa: S603 - this very program


def _interrupt(number: int, _frame: object) -> NoReturn:
    """Exits, and so ends every process that was started."""
    raise SystemExit(_BY_SIGNAL + number)


if __name__ == "__main__":
    for stop_signal in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop_signal, _interrupt)
    sys.exit(main())
