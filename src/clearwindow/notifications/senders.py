"""Sends one message: by SMTP to the network's mail server, or by HTTP to a chat. Every failure is a ``Result``."""

from __future__ import annotations

import ssl
from contextlib import suppress
from email.message import EmailMessage
from types import TracebackType
from typing import Final, Self

import aiosmtplib

from clearwindow.notifications.forms import chat_body, email_of
from clearwindow.notifications.models import ChannelKind, ChatForm, Claim, Message, Result
from clearwindow.runtime import MailTerms, MailTls, Runtime
from clearwindow.webhooks.post import Poster
from clearwindow.webhooks.rules import GONE

MESSAGE_HEADER: Final = "Clearwindow-Message-Id"
"""The header of a post to a chat with the message's id, the same for every attempt."""
_PERMANENT: Final = 500
_REFUSED_HTTP: Final = frozenset({400, 413, 422})
"""What a chat says of a message that it does not want, whenever it is sent."""


class Mailbox:
    """One connection to the mail server, opened for the first message and used for those of one channel."""

    def __init__(self, terms: MailTerms, timeout_seconds: float) -> None:
        self._terms = terms
        self._timeout_seconds = timeout_seconds
        self._smtp: aiosmtplib.SMTP | None = None

    async def send(self, message: Message, to: str) -> Result:
        """Sends the message. The first one opens the connection."""
        try:
            mail = email_of(message, self._terms.sender, to)
        except ValueError:
            return Result("the address is malformed", refused=True)
        problem = await self._connect()
        return Result(problem) if problem is not None else await self._send(mail, to)

    async def _send(self, mail: EmailMessage, to: str) -> Result:
        if self._smtp is None:
            raise LookupError("what is sent has a connection")
        try:
            await self._smtp.send_message(mail, sender=self._terms.sender, recipients=[to])
        except aiosmtplib.SMTPRecipientsRefused as error:
            return _answered(max(refused.code for refused in error.recipients))
        except aiosmtplib.SMTPSenderRefused as error:
            # It is the network that is refused, not this message: it may go when settings change.
            return Result(f"the mail server answered {error.code} to the sender")
        except aiosmtplib.SMTPResponseException as error:
            return _answered(error.code)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            return Result(f"the mail server did not take the message: {type(error).__name__}")
        return Result()

    async def aclose(self) -> None:
        if self._smtp is not None:
            with suppress(aiosmtplib.SMTPException, OSError):
                await self._smtp.quit()
            self._smtp.close()

    async def _connect(self) -> str | None:
        """Opens the connection if it is not open. Returns why it cannot be."""
        try:
            if self._smtp is None:
                self._smtp = _client(self._terms, self._timeout_seconds)
            if not self._smtp.is_connected:
                await self._smtp.connect()
        except aiosmtplib.SMTPResponseException as error:
            return f"the mail server answered {error.code} before any message"
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            return f"the mail server cannot be used: {type(error).__name__}"
        return None


def _client(terms: MailTerms, timeout_seconds: float) -> aiosmtplib.SMTP:
    encrypted = terms.tls is not MailTls.NONE
    return aiosmtplib.SMTP(
        hostname=terms.host,
        port=terms.port,
        use_tls=terms.tls is MailTls.IMPLICIT,
        start_tls=terms.tls is MailTls.STARTTLS,
        tls_context=ssl.create_default_context(cafile=terms.ca_file) if encrypted else None,
        username=terms.user,
        password=terms.password(),
        timeout=timeout_seconds,
    )


def _answered(code: int) -> Result:
    return Result(f"the mail server answered {code}", refused=code >= _PERMANENT)


class Senders:
    """All ways to send, for one event loop."""

    def __init__(self, runtime: Runtime) -> None:
        self._terms = runtime.notifications
        self._poster = Poster(
            runtime.clock,
            runtime.calls.wall,
            allow_private=runtime.outgoing.allow_private,
            timeout_seconds=self._terms.timeout_seconds,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._poster.aclose()

    def mailbox(self, claimed: Claim) -> Mailbox | None:
        """Returns a connection for the claim's messages, None if they are not e-mails, or no server is set."""
        if claimed.channel.kind is not ChannelKind.EMAIL or self._terms.mail is None:
            return None
        return Mailbox(self._terms.mail, self._terms.timeout_seconds)

    async def send(self, claimed: Claim, message: Message, mailbox: Mailbox | None) -> Result:
        if claimed.channel.kind is ChannelKind.EMAIL:
            if mailbox is None:
                return Result("this network has no mail server")
            return await mailbox.send(message, claimed.channel.address)
        return await self._post(claimed, message)

    async def _post(self, claimed: Claim, message: Message) -> Result:
        body = chat_body(message, claimed.channel.form or ChatForm.GENERIC)
        answer = await self._poster.post(claimed.url or "", {MESSAGE_HEADER: str(message.id)}, body)
        return Result(
            answer.problem,
            refused=answer.status_code in _REFUSED_HTTP and not answer.succeeded,
            gone=answer.status_code == GONE,
            retry_after_seconds=answer.retry_after_seconds,
        )
