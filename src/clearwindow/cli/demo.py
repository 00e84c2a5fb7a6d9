"""``clearwindow demo``: the product's first impression."""

from __future__ import annotations

import typer

from clearwindow.cli.failures import FAILED
from clearwindow.cli.signals import interrupt, on_stop


def demo() -> None:
    """Build a network from nothing, run settlements through dispute and execution over HTTP, and show the course.

    Everything is in a temporary folder, which is removed at the end; no setting of yours is used.
    """
    from clearwindow.sandbox.demo.play import play  # noqa: PLC0415 - only this command shows anything

    on_stop(interrupt)
    if not play():
        raise typer.Exit(FAILED)
