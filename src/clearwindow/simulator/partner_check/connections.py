"""Checks of TLS and of new connections."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from clearwindow.partner_calls import rules
from clearwindow.partner_calls.models import Accepted, Answer, Operation
from clearwindow.simulator.partner_check.models import Call, CheckFailedError, Group, NotApplicableError
from clearwindow.simulator.partner_check.network import Connection, Network
from clearwindow.simulator.partner_check.steps import answer_text

transport: Final = Group("transport", "Transport", "§8")
connections: Final = Group("connections", "Connections", "§8")
CONNECTED: Final = ("connections.accepted", "connections.echo", "connections.own-ids")


@transport.check(
    "tls",
    "The endpoint uses TLS with a valid certificate for its host name",
    "Serve https with a certificate of a public authority for this host name, with the whole chain.",
)
def tls(network: Network) -> None:
    parts = urlsplit(network.terms.url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        raise NotApplicableError("the URL is http, which a network calls only if it allows private addresses")
    try:
        with (
            socket.create_connection((host, parts.port or 443), network.terms.timeout_seconds) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host),
        ):
            pass
    except ssl.SSLCertVerificationError as error:
        raise CheckFailedError(error.verify_message, f"a certificate that is valid for {host}") from None
    except OSError as error:
        raise CheckFailedError(error.strerror or "the TLS handshake did not complete", "TLS 1.2 or newer") from None


@connections.check(
    "accepted",
    "A new connection is accepted",
    "Answer 2xx with a JSON object. Check that your endpoint reads the key set of this run, expects this issuer "
    "and audience, and knows the client's connection key.",
)
def accepted(network: Network) -> None:
    connection, call, answer = open_connection(network)
    if connection is None:
        # An endpoint that cannot read the keys may also answer 503.
        unread = network.keys.is_served and network.keys.reads == 0 and call.status in (401, 403, 500, 503)
        hint = "; the endpoint has not read the key set of this run" if unread else ""
        why = answer_text(answer) if not isinstance(answer, Accepted) else "the answer is empty"
        raise CheckFailedError(why + hint, "2xx with a JSON object", call)
    network.connection = connection


@connections.check(
    "echo",
    "The answer repeats the ids of the connection correctly",
    "Repeat clientId and connectionId exactly as they were sent, or leave them out.",
    needs=CONNECTED[:1],
)
def echo(network: Network) -> None:
    connection = network.connection
    sent = {"clientId": str(connection.client_id), "connectionId": str(connection.id)}
    differing = rules.contradiction(connection.answer, sent)
    if differing is not None:
        raise CheckFailedError(
            f"{differing} differs from the one that was sent", f"{differing}: {sent[differing]}", connection.call
        )


@connections.check(
    "own-ids",
    "The answer has the partner's own ids of client and connection",
    "Add partnersClientId and partnersConnectionId (partnerClientId and partnerConnectionId work too): strings of "
    "1 to 255 characters.",
    needs=CONNECTED[:1],
)
def own_ids(network: Network) -> None:
    connection = network.connection
    missing = [
        name
        for name, value in (
            ("partnersClientId", connection.partners_client_id),
            ("partnersConnectionId", connection.partners_connection_id),
        )
        if value is None
    ]
    if missing:
        raise CheckFailedError(
            f"the answer has no {' and no '.join(missing)}",
            "partnersClientId and partnersConnectionId",
            connection.call,
        )


@connections.check(
    "repeated",
    "A repeated connection gets the same answer",
    "Store connections by connectionId, and give a repeat the same answer. The network repeats a call if its "
    "answer was lost.",
    needs=CONNECTED,
)
def repeated(network: Network) -> None:
    first = network.connection
    call, answer = network.call(Operation.CONNECTION, first.id, first.body)
    if not isinstance(answer, Accepted):
        raise CheckFailedError(answer_text(answer), "the first answer", call)
    again = Connection(first.id, first.client_id, first.body, call, answer)
    names = (first.partners_client_id, first.partners_connection_id)
    if (again.partners_client_id, again.partners_connection_id) != names:
        raise CheckFailedError(
            "the partner's own ids differ from the first answer", " and ".join(map(str, names)), call
        )


def open_connection(network: Network) -> tuple[Connection | None, Call, Answer]:
    """Opens a new connection. Returns it if the endpoint accepted it, with the call and the answer."""
    client_id = network.terms.client_id or network.new_id()
    connection_id = network.new_id()
    body = {
        **network.terms.connection_key,
        "clientId": str(client_id),
        "clientWalletId": network.new_id().hex,
        "connectionId": str(connection_id),
        "partnerId": str(network.partner_id),
    }
    call, answer = network.call(Operation.CONNECTION, connection_id, body)
    if not isinstance(answer, Accepted) or not answer.fields:
        return None, call, answer
    return Connection(connection_id, client_id, body, call, answer), call, answer


@contextmanager
def another_connection(network: Network) -> Iterator[None]:
    """Uses another connection until the block ends, or the same one if the endpoint does not accept a second."""
    main = network.connection
    other, _, _ = open_connection(network)
    if other is not None and other.partners_client_id and other.partners_connection_id:
        network.connection = other
    try:
        yield
    finally:
        network.connection = main
