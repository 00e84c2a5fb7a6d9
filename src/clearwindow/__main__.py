"""Lets ``python -m clearwindow`` run the command ``clearwindow``, which is part of the server."""

from __future__ import annotations

import sys


def run() -> None:
    """Runs the command. The console script calls it."""
    try:
        from clearwindow.cli.main import run as run_command  # noqa: PLC0415 - missing without the extra
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "clearwindow":
            raise
        sys.stderr.write(
            f"clearwindow: only the SDK is installed ({error.name} is missing):"
            " install the server with pip install 'clearwindow[server]'\n"
        )
        raise SystemExit(1) from None
    run_command()


if __name__ == "__main__":
    run()
