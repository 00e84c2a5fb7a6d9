"""Checks of new connections."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from clearwindow.conformance.network import Connection, Network
from clearwindow.conformance.steps import took
from clearwindow.conformance.values import Call, CheckFailedError, Group, NotApplicableError
from clearwindow.partnercalls import rules
from clearwindow.partnercalls.values import Accepted, Answer, Operation

transport: Final = Group("transport", "Transport", "§8")
connections: Final = Group("connections", "Connections", "§8")
CONNECTED: Final = ("connections.accepted", "connections.echo", "connections.own-ids")


@transport.check(
    "tls",
    "The endpoint speaks TLS, with a certificate that is good for its name",
    "Serve https with a certificate of a public authority for this very name, with its whole chain.",
)
def tls(network: Network) -> None:
    parts = urlsplit(network.terms.url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        raise NotApplicableError(
            "the address is http, which a network calls only where private addresses are allowed"
        )
    try:
        with (
            socket.create_connection((host, parts.port or 443), network.terms.timeout_seconds) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host),
        ):
            pass
    except ssl.SSLCertVerificationError as error:
        raise CheckFailedError(error.verify_message, f"a certificate that is good for {host}") from None
    except OSError as error:
        raise CheckFailedError(error.strerror or "the handshake did not end", "TLS 1.2 or newer") from None


@connections.check(
    "accepted",
    "A new connection is accepted",
    "Answer 2xx with a JSON object. Does your endpoint read the key set that this run shows, expect this issuer "
    "and "
    "audience, and know the client's connection key?",
)
def accepted(network: Network) -> None:
    connection, call, answer = introduce(network)
    if connection is None:
        # An endpoint that cannot read the keys may also say that it cannot tell now.
        unread = network.keys.is_served and network.keys.reads == 0 and call.status in (401, 403, 500, 503)
        hint = "; nobody has read the key set of this run" if unread else ""
        said = took(answer) if not isinstance(answer, Accepted) else "there is nothing in the answer"
        raise CheckFailedError(said + hint, "2xx with a JSON object", call)
    network.connection = connection


@connections.check(
    "echo",
    "What the answer repeats of the connection is what was sent",
    "Repeat clientId and connectionId exactly as they came, or leave them out.",
    needs=CONNECTED[:1],
)
def echo(network: Network) -> None:
    connection = network.connection
    sent = {"clientId": str(connection.client_id), "connectionId": str(connection.id)}
    differing = rules.contradiction(connection.answer, sent)
    if differing is not None:
        raise CheckFailedError(
            f"{differing} is not the one that was sent", f"{differing}: {sent[differing]}", connection.call
        )


@connections.check(
    "own-ids",
    "The answer names the partner's own client and connection",
    "Add partnersClientId and partnersConnectionId (partnerClientId and partnerConnectionId are understood too): "
    "texts of "
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
    "The same connection again is answered the same",
    "Keep connections by connectionId, and answer a repeat as you answered the first time: the network repeats "
    "when your "
    "answer was lost.",
    needs=CONNECTED,
)
def repeated(network: Network) -> None:
    first = network.connection
    call, answer = network.call(Operation.CONNECTION, first.id, first.body)
    if not isinstance(answer, Accepted):
        raise CheckFailedError(took(answer), "the answer of the first time", call)
    again = Connection(first.id, first.client_id, first.body, call, answer)
    names = (first.partners_client_id, first.partners_connection_id)
    if (again.partners_client_id, again.partners_connection_id) != names:
        raise CheckFailedError(
            "the partner's own ids are others than the first time", " and ".join(map(str, names)), call
        )


def introduce(network: Network) -> tuple[Connection | None, Call, Answer]:
    """Tells the endpoint of a new connection; gives it where it was taken."""
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
def aside(network: Network) -> Iterator[None]:
    """Another connection until the block ends; the same one where the endpoint does not take a second."""
    main = network.connection
    other, _, _ = introduce(network)
    if other is not None and other.partners_client_id and other.partners_connection_id:
        network.connection = other
    try:
        yield
    finally:
        network.connection = main
