"""``clearwindow worker``: due work in a process of its own, beside servers that run with ``--no-worker``."""

from __future__ import annotations

import json
import threading
import time
from typing import Final

import typer

from clearwindow.cli.options import DatabaseUrlOption, DataOption, JsonOption
from clearwindow.cli.signals import leave, on_stop

_LOOK_SECONDS: Final = 0.1


def worker(*, data: DataOption = None, database_url: DatabaseUrlOption = None, as_json: JsonOption = False) -> None:
    """Run due work until SIGTERM or Ctrl-C; any number of workers may run against one database."""
    from clearwindow import bootstrap  # noqa: PLC0415 - the web framework takes a while to import
    from clearwindow.logs import configure_logging  # noqa: PLC0415
    from clearwindow.settings import load_settings  # noqa: PLC0415

    settings = load_settings(data_dir=data, database_url=database_url)
    configure_logging(settings.log_level)
    on_stop(leave)
    with bootstrap.opened_runtime(settings, share_running=True) as runtime:
        works = bootstrap.build_worker(runtime, settings)
        signals: list[int] = []
        on_stop(lambda number, _: signals.append(number))
        # Not in the main thread: a signal's handler could not stop the wait that it interrupts.
        thread = threading.Thread(target=works.run, name="worker")
        thread.start()
        kinds = [kind.name for kind in bootstrap.BACKLOGS]
        typer.echo(json.dumps({"working": kinds}) if as_json else f"Working on: {', '.join(kinds)}.")
        while thread.is_alive() and not signals:
            time.sleep(_LOOK_SECONDS)
        works.stop()
        thread.join()
