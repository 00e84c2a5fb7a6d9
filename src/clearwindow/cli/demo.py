"""``clearwindow demo``: a complete example network."""

from __future__ import annotations

import typer

from clearwindow.cli.failures import FAILED
from clearwindow.cli.signals import interrupt, on_stop


def demo() -> None:
    """Create a network, run settlements with a dispute over HTTP, and show every step.

    The demo uses a temporary folder, which it removes at the end. It ignores your settings.
    """
    from clearwindow.simulator.demo.run import run_demo  # noqa: PLC0415 - only this command needs it

    on_stop(interrupt)
    if not run_demo():
        raise typer.Exit(FAILED)
