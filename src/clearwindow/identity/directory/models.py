"""Members as they are listed, who a caller is, and the filters of the directory's lists. None selects all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from clearwindow.identity.models import Enterprise, MemberRole, OperatorRecord, Token, User


@dataclass(frozen=True, slots=True)
class Membership:
    """A user in an enterprise. ``removed_at``: None as long as the user is a member."""

    enterprise_id: str
    user_id: str
    user_name: str
    user_email: str | None
    role: MemberRole
    may_use_custodian_key: bool
    created_at: datetime
    removed_at: datetime | None


@dataclass(frozen=True, slots=True)
class KnownMember:
    """The member who calls, and the token of the call. ``role`` is what the token allows."""

    enterprise: Enterprise
    user: User
    role: MemberRole
    token: Token


@dataclass(frozen=True, slots=True)
class KnownOperator:
    """The operator who calls, and the token of the call. The token in the settings is not one of these: None.

    ``mode``: of the network. ``single_operator``: whether one person runs it alone.
    """

    operator: OperatorRecord
    token: Token | None
    mode: str
    single_operator: bool


@dataclass(frozen=True, slots=True)
class EnterpriseFilter:
    ids: list[str] | None
    names: list[str] | None
    trust_orgs: list[str] | None
    licensed: bool | None
    created_on_or_after: datetime | None
    created_before: datetime | None


@dataclass(frozen=True, slots=True)
class UserFilter:
    ids: list[str] | None
    names: list[str] | None
    emails: list[str] | None
    enterprise_ids: list[str] | None
    created_on_or_after: datetime | None
    created_before: datetime | None


@dataclass(frozen=True, slots=True)
class MembershipFilter:
    enterprise_ids: list[str] | None
    user_ids: list[str] | None
    roles: list[str] | None
    removed: bool | None
    created_on_or_after: datetime | None
    created_before: datetime | None


@dataclass(frozen=True, slots=True)
class OperatorFilter:
    ids: list[UUID] | None
    names: list[str] | None
    roles: list[str] | None
    removed: bool | None
    created_on_or_after: datetime | None
    created_before: datetime | None


@dataclass(frozen=True, slots=True)
class TokenFilter:
    """``active``: neither revoked nor expired, and its holder not removed."""

    ids: list[UUID] | None
    enterprise_ids: list[str] | None
    user_ids: list[str] | None
    operator_ids: list[UUID] | None
    kinds: list[str] | None
    active: bool | None
    created_on_or_after: datetime | None
    created_before: datetime | None
