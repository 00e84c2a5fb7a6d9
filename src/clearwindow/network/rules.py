"""Decisions about partners, clients and connections."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from clearwindow.core.errors import InvalidRequestError, NotFoundError, UnprocessableError
from clearwindow.core.money import canonical_currency
from clearwindow.ledger.models import Balance
from clearwindow.network.models import (
    Client,
    Connection,
    ConnectionKeySchema,
    CurrencyMap,
    FirstRequest,
    NewConnection,
    Partner,
)
from clearwindow.partner_calls.models import Accepted, NotCalled, Refused
from clearwindow.partner_calls.rules import partners_own
from clearwindow.signing import repeats
from clearwindow.signing.connection_keys import (
    EncryptedFormError,
    claims_encryption,
    parse_rsa_public_key,
    require_encrypted_form,
)


def require_key_schema(partner: Partner, given: ConnectionKeySchema) -> None:
    if given is not partner.connection_key_schema:
        raise InvalidRequestError(
            "connection_key_schema_differs",
            f"connectionKey.schema: the partner takes a key of the schema {partner.connection_key_schema}",
            {"connectionKeySchema": str(partner.connection_key_schema)},
        )


def require_readable_key(partner: Partner, key_fields: Mapping[str, str]) -> None:
    """Requires each field in clear or encrypted to the partner's key. No error quotes a value."""
    for name, value in key_fields.items():
        if not claims_encryption(value):
            continue
        if partner.public_key is None:
            raise InvalidRequestError(
                "connection_key_not_readable",
                f"connectionKey.{name}: has a line break, like an encrypted value, but the partner has no public"
                " key: send the value in clear, in one line",
            )
        try:
            require_encrypted_form(value, parse_rsa_public_key(partner.public_key))
        except EncryptedFormError as error:
            raise InvalidRequestError(
                "connection_key_not_readable",
                f"connectionKey.{name}: {error.message}; encrypt it to the partner's publicKey again",
            ) from None


def require_may_connect(client: Client, partner: Partner) -> None:
    """An inactive client or partner gets no new connection (choice C122)."""
    if not client.active:
        raise UnprocessableError("client_inactive", "the client is inactive: ask the operator to activate it")
    if not partner.active:
        raise UnprocessableError("partner_inactive", "the partner is inactive and takes no new connections")


def differing_fields(made: Connection, first: FirstRequest, asked: NewConnection) -> list[str]:
    """Returns the fields in which a request differs from the one that made the connection. Empty: the same."""
    differing = {
        "partnerId": made.partner_id != asked.partner_id,
        "name": first.name != asked.name,
        "connectionKey": not hmac.compare_digest(first.key, asked.key),
    }
    return [name for name, differs in differing.items() if differs]


def require_same_connection(made: Connection, first: FirstRequest | None, asked: NewConnection) -> None:
    """Requires that a second request with the same nonce is the first one, signed anew. No error quotes a key.

    ``first`` is None if only bytes can be compared, and they differ.

    Raises:
        InvalidRequestError: it differs.
    """
    fields = [] if first is None else differing_fields(made, first, asked)
    if first is None or fields:
        raise InvalidRequestError("nonce_used", *repeats.differs("nonce", "connection", made.id, fields))


def require_not_refused(connection: Connection) -> None:
    """A connection that its partner refused stays as a record and cannot be used (choice C8)."""
    if connection.refused_reason is not None:
        raise UnprocessableError(
            "connection_refused",
            f"the partner refused this connection: {connection.refused_reason}; connect again, as a new connection",
            {"connectionId": str(connection.id)},
        )


def unknown_connection() -> NotFoundError:
    """Another enterprise's connection gets the same error as one that does not exist."""
    return NotFoundError("connection_unknown", "the enterprise has no connection with this id")


def introduced(connection: Connection, answer: Accepted | Refused | NotCalled, now: datetime) -> Connection | None:
    """Returns the connection after the partner's answer, or None if the answer lacks the partner's ids for it."""
    if isinstance(answer, Refused):
        return replace(connection, active=False, refused_reason=answer.reason, updated_at=now)
    if isinstance(answer, NotCalled):
        # A partner without a callback gives no ids of its own: both sides use ours (choice C23).
        client_id, connection_id = str(connection.client_id), str(connection.id)
    else:
        client_id, connection_id = (
            partners_own(answer, "ClientId") or "",
            partners_own(answer, "ConnectionId") or "",
        )
        if not client_id or not connection_id:
            return None
    return replace(connection, partners_client_id=client_id, partners_connection_id=connection_id, updated_at=now)


def require_same_request(recorded: bytes | None, given: bytes) -> None:
    if recorded != given:
        raise UnprocessableError(
            "partner_differs",
            "the enterprise is a partner already, with other values: ask the operator to change it",
        )


def our_currencies(asked: Mapping[str, str], known: Iterable[str]) -> dict[str, str]:
    """Returns our currency for each name of the partner, in the network's own spelling.

    Raises:
        InvalidRequestError: the network has no such currency.
    """
    mapped = {name: canonical_currency(ours) for name, ours in asked.items()}
    unknown = sorted(set(mapped.values()) - set(known))
    if unknown:
        raise InvalidRequestError(
            "currency_unknown",
            f"currencies: the network does not know {unknown[0]}: add the currency first",
            {"unknownCurrencies": unknown},
        )
    return mapped


def by_partner_names(balances: Mapping[str, Balance], currencies: CurrencyMap) -> dict[str, Balance]:
    """Returns balances by the partner's own names, without currencies that it does not map. In base units."""
    named = ((currencies.partner_names(currency), balance) for currency, balance in balances.items())
    return {names[0]: balance for names, balance in named if names}
