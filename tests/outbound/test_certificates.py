"""An endpoint whose trusted certificate has another name gets neither a call nor a webhook message."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from tests.support.certificates import self_signed

# In a new process, because the HTTP library reads the trusted authorities only once.
SENDER: Final = """
import asyncio
import sys

from clearwindow.core.clock import SystemClock
from clearwindow.webhooks.post import Poster
from clearwindow.outbound.client import Outgoing
from clearwindow.outbound.models import NoAnswerError, Request


async def post(url):
    clock = SystemClock()
    poster = Poster(clock, clock, allow_private=True, timeout_seconds=10)
    answer = await poster.post(url, {}, b"{}")
    await poster.aclose()
    return answer.problem or answer.status_code


def call(url):
    try:
        return outgoing.send(Request("POST", url, {}, b"{}"), lane="a").status
    except NoAnswerError as error:
        return str(error)


outgoing = Outgoing(allow_private=True)
for url in sys.argv[1:]:
    print(asyncio.run(post(url)))
    print(call(url))
outgoing.close()
"""


def test_endpoint_with_a_certificate_for_another_name_gets_no_request(tmp_path: Path) -> None:
    requested: list[str] = []
    with ExitStack() as stack:
        names = ("localhost", "exchange.example")
        certificates = [self_signed(name, tmp_path) for name in names]
        urls = [
            stack.enter_context(serving_tls(path, name, requested))
            for path, name in zip(certificates, names, strict=True)
        ]
        trusted = tmp_path / "trusted.pem"
        trusted.write_bytes(b"".join(path.read_bytes() for path in certificates))
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", SENDER, *urls],
            env={**os.environ, "SSL_CERT_FILE": str(trusted)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    refused = "its certificate is not trusted for this name"
    assert done.stdout.splitlines() == ["204", "204", refused, refused]
    assert requested == ["localhost", "localhost"]


@contextmanager
def serving_tls(path: Path, name: str, requested: list[str]) -> Iterator[str]:
    """Serves HTTPS on localhost with a certificate for this name. Each request adds the name to ``requested``."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            requested.append(name)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Logs nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"https://localhost:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
