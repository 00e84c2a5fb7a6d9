"""``python -m clearwindow`` is the command ``clearwindow``."""

from clearwindow.cli.main import run

run()
