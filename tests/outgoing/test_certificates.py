"""A certificate that is trusted, but for another name, gets neither a call nor a webhook message."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

# A process of its own, because which authorities are trusted is read once, when the HTTP library is loaded.
SENDER: Final = """
import asyncio
import sys

from clearwindow.clock import SystemClock
from clearwindow.notices.posting import Poster
from clearwindow.outgoing.client import Outgoing
from clearwindow.outgoing.values import NoAnswerError, Request


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
        return f"{error}, sent: {error.sent}"


outgoing = Outgoing(allow_private=True)
for url in sys.argv[1:]:
    print(asyncio.run(post(url)))
    print(call(url))
outgoing.close()
"""


def test_a_certificate_for_another_name_gets_no_request(tmp_path: Path) -> None:
    heard: list[str] = []
    with ExitStack() as stack:
        names = ("localhost", "exchange.example")
        urls = [stack.enter_context(serving_tls(tmp_path / f"{name}.pem", name, heard)) for name in names]
        trusted = tmp_path / "trusted.pem"
        trusted.write_bytes(b"".join((tmp_path / f"{name}.pem").read_bytes() for name in names))
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", SENDER, *urls],
            env={**os.environ, "SSL_CERT_FILE": str(trusted)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    refused = "its certificate is not one that is trusted for this name"
    assert done.stdout.splitlines() == ["204", "204", refused, f"{refused}, sent: True"]
    assert heard == ["localhost", "localhost"]


@contextmanager
def serving_tls(path: Path, name: str, heard: list[str]) -> Iterator[str]:
    """An HTTPS server on localhost with a certificate for this name; it notes the name when it hears a request."""
    path.write_bytes(self_signed(name))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            heard.append(name)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: what matters is asserted."""

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


def self_signed(name: str) -> bytes:
    """A key and a certificate for the name that nobody has signed but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + signed.public_bytes(Encoding.PEM)
