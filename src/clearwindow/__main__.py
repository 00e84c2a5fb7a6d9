"""``python -m clearwindow`` is the command ``clearwindow``, which comes with the server."""

from __future__ import annotations

import sys


def run() -> None:
    """The console script's entry."""
    try:
        from clearwindow.cli.main import run as run_command  # noqa: PLC0415 - not there without the extra
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "clearwindow":
            raise
        sys.stderr.write(
            f"clearwindow: this installation is the SDK alone ({error.name} is missing):"
            " install the server with pip install 'clearwindow[server]'\n"
        )
        raise SystemExit(1) from None
    run_command()


if __name__ == "__main__":
    run()
