"""Compound parts of requests: connection keys, trades, deposits, a partner's decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from dataclasses import fields as dataclass_fields
from datetime import datetime
from typing import Literal, NotRequired, Required, TypeAlias, TypedDict, TypeVar

from clearwindow.client.text import Id, Minutes, Quantity, fields, quantity_text
from clearwindow.signing.connection_keys import encrypt_connection_key, parse_rsa_public_key


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A connection key that is one token, made by the partner."""

    connection_token: str = field(repr=False)

    def wire(self) -> dict[str, object]:
        return fields(schema="token", connection_token=self.connection_token)


@dataclass(frozen=True, slots=True)
class TokenAndSignatureKey:
    connection_token: str = field(repr=False)
    signature: str = field(repr=False)

    def wire(self) -> dict[str, object]:
        return fields(schema="tokenAndSignature", connection_token=self.connection_token, signature=self.signature)


@dataclass(frozen=True, slots=True)
class ApiKeyAndSecretKey:
    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)

    def wire(self) -> dict[str, object]:
        return fields(schema="apiKeyAndSecret", api_key=self.api_key, api_secret=self.api_secret)


@dataclass(frozen=True, slots=True)
class ClearLoopKey:
    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)
    client_account_id: str
    company_registration_number: str

    def wire(self) -> dict[str, object]:
        return fields(
            schema="clearloop",
            api_key=self.api_key,
            api_secret=self.api_secret,
            client_account_id=self.client_account_id,
            company_registration_number=self.company_registration_number,
        )


ConnectionKey: TypeAlias = TokenKey | TokenAndSignatureKey | ApiKeyAndSecretKey | ClearLoopKey
"""The key that the partner gave the client. It links the connection to the client's account at the partner."""

K = TypeVar("K", TokenKey, TokenAndSignatureKey, ApiKeyAndSecretKey, ClearLoopKey)


def encrypted_key(key: K, public_key: str) -> K:
    """Returns the key with its secrets encrypted: only the partner can read them, the network cannot.

    Args:
        key: the key in plain text.
        public_key: the partner's RSA key, from the list of partners.

    Raises:
        ValueError: ``public_key`` is not an RSA key.
    """
    partners = parse_rsa_public_key(public_key)
    # The secrets are the fields that ``repr`` leaves out.
    secret = {part.name: getattr(key, part.name) for part in dataclass_fields(key) if not part.repr}
    return replace(key, **{name: encrypt_connection_key(value, partners) for name, value in secret.items()})


@dataclass(frozen=True, slots=True)
class TradeSide:
    """One currency of a trade; one side is positive, the other negative."""

    currency: str
    quantity: Quantity

    def wire(self) -> dict[str, object]:
        return {"currency": self.currency, "quantity": quantity_text(self.quantity)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """A trade on a connection, or between two connections."""

    external_id: str
    external_order_id: str
    party_connection_id: Id
    counterparty_connection_id: Id | None = None
    traded_at: datetime
    base: TradeSide
    quote: TradeSide

    def wire(self) -> dict[str, object]:
        return fields(
            external_id=self.external_id,
            external_order_id=self.external_order_id,
            party_connection_id=self.party_connection_id,
            counterparty_connection_id=self.counterparty_connection_id,
            traded_at=self.traded_at,
            base=self.base.wire(),
            quote=self.quote.wire(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeCorrection:
    """Why a trade is corrected, and by whom."""

    correcting_user: str
    reason: str
    external_id: str | None = None

    def wire(self) -> dict[str, object]:
        return fields(correcting_user=self.correcting_user, reason=self.reason, external_id=self.external_id)


@dataclass(frozen=True, slots=True)
class Deposit:
    """A transaction that a partner made on a chain."""

    currency: str
    on_chain_tx_id: str

    def wire(self) -> dict[str, object]:
        return fields(currency=self.currency, on_chain_tx_id=self.on_chain_tx_id)


@dataclass(frozen=True, slots=True)
class WantedLossLimits:
    """The limits of loss of one currency, in base units. None is no limit."""

    per_settlement: Quantity | None
    per_day: Quantity | None

    def wire(self) -> dict[str, object]:
        given = {"perSettlement": self.per_settlement, "perDay": self.per_day}
        return {name: None if quantity is None else quantity_text(quantity) for name, quantity in given.items()}


@dataclass(frozen=True, slots=True)
class NewKey:
    """A public key of a Go Account: an xpub, a base64 DER key or 66 hexadecimal characters.

    Attributes:
        encrypted_prv: the owner's ciphertext of the private key; the network keeps it and returns it unchanged.
    """

    pub: str
    encrypted_prv: str | None = None

    def wire(self) -> dict[str, object]:
        return fields(pub=self.pub, encrypted_prv=self.encrypted_prv)


class PartnersWord(TypedDict, total=False):
    """A partner's decision on an allocation or deallocation, with the amount in its own name and unit."""

    currency: Required[str]
    quantity: Required[Quantity]
    client_id: Required[Id]
    connection_id: Required[Id]
    partners_client_id: Required[str]
    partners_connection_id: Required[str]
    status: Required[Literal["cleared", "released"]]
    reject_reason: str
    evaluation_id: str
    pending_approval_id: str
    policy_result: Literal["approved", "rejected"]
    nonce: str


class ConfigurationFields(TypedDict):
    """An enterprise's partner configuration: its currency names, its unit of amounts and its endpoints."""

    currencies: Mapping[str, str]
    amount_unit: Literal["base", "decimal"]
    callback_url: NotRequired[str]
    callback_paths: NotRequired[Mapping[str, str]]
    async_allocations: NotRequired[bool]
    onchain_enabled: NotRequired[bool]
    execute_when_funded: NotRequired[bool]
    auto_approve_client_closures: NotRequired[bool]
    loss_sla_minutes: NotRequired[Minutes]
    gain_sla_minutes: NotRequired[Minutes]
    public_key: NotRequired[str]


class PartnerChanges(TypedDict, total=False):
    """Changes of a partner. Omitted fields stay; None removes a window or a route."""

    active: bool
    client_dispute_window_minutes: Minutes | None
    top_up_window_minutes: Minutes | None
    stable_partner: bool
    settlement_transaction_route_id: str | None


class WebhookEndpointChanges(TypedDict, total=False):
    """Changes of an endpoint. Omitted fields stay; None removes the types or the description."""

    url: str
    event_types: Sequence[str] | None
    description: str | None
    enabled: bool


WantedQuietHours = TypedDict("WantedQuietHours", {"from": str, "until": str})
"""Local times such as ``22:30``, which may go over midnight."""


class WantedChat(TypedDict):
    """A chat's incoming webhook. Without ``url``, the one that is known stays."""

    form: Literal["slack", "teams", "mattermost", "generic"]
    url: NotRequired[str]


class WantedNotifications(TypedDict, total=False):
    """All of what a person is told, and where. Omitted fields end or are as usual."""

    email: str
    chat: WantedChat
    event_types: Sequence[str]
    time_zone: str
    quiet_hours: WantedQuietHours


class NewPartner(TypedDict):
    """What an enterprise states when it becomes a partner."""

    name: str
    broker: bool
    institution_identifier: str
    connection_key_schema: Literal["token", "tokenAndSignature", "apiKeyAndSecret", "clearloop"]
    institution_id: NotRequired[Id]
    client_dispute_window_minutes: NotRequired[Minutes]
    top_up_window_minutes: NotRequired[Minutes]
    allocation_policies_enabled: NotRequired[bool]
