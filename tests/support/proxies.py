"""nginx, Caddy and Envoy with the configurations of ``deploy/``, in front of a server on loopback.

Only ports, addresses and paths are replaced, and how long a head may take, so that a test does not wait for it.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from tests.support.certificates import self_signed

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
HOST: Final = "clearwindow.example"
_TLS: Final = "/etc/clearwindow/tls"
HEAD_SECONDS: Final = 2
_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 30
_STARTS: Final = 3
_POLL_SECONDS: Final = 0.05
_PATH: Final = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}:/usr/sbin"


@dataclass(frozen=True)
class _Kind:
    """How one proxy is started, and what is replaced in its file."""

    file: Path
    command: Callable[[Path], Sequence[str]]
    replaced: Callable[[int, int, Path], Mapping[str, str]]
    before_client_certificates: str
    """A line of the file, after which ``client_certificates`` stand if callers need a certificate."""
    client_certificates: str


def _nginx(port: int, server: int, folder: Path) -> Mapping[str, str]:
    return {
        "listen 443": f"listen 127.0.0.1:{port}",
        "127.0.0.1:8080": f"127.0.0.1:{server}",
        # As root, nginx would change to a user that cannot reach the test's folder.
        "user www-data;": "user root;",
        "worker_processes auto;": "worker_processes 1;",
        "/run/nginx.pid": f"{folder}/nginx.pid",
        "/var/log/nginx": str(folder),
        "/var/lib/nginx/body": f"{folder}/body",
        "client_header_timeout 10s": f"client_header_timeout {HEAD_SECONDS}s",
    }


def _caddy(port: int, server: int, folder: Path) -> Mapping[str, str]:
    return {
        f"https://{HOST} {{": f"https://{HOST}:{port} {{\n\tbind 127.0.0.1",
        "127.0.0.1:8080": f"127.0.0.1:{server}",
        "/var/log/caddy": str(folder),
        "read_header 10s": f"read_header {HEAD_SECONDS}s",
    }


def _envoy(port: int, server: int, folder: Path) -> Mapping[str, str]:
    del folder
    return {
        "address: 0.0.0.0, port_value: 443": f"address: 127.0.0.1, port_value: {port}",
        "port_value: 8080": f"port_value: {server}",
        "request_headers_timeout: 10s": f"request_headers_timeout: {HEAD_SECONDS}s",
        "transport_socket_connect_timeout: 10s": f"transport_socket_connect_timeout: {HEAD_SECONDS}s",
    }


KINDS: Final = {
    "nginx": _Kind(
        DEPLOY / "nginx" / "clearwindow.conf",
        lambda file: ("nginx", "-c", str(file), "-g", "daemon off;"),
        _nginx,
        "ssl_certificate_key /etc/clearwindow/tls/key.pem;\n",
        "ssl_client_certificate /etc/clearwindow/tls/clients.pem;\nssl_verify_client on;\n",
    ),
    "caddy": _Kind(
        DEPLOY / "caddy" / "Caddyfile",
        lambda file: ("caddy", "run", "--config", str(file), "--adapter", "caddyfile"),
        _caddy,
        "protocols tls1.2 tls1.3\n",
        "client_auth {\n\tmode require_and_verify\n\ttrusted_ca_cert_file /etc/clearwindow/tls/clients.pem\n}\n",
    ),
    "envoy": _Kind(
        DEPLOY / "envoy" / "clearwindow.yaml",
        lambda file: ("envoy", "--concurrency", "1", "--use-dynamic-base-id", "-c", str(file)),
        _envoy,
        "DownstreamTlsContext\n",
        "require_client_certificate: {value: true}\n"
        "common_tls_context:\n"
        "  validation_context: {trusted_ca: {filename: /etc/clearwindow/tls/clients.pem}}\n",
    ),
}


@dataclass(frozen=True)
class Proxy:
    """A running proxy."""

    port: int
    certificate: Path

    def client(
        self,
        token: str,
        *,
        source: str = "127.0.0.1",
        certificate: Path | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Client:
        """Returns a client that calls the proxy by its public name, and checks its certificate."""
        tls = self.tls()
        if certificate is not None:
            tls.load_cert_chain(certificate)
        return httpx2.Client(
            base_url=f"https://127.0.0.1:{self.port}",
            headers={"Host": HOST, "Authorization": f"Bearer {token}", **(headers or {})},
            timeout=60,
            transport=httpx2.HTTPTransport(verify=tls, local_address=source),
            event_hooks={"request": [_by_name]},
        )

    @contextmanager
    def connection(self, *protocols: str) -> Iterator[ssl.SSLSocket]:
        """Opens a TLS connection for what no client would send."""
        context = self.tls()
        if protocols:
            context.set_alpn_protocols(list(protocols))
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        with context.wrap_socket(plain, server_hostname=HOST) as secured:
            yield secured

    def tls(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.certificate)
        return context


def _by_name(request: httpx2.Request) -> None:
    extensions: dict[str, Any] = request.extensions
    extensions["sni_hostname"] = HOST


@contextmanager
def proxy(name: str, server_port: int, folder: Path, *, clients: Path | None = None) -> Iterator[Proxy]:
    """Runs one of ``KINDS`` in front of the server until the block ends.

    Args:
        name: of the proxy.
        server_port: of the server.
        folder: gets its log and files.
        clients: certificates that callers must have one of. None takes callers without.
    """
    folder.mkdir(parents=True, exist_ok=True)
    certificate = self_signed(HOST, folder)
    process, port = _started(name, server_port, folder, certificate, clients)
    try:
        yield Proxy(port, certificate)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        finally:
            process.kill()
            process.wait()


def _started(
    name: str, server_port: int, folder: Path, certificate: Path, clients: Path | None
) -> tuple[subprocess.Popen[bytes], int]:
    """Starts it on a free port. Another program may take the port in between: then another one is tried."""
    kind = KINDS[name]
    for _ in range(_STARTS):
        port = _free_port()
        file = folder / kind.file.name
        text = kind.file.read_text(encoding="utf-8")
        replaced = kind.replaced(port, server_port, folder)
        if clients is not None:
            text = with_client_certificates(name, text)
            replaced = {f"{_TLS}/clients.pem": str(clients), **replaced}
        replaced = {f"{_TLS}/certificate.pem": str(certificate), f"{_TLS}/key.pem": str(certificate), **replaced}
        file.write_text(_with(text, replaced), encoding="utf-8")
        process = _run(name, kind.command(file), folder)
        if _listens(process, port):
            return process, port
    pytest.fail(f"{name} did not start: {(folder / 'log').read_text(encoding='utf-8', errors='replace')}")


def with_client_certificates(name: str, text: str) -> str:
    """Returns the configuration with what its page adds for client certificates."""
    kind = KINDS[name]
    before, found, after = text.partition(kind.before_client_certificates)
    assert found, f"{name} does not have {kind.before_client_certificates!r} any more"
    own = before.rpartition("\n")[2] if name != "envoy" else " " * (len(after) - len(after.lstrip(" ")))
    added = textwrap.indent(kind.client_certificates, own)
    if name == "envoy":
        # The last of the added lines stands in the block that follows.
        block, _, rest = after.partition("\n")
        assert block.strip() == "common_tls_context:"
        return before + found + added + rest
    return before + found + added + after


def _with(text: str, replaced: Mapping[str, str]) -> str:
    for old, new in replaced.items():
        assert old in text, f"the file does not have {old!r} any more"
        text = text.replace(old, new)
    return text


def _run(name: str, command: Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
    program = shutil.which(command[0], path=_PATH)
    if program is None:
        pytest.fail(f"install {name} (.ci/run has the package)")
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - the program found above
            [program, *command[1:]],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(folder)},
        )


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "it does not listen"
            time.sleep(_POLL_SECONDS)
        else:
            return True
    return False


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
