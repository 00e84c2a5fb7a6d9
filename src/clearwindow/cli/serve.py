"""``clearwindow serve``: the server, with a worker in it."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clearwindow.cli.failures import CommandError
from clearwindow.cli.listening import bound, url_of
from clearwindow.cli.options import DatabaseUrlOption, DataOption, JsonOption
from clearwindow.cli.signals import leave, on_stop

if TYPE_CHECKING:
    from clearwindow.jobs.worker import Worker
    from clearwindow.settings import Settings
    from clearwindow.web.tls import TlsFiles


def serve(  # noqa: PLR0913 - one for each option
    *,
    host: Annotated[str | None, typer.Option(help="The address to listen on. (default: 127.0.0.1)")] = None,
    port: Annotated[int | None, typer.Option(help="The port. 0 takes a free one. (default: 8080)")] = None,
    data: DataOption = None,
    database_url: DatabaseUrlOption = None,
    tls_certificate: Annotated[
        Path | None,
        typer.Option("--tls-certificate", metavar="FILE", help="Serve over TLS, with this certificate."),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option("--tls-key", metavar="FILE", help="The private key of the certificate.")
    ] = None,
    tls_client_ca: Annotated[
        Path | None,
        typer.Option(
            "--tls-client-ca", metavar="FILE", help="Take only callers with a certificate of these authorities."
        ),
    ] = None,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Run no due work here: `clearwindow worker` does it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the server, with its database and its worker, until SIGTERM or Ctrl-C."""
    # The web framework takes a while to import, and no other command should wait for it.
    from clearwindow import bootstrap  # noqa: PLC0415
    from clearwindow.core.logs import configure_logging  # noqa: PLC0415
    from clearwindow.settings import load_settings  # noqa: PLC0415

    settings = load_settings(
        host=host,
        port=port,
        data_dir=data,
        database_url=database_url,
        tls_certificate=tls_certificate,
        tls_key=tls_key,
        tls_client_ca=tls_client_ca,
    )
    configure_logging(settings.log_level)
    tls = _tls_files(settings)
    on_stop(leave)
    with (
        bound(settings.host, settings.port) as listener,
        bootstrap.traced(settings, "clearwindow"),
        bootstrap.opened_runtime(settings, share_running=False, serves=True) as runtime,
    ):
        bootstrap.tell_of_ownership(runtime)
        network = bootstrap.tell_of_opening(runtime)
        worker = None if no_worker else bootstrap.build_worker(runtime, settings)

        def announce() -> None:
            where = _about(settings, listener, worker=worker is not None) | network
            typer.echo(json.dumps(where) if as_json else _sentences(where, settings))

        with _running(worker):
            mover = bootstrap.build_mover(runtime)
            app = bootstrap.build_app(runtime, settings, mover)
            _run_server(app, settings, listener, announce, tls, ending=mover.stop)


@contextmanager
def _running(worker: Worker | None) -> Iterator[None]:
    """Runs the worker in a thread. At the end, it completes its current job."""
    if worker is None:
        yield
        return
    thread = threading.Thread(target=worker.run, name="worker")
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join()


def _run_server(
    app: Any,  # noqa: ANN401 - any ASGI application
    settings: Settings,
    listener: socket.socket,
    announce: Callable[[], None],
    tls: TlsFiles | None,
    *,
    ending: Callable[[], None],
) -> None:
    from clearwindow.web.server import Server, Terms  # noqa: PLC0415 - see above

    class AnnouncingServer(Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if tls is not None:
                asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.reload_certificates)
            announce()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            # A request that moves the clock takes minutes. Stopping the server must not wait for it.
            ending()
            super().handle_exit(sig, frame)

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            # uvicorn's own handler would end the process before the worker and the database have stopped.
            on_stop(self.handle_exit)
            try:
                yield
            finally:
                on_stop(signal.SIG_IGN)

    terms = Terms(settings.server_limits(), settings.trusted_proxies, settings.shutdown_seconds, tls)
    AnnouncingServer(app, listener, terms).run(sockets=[listener])


def _tls_files(settings: Settings) -> TlsFiles | None:
    """Returns the files of TLS, and reports a wrong one before the database is started."""
    from clearwindow.web.tls import TlsError, TlsFiles, tls_context  # noqa: PLC0415 - see above

    if settings.tls_certificate is None or settings.tls_key is None:
        if settings.tls_certificate or settings.tls_key or settings.tls_client_ca:
            raise CommandError("TLS needs both, --tls-certificate and --tls-key.")
        return None
    files = TlsFiles(settings.tls_certificate, settings.tls_key, settings.tls_client_ca)
    try:
        tls_context(files)
    except TlsError as error:
        raise CommandError(str(error)) from None
    return files


def _about(settings: Settings, listener: socket.socket, *, worker: bool) -> dict[str, object]:
    embedded = settings.database_url is None
    return {
        "version": version("clearwindow"),
        "address": url_of(listener, tls=settings.tls_certificate is not None),
        "database": "embedded" if embedded else "by URL",
        "dataDir": str(Path(settings.data_dir).resolve()),
        "worker": worker,
    }


def _sentences(where: dict[str, object], settings: Settings) -> str:
    lines = [
        f"Clearwindow {where['version']} listens on {where['address']}",
        f"  API reference  {where['address']}/docs",
        f"  data folder    {where['dataDir']}",
        f"  database       {where['database']}",
        f"  worker         {'in this process' if where['worker'] else 'none here: run clearwindow worker'}",
        f"  network        {_network(where)}",
    ]
    return "\n".join([*lines, _way_in(where, settings), "Stop with Ctrl-C."])


def _network(where: dict[str, object]) -> str:
    if where["mode"] == "sandbox":
        return "a sandbox for tests, whose clock can be moved; in real time until it is"
    if where["mode"] == "unopened":
        return "not opened yet: it has no administrators"
    return "in earnest, with a SINGLE OPERATOR: nobody checks them" if where["singleOperator"] else "in earnest"


def _way_in(where: dict[str, object], settings: Settings) -> str:
    if where["mode"] == "earnest":
        unused = " CLEARWINDOW_OPERATOR_TOKEN opens nothing any more: unset it."
        return "Its administrators make further operators." + (unused if settings.operator_token else "")
    if settings.operator_token is not None:
        return "The token in CLEARWINDOW_OPERATOR_TOKEN belongs to the operator bootstrap."
    option = f" --data {settings.data_dir}" if where["database"] == "embedded" else ""
    if where["mode"] == "sandbox":
        return f"To make an operator token: clearwindow token create --operator NAME{option}"
    return f"To make its first administrators: clearwindow operators init --name NAME --name NAME{option}"
