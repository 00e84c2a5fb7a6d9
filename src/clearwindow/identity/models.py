"""Enterprises, users, operators and tokens, and the caller of a request."""

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
    """How a token is used: a bearer token is sent with each request; a v2x token signs requests and is not sent."""

    BEARER = "bearer"
    V2X = "v2x"


class OperatorRole(StrEnum):
    """What an operator may do."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMINISTRATOR = "administrator"


class MemberRole(StrEnum):
    """What a member may do in an enterprise. A settler stages an exchange's settlements."""

    VIEWER = "viewer"
    TRADER = "trader"
    SETTLER = "settler"
    APPROVER = "approver"
    ADMINISTRATOR = "administrator"


class TrustOrg(StrEnum):
    """The trust organisation that holds an enterprise's assets. These are all names of the wire contract."""

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


class ActorKind(StrEnum):
    USER = "user"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Hands:
    """Whose hands may have made a request: its operator's, or those of the operator who made the token."""

    operator_id: UUID
    token_made_by: UUID | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A user who acts for one enterprise, in one request."""

    enterprise_id: str
    user_id: str
    request_id: str
    role: MemberRole = MemberRole.ADMINISTRATOR
    may_use_custodian_key: bool = True
    token_made_by: UUID | None = None
    """The operator who made the token of this request, and may have kept it."""
    program: bool = False
    """Whether the token is a program's. Programs do not approve."""

    @property
    def actor_kind(self) -> ActorKind:
        return ActorKind.USER

    @property
    def actor_id(self) -> str:
        return self.user_id


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator who acts on the network, in one request."""

    operator_id: UUID
    name: str
    request_id: str
    role: OperatorRole = OperatorRole.ADMINISTRATOR
    token_made_by: UUID | None = None
    """The operator who made the token of this request, and may have kept it."""
    program: bool = False
    """Whether the token is a program's. Programs do not approve or review."""
    deposit_token_id: UUID | None = None
    """The token of this request, if others let it deposit without a further proposal."""

    @property
    def hands(self) -> Hands:
        return Hands(self.operator_id, self.token_made_by)

    @property
    def actor_kind(self) -> ActorKind:
        return ActorKind.OPERATOR

    @property
    def actor_id(self) -> str:
        return str(self.operator_id)

    @property
    def enterprise_id(self) -> None:
        """An operator acts for no enterprise."""
        return


Actor = Member | Operator


@dataclass(frozen=True, slots=True)
class Signer:
    """A v2x token, and its value, with which its holder signs calls."""

    token: Token
    secret: bytes


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One line of the audit trail: who did what to what, in which request."""

    sequence: int
    at: datetime
    request_id: str
    actor_kind: ActorKind
    actor_id: str
    enterprise_id: str | None
    action: str
    subject_id: str
    details: dict[str, object]


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which audit records a reader wants; None means all."""

    subject_id: str | None
    actor_id: str | None
    enterprise_id: str | None
    action: str | None
    on_or_after: datetime | None
    before: datetime | None


@dataclass(frozen=True, slots=True)
class Token:
    """What is stored about a token, with its holder's role. The token itself is not.

    Attributes:
        role: a role of the token's own, which only narrows that of its holder. None: the holder's.
        operator_role: the role of its operator.
        member_role: the role of its user in its enterprise.
        revoked_at: when it was revoked, or its user or operator removed.
        program: whether a program uses it, and no person.
        made_by: the operator who made it through the API. None: the command line, or the operator of the settings.
        deposits_only: whether it is for deposits alone. Then it is a program's.
        deposits_proposal_id: the proposal by which others let it deposit without a further one.
    """

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
    role: str | None = None
    operator_role: OperatorRole | None = None
    member_role: MemberRole | None = None
    may_use_custodian_key: bool = False
    program: bool = False
    made_by: UUID | None = None
    deposits_only: bool = False
    deposits_proposal_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Enterprise:
    id: str
    name: str
    trust_org: TrustOrg
    licensed: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NewEnterprise:
    """The enterprise that an operator asks for. Without ``id``, the network chooses one."""

    id: str | None
    name: str
    trust_org: TrustOrg
    licensed: bool


@dataclass(frozen=True, slots=True)
class EnterpriseChange:
    """The fields to change. None leaves a field as it is."""

    name: str | None = None
    licensed: bool | None = None


@dataclass(frozen=True, slots=True)
class NewUser:
    """The user that an operator asks for. Without ``id``, the network chooses one.

    ``role`` and ``may_use_custodian_key`` are those of the membership. None: as it is, and all rights if it is new.
    """

    id: str | None
    name: str
    email: str | None
    role: MemberRole | None = None
    may_use_custodian_key: bool | None = None

    @property
    def rights(self) -> MembershipChange:
        """The rights of the new membership, as a change of those that every new member has."""
        return MembershipChange(self.role, self.may_use_custodian_key)


@dataclass(frozen=True, slots=True)
class User:
    """A person with one id in the whole network, who may be a member of several enterprises."""

    id: str
    name: str
    email: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Membership:
    """What a user is and may do in one enterprise."""

    enterprise_id: str
    user_id: str
    role: MemberRole = MemberRole.ADMINISTRATOR
    may_use_custodian_key: bool = True


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """A user as a member of one enterprise, as stored. ``Member`` is one who acts in a request."""

    user: User
    membership: Membership


@dataclass(frozen=True, slots=True)
class MembershipChange:
    """The rights to change. None leaves one as it is."""

    role: MemberRole | None = None
    may_use_custodian_key: bool | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """When the network was opened in earnest, and whether by one person who works alone."""

    opened_at: datetime
    single_operator: bool


@dataclass(frozen=True, slots=True)
class OperatorRecord:
    """An operator as stored. ``Operator`` is an operator who acts in a request."""

    id: UUID
    name: str
    created_at: datetime
    role: OperatorRole = OperatorRole.ADMINISTRATOR
    removed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token with its value, which only the answer to its request shows."""

    token: Token
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenTerms:
    """The terms of a new token. Operators' tokens are bearer tokens and have no scopes."""

    label: str | None = None
    expires_at: datetime | None = None
    scopes: frozenset[Scope] = frozenset()
    ip_allow_list: tuple[IPv4Network | IPv6Network, ...] = ()
    kind: TokenKind = TokenKind.BEARER
    program: bool = False
    role: OperatorRole | MemberRole | None = None
    deposits_only: bool = False
