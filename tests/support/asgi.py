"""An application on a loopback socket, served by a thread of this process, by the product's own server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from clearwindow.runtime import ServerLimits
from clearwindow.web.server import Server, Terms

START_SECONDS = 60
# All callers of a test come from one address, and a race opens many connections.
TERMS = Terms(ServerLimits(connections_per_address=1_000))


@contextmanager
def listening(app: Any, terms: Terms = TERMS) -> Iterator[str]:  # noqa: ANN401 - any ASGI application
    """Serves the application until the block ends, and gives its address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = Server(app, listener, terms)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    give_up_at = time.monotonic() + START_SECONDS
    while not server.started:
        if time.monotonic() > give_up_at:
            raise TimeoutError("the application did not start")
        time.sleep(0.005)
    try:
        yield f"{'https' if terms.tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=START_SECONDS)
        listener.close()
