"""Health and metrics of a process that takes no other requests, such as a separate worker."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from clearwindow.jobs.backlog import Waiting
from clearwindow.runtime import Runtime
from clearwindow.web.app import create_app
from clearwindow.web.health import health_router
from clearwindow.web.server import Server, Terms


@contextmanager
def answering_probes(
    runtime: Runtime, kinds: Sequence[Waiting], work_lag_limit_seconds: float, listener: socket.socket
) -> Iterator[None]:
    """Answers /healthz, /readyz and /metrics on the listener until the block ends."""
    app = create_app(runtime, [health_router(kinds, work_lag_limit_seconds)])
    server = Server(app, listener, Terms(shutdown_seconds=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="probes")
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
