"""Decisions about partners, clients and connections. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from clearwindow.accounts.values import Balance
from clearwindow.errors import InvalidRequestError, UnprocessableError
from clearwindow.money import canonical_currency
from clearwindow.network.values import Client, Connection, ConnectionKeySchema, CurrencyMap, Partner
from clearwindow.partnercalls.rules import partners_own
from clearwindow.partnercalls.values import Accepted, NotCalled, Refused
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
    """Each field clear, or in the form that the partner can decrypt; no message quotes a value."""
    for name, value in key_fields.items():
        if not claims_encryption(value):
            continue
        if partner.public_key is None:
            raise InvalidRequestError(
                "connection_key_not_readable",
                f"connectionKey.{name}: has a line break, as if encrypted, but the partner has no public key to"
                " encrypt to: send the value in clear, in one line",
            )
        try:
            require_encrypted_form(value, parse_rsa_public_key(partner.public_key))
        except EncryptedFormError as error:
            raise InvalidRequestError(
                "connection_key_not_readable",
                f"connectionKey.{name}: {error.message}; encrypt it to the partner's publicKey again",
            ) from None


def require_may_connect(client: Client, partner: Partner) -> None:
    """What stops new business stops a new connection (*choice*: 422, as the references are right)."""
    if not client.active:
        raise UnprocessableError("client_inactive", "the client is inactive: ask the operator to activate it")
    if not partner.active:
        raise UnprocessableError("partner_inactive", "the partner is inactive and takes no new connections")


def require_not_refused(connection: Connection) -> None:
    """A connection that its partner refused is kept as a record, and leads nowhere (*choice*)."""
    if connection.refused_reason is not None:
        raise UnprocessableError(
            "connection_refused",
            f"the partner refused this connection: {connection.refused_reason}; connect again, as a new connection",
            {"connectionId": str(connection.id)},
        )


def introduced(connection: Connection, answer: Accepted | Refused | NotCalled, now: datetime) -> Connection | None:
    """The connection after the partner's answer; None where the answer lacks the partner's names for it."""
    if isinstance(answer, Refused):
        return replace(connection, active=False, refused_reason=answer.reason, updated_at=now)
    if isinstance(answer, NotCalled):
        # A partner without a callback gives no names of its own: ours serve both sides (*choice*).
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
            "the enterprise is a partner already, by another request: the operator changes what may change",
        )


def our_currencies(asked: Mapping[str, str], known: Iterable[str]) -> dict[str, str]:
    """The partner's names with ours in their one spelling.

    Raises:
        InvalidRequestError: a currency that the network does not know.
    """
    mapped = {name: canonical_currency(ours) for name, ours in asked.items()}
    unknown = sorted(set(mapped.values()) - set(known))
    if unknown:
        raise InvalidRequestError(
            "currency_unknown",
            f"currencies: the network does not know {unknown[0]}: make the currency first",
            {"unknownCurrencies": unknown},
        )
    return mapped


def in_partner_terms(balances: Mapping[str, Balance], currencies: CurrencyMap) -> dict[str, tuple[str, str]]:
    """(available, held) by the partner's own name and in its unit; what it does not map is left out."""
    terms: dict[str, tuple[str, str]] = {}
    for currency, balance in balances.items():
        available = currencies.to_theirs(currency, balance.available)
        held = currencies.to_theirs(currency, balance.held)
        if available and held:
            terms[available[0]] = (available[1], held[1])
    return terms
