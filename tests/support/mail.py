"""A real mail server on loopback: it keeps the messages, and answers as the test decides."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

PATIENCE_SECONDS = 60

Answer = Callable[[str], str]
"""Says what the server answers to a message for this address."""


@dataclass(frozen=True)
class Mail:
    to: str
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        parsed = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def id(self) -> str:
        return str(self.message["Message-ID"])

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    def body(self, kind: str = "plain") -> str:
        part = self.message.get_body((kind,))
        assert part is not None
        return str(part.get_content())


@dataclass
class MailServer:
    port: int = 0
    received: list[Mail] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    answer: Answer = field(default_factory=lambda: lambda _: "250 kept")

    sender_answer: str = "250 ok"
    """What the server answers to whoever sends."""

    def to(self, address: str) -> list[Mail]:
        return [mail for mail in self.received if mail.to == address]


class _Handler:
    def __init__(self, server: MailServer) -> None:
        self._server = server

    async def handle_MAIL(  # noqa: N802 - the library's own
        self, _smtp: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._server.sender_answer.startswith("250"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return self._server.sender_answer

    async def handle_RCPT(  # noqa: N802 - the library's own
        self, _smtp: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        answer = self._server.answer(address)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, smtp: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.original_content or b""
        # The session knows of STARTTLS alone.
        at_once = smtp.transport is not None and smtp.transport.get_extra_info("ssl_object") is not None
        self._server.encrypted.append(at_once or session.ssl is not None)
        self._server.received += [Mail(address, content) for address in envelope.rcpt_tos]
        return "250 kept"


@contextmanager
def mail_server(
    *, tls: ssl.SSLContext | None = None, starttls: bool = True, password: str | None = None
) -> Iterator[MailServer]:
    """Runs a mail server until the block ends.

    Args:
        tls: of the server; without it, nothing is encrypted.
        starttls: whether it begins in clear; else TLS is there from the first byte.
        password: what users must log in with.
    """
    server = MailServer()

    def authenticate(_server: object, _session: object, _envelope: object, _kind: str, login: Any) -> AuthResult:  # noqa: ANN401 - the library's own
        assert isinstance(login, LoginPassword)
        server.logins.append((login.login, login.password))
        # Not handled: the library itself shall answer.
        return AuthResult(success=login.password.decode() == password, handled=False)

    given: dict[str, Any] = {}
    if password is not None:
        given |= {"authenticator": authenticate, "auth_required": True}
    if tls is not None and starttls:
        given |= {"tls_context": tls, "require_starttls": True}
    elif tls is not None:
        given |= {"ssl_context": tls, "auth_require_tls": False}
    else:
        given |= {"auth_require_tls": False}
    controller = _Controller(
        _Handler(server), hostname="127.0.0.1", port=0, ready_timeout=PATIENCE_SECONDS, **given
    )
    controller.start()
    try:
        server.port = controller.bound_port
        yield server
    finally:
        controller.stop()


class _Controller(Controller):
    """Listens on a free port. The library would look for itself at port 0."""

    @property
    def bound_port(self) -> int:
        assert isinstance(self.server, asyncio.AbstractServer)
        return int(self.server.sockets[0].getsockname()[1])  # type: ignore[attr-defined]  # a server of sockets

    def _trigger_server(self) -> None:
        """Connects once, as the library waits for, to the port that was free."""
        with socket.create_connection(("127.0.0.1", self.bound_port), timeout=PATIENCE_SECONDS):
            pass
