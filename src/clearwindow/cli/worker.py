"""``clearwindow worker``: due work in a separate process, for servers that run with ``--no-worker``."""

from __future__ import annotations

import json
import threading
import time
from typing import Final

import typer

from clearwindow.cli.options import DatabaseUrlOption, DataOption, JsonOption, require_database
from clearwindow.cli.signals import leave, on_stop

_LOOK_SECONDS: Final = 0.1


def worker(*, data: DataOption = None, database_url: DatabaseUrlOption = None, as_json: JsonOption = False) -> None:
    """Run due work until SIGTERM or Ctrl-C. Any number of workers may use one database."""
    from clearwindow import bootstrap  # noqa: PLC0415 - the web framework takes a while to import
    from clearwindow.core.logs import configure_logging  # noqa: PLC0415
    from clearwindow.settings import load_settings  # noqa: PLC0415

    settings = load_settings(data_dir=data, database_url=database_url)
    require_database(settings)
    configure_logging(settings.log_level)
    on_stop(leave)
    with bootstrap.opened_runtime(settings, share_running=True) as runtime:
        bootstrap.tell_of_ownership(runtime)
        bootstrap.tell_of_opening(runtime)
        works = bootstrap.build_worker(runtime, settings)
        signals: list[int] = []
        on_stop(lambda number, _: signals.append(number))
        # Not in the main thread: a signal handler cannot end a wait that it interrupts.
        thread = threading.Thread(target=works.run, name="worker")
        thread.start()
        kinds = [kind.name for kind in bootstrap.BACKLOGS]
        typer.echo(json.dumps({"working": kinds}) if as_json else f"Working on: {', '.join(kinds)}.")
        while thread.is_alive() and not signals:
            time.sleep(_LOOK_SECONDS)
        works.stop()
        thread.join()
