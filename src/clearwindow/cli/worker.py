"""``clearwindow worker``: due work in a separate process, for servers that run with ``--no-worker``."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from clearwindow.cli.listening import bound, url_of
from clearwindow.cli.options import DatabaseUrlOption, DataOption, JsonOption, require_database
from clearwindow.cli.signals import leave, on_stop

if TYPE_CHECKING:
    from clearwindow.runtime import Runtime
    from clearwindow.settings import Settings

_LOOK_SECONDS: Final = 0.1


def worker(
    *,
    data: DataOption = None,
    database_url: DatabaseUrlOption = None,
    probe_host: Annotated[
        str | None, typer.Option(help="The address that answers probes. (default: 127.0.0.1)")
    ] = None,
    probe_port: Annotated[
        int | None,
        typer.Option(help="The port of /healthz, /readyz and /metrics. 0 takes a free one. (default: none)"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run due work until SIGTERM or Ctrl-C. Any number of workers may use one database."""
    from clearwindow import bootstrap  # noqa: PLC0415 - the web framework takes a while to import
    from clearwindow.core.logs import configure_logging  # noqa: PLC0415
    from clearwindow.settings import load_settings  # noqa: PLC0415

    settings = load_settings(
        data_dir=data, database_url=database_url, worker_probe_host=probe_host, worker_probe_port=probe_port
    )
    require_database(settings)
    configure_logging(settings.log_level)
    on_stop(leave)
    with (
        _listening(settings) as listener,
        bootstrap.traced(settings, "clearwindow-worker"),
        bootstrap.opened_runtime(settings, share_running=True) as runtime,
        _probes(settings, runtime, listener),
    ):
        bootstrap.tell_of_ownership(runtime)
        bootstrap.tell_of_opening(runtime)
        works = bootstrap.build_worker(runtime, settings)
        signals: list[int] = []
        on_stop(lambda number, _: signals.append(number))
        # Not in the main thread: a signal handler cannot end a wait that it interrupts.
        thread = threading.Thread(target=works.run, name="worker")
        thread.start()
        about: dict[str, object] = {"working": [kind.name for kind in bootstrap.BACKLOGS]}
        if listener is not None:
            about["probes"] = url_of(listener)
        typer.echo(json.dumps(about) if as_json else _sentences(about))
        while thread.is_alive() and not signals:
            time.sleep(_LOOK_SECONDS)
        works.stop()
        thread.join()


def _listening(settings: Settings) -> AbstractContextManager[socket.socket | None]:
    """Opens the address of the probes before anything else starts, so that a port in use is reported first."""
    if settings.worker_probe_port is None:
        return nullcontext()
    return bound(settings.worker_probe_host, settings.worker_probe_port, "--probe-port")


def _probes(settings: Settings, runtime: Runtime, listener: socket.socket | None) -> AbstractContextManager[None]:
    if listener is None:
        return nullcontext()
    from clearwindow import bootstrap  # noqa: PLC0415 - see above
    from clearwindow.web.probes import answering_probes  # noqa: PLC0415 - see above

    return answering_probes(runtime, bootstrap.BACKLOGS, settings.worker_lag_limit_seconds, listener)


def _sentences(about: dict[str, Any]) -> str:
    said = f"Working on: {', '.join(about['working'])}."
    return f"{said}\nProbes: {about['probes']}/readyz" if "probes" in about else said
