"""``clearwindow serve``: the server, with a worker in it."""

from __future__ import annotations

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
from clearwindow.cli.options import DatabaseUrlOption, DataOption, JsonOption
from clearwindow.cli.signals import leave, on_stop

if TYPE_CHECKING:
    from clearwindow.settings import Settings
    from clearwindow.work.worker import Worker


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="The address to listen on.  [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="The port; 0 takes a free one.  [default: 8080]")] = None,
    data: DataOption = None,
    database_url: DatabaseUrlOption = None,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Leave due work to `clearwindow worker`.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the server, with its database and its worker, until SIGTERM or Ctrl-C."""
    # The web framework takes a while to import, which no other command should wait for.
    from clearwindow import bootstrap  # noqa: PLC0415
    from clearwindow.logs import configure_logging  # noqa: PLC0415
    from clearwindow.settings import load_settings  # noqa: PLC0415

    settings = load_settings(host=host, port=port, data_dir=data, database_url=database_url)
    configure_logging(settings.log_level)
    on_stop(leave)
    with (
        _bound(settings.host, settings.port) as listener,
        bootstrap.opened_runtime(settings, share_running=False) as runtime,
    ):
        worker = None if no_worker else bootstrap.build_worker(runtime, settings)

        def announce() -> None:
            where = _about(settings, listener, worker=worker is not None)
            typer.echo(json.dumps(where) if as_json else _sentences(where, settings))

        with _running(worker):
            mover = bootstrap.build_mover(runtime)
            app = bootstrap.build_app(runtime, settings, mover)
            _run_server(app, settings, listener, announce, ending=mover.stop)


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """The address, taken before anything is started: that it is in use should be the first thing we say."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CommandError(f"There is no address {host}: {error.strerror}.") from None
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {host}, port {port}: {error.strerror}. Choose another one with --port."
            ) from None
        yield listener


@contextmanager
def _running(worker: Worker | None) -> Iterator[None]:
    """The worker in a thread; at the end it finishes the job in hand."""
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
    *,
    ending: Callable[[], None],
) -> None:
    import uvicorn  # noqa: PLC0415 - see above

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            announce()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            # A request that moves the clock takes minutes, which nobody who ends the server should wait for.
            ending()
            super().handle_exit(sig, frame)

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            # Its own would end the process by the signal, before the worker and the database have ended.
            on_stop(self.handle_exit)
            try:
                yield
            finally:
                on_stop(signal.SIG_IGN)

    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=settings.trusted_proxies is not None,
        forwarded_allow_ips=settings.trusted_proxies or "",
        timeout_graceful_shutdown=round(settings.shutdown_seconds),
    )
    Server(config).run(sockets=[listener])


def _about(settings: Settings, listener: socket.socket, *, worker: bool) -> dict[str, object]:
    name, port = listener.getsockname()[:2]
    address = f"[{name}]" if ":" in name else name
    embedded = settings.database_url is None
    return {
        "version": version("clearwindow"),
        "address": f"http://{address}:{port}",
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
    ]
    if settings.operator_token is not None:
        lines.append("The token in CLEARWINDOW_OPERATOR_TOKEN is the operator bootstrap's.")
    else:
        option = f" --data {settings.data_dir}" if where["database"] == "embedded" else ""
        lines.append(f"For a first operator token: clearwindow token create --operator NAME{option}")
    return "\n".join([*lines, "Stop with Ctrl-C."])
