"""Who is calling, as the rest of the house sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import Final
from uuid import UUID

BOOTSTRAP_OPERATOR: Final = "bootstrap"
"""The operator that the token in the settings belongs to."""


class Scope(StrEnum):
    READ = "settlement_network_read"
    WRITE = "settlement_network_write"


class TokenKind(StrEnum):
    """How a token proves itself: shown as it is, or kept back, with an HMAC under it on each request and answer."""

    BEARER = "bearer"
    V2X = "v2x"


class TrustOrg(StrEnum):
    """The trust organisation an enterprise keeps its assets with; the wire knows exactly these."""

    TRUST = "BitGo Trust"
    NEW_YORK = "BitGo New York"
    GERMANY = "BitGo Germany"
    SWITZERLAND = "BitGo Switzerland"
    EUROPE = "BitGo Europe ApS"
    FRANKFURT = "Frankfurt DE Trust"
    SINGAPORE = "BitGo Singapore"
    KOREA = "BitGo Korea"
    MENA = "BitGo Custody MENA FZE"
    INDIA = "BitGo India"
    SISTER_TRUST_1 = "BitGo Sister Trust 1"


@dataclass(frozen=True, slots=True)
class Member:
    """A user acting for one enterprise, in one request."""

    enterprise_id: str
    user_id: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator acting on the network, in one request."""

    operator_id: UUID
    name: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a presented token; never the token itself."""

    id: UUID
    kind: TokenKind
    enterprise_id: str | None
    user_id: str | None
    operator_id: UUID | None
    operator_name: str | None
    scopes: frozenset[Scope]
    ip_allow_list: tuple[IPv4Network | IPv6Network, ...]
    label: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    licensed: bool


@dataclass(frozen=True, slots=True)
class Enterprise:
    id: str
    name: str
    trust_org: TrustOrg
    licensed: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class User:
    """A person, known to the whole network by one id; may be a member of several enterprises."""

    id: str
    name: str
    email: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OperatorRecord:
    """An operator as a lasting identity, where ``Operator`` is one acting in a request."""

    id: UUID
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token with its value: exists only between its making and the answer that shows it."""

    token: Token
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenTerms:
    """What a new token shall be: operator's tokens use the label and the expiry only, and are bearer tokens."""

    label: str | None = None
    expires_at: datetime | None = None
    scopes: frozenset[Scope] = frozenset()
    ip_allow_list: tuple[IPv4Network | IPv6Network, ...] = ()
    kind: TokenKind = TokenKind.BEARER
