"""Operators, enterprises, users, tokens and the audit trail on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from clearwindow.api.filters import CursorPage, Moment, require_range
from clearwindow.api.schema import RequestModel, ShortText, WireModel, WireMoment
from clearwindow.core.clock import wire_time
from clearwindow.core.text import present
from clearwindow.identity.looks import is_readable
from clearwindow.identity.models import (
    AuditFilter,
    AuditRecord,
    Enterprise,
    EnterpriseChange,
    IssuedToken,
    MemberRecord,
    MemberRole,
    MembershipChange,
    NewEnterprise,
    NewUser,
    OperatorRecord,
    OperatorRole,
    Scope,
    TokenKind,
    TokenTerms,
    TrustOrg,
)
from clearwindow.identity.rules import Network, parse_network

MAX_ALLOWED_NETWORKS: Final = 100

# An id is one segment of a path, and clients need not escape it.
CHOSEN_ID: Final = r"^[A-Za-z0-9][A-Za-z0-9_.~:@+-]{0,254}$"
ChosenId = Annotated[str, StringConstraints(pattern=CHOSEN_ID)]

# A strict field would take only members of the enumeration, and JSON has none.
ScopeText = Annotated[Scope, Field(strict=False)]
TokenKindText = Annotated[TokenKind, Field(strict=False)]
TrustOrgText = Annotated[TrustOrg, Field(strict=False)]
OperatorRoleText = Annotated[OperatorRole, Field(strict=False)]
MemberRoleText = Annotated[MemberRole, Field(strict=False)]


def _network_text(text: str) -> str:
    return str(parse_network(text))


def _readable(name: str) -> str:
    if not is_readable(name):
        raise ValueError("must have characters that are seen, and single spaces between words")
    return name


NetworkText = Annotated[ShortText, AfterValidator(_network_text)]
OperatorName = Annotated[ShortText, AfterValidator(_readable)]


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Returns each network of an allow list once."""
    return tuple(dict.fromkeys(map(parse_network, texts)))


class OperatorRequest(RequestModel):
    name: OperatorName
    role: OperatorRoleText | None = None


class OperatorUpdate(RequestModel):
    role: OperatorRoleText


class OperatorTokenRequest(RequestModel):
    label: ShortText | None = None
    expires_at: WireMoment | None = None
    ip_allow_list: list[NetworkText] = Field(default_factory=list, max_length=MAX_ALLOWED_NETWORKS)
    role: OperatorRoleText | None = None
    program: bool = False
    deposits_only: bool = False

    @model_validator(mode="after")
    def _require_a_program_that_deposits(self) -> Self:
        if self.deposits_only and not self.program:
            raise ValueError(
                "must have program true with depositsOnly true: a person needs no token for deposits alone"
            )
        if self.deposits_only and self.role not in {None, OperatorRole.OPERATOR}:
            raise ValueError("must have the role operator, or none, with depositsOnly true")
        return self

    def to_model(self) -> TokenTerms:
        allowed = networks(self.ip_allow_list)
        role = OperatorRole.OPERATOR if self.deposits_only else self.role
        held = TokenTerms(self.label, self.expires_at, ip_allow_list=allowed, role=role)
        return replace(held, program=self.program, deposits_only=self.deposits_only)


class EnterpriseRequest(RequestModel):
    id: ChosenId | None = None
    name: ShortText
    trust_org: TrustOrgText = TrustOrg.TRUST
    licensed: bool

    def to_model(self) -> NewEnterprise:
        return NewEnterprise(self.id, self.name, self.trust_org, self.licensed)


class EnterpriseUpdate(RequestModel):
    name: ShortText | None = None
    licensed: bool | None = None

    @model_validator(mode="after")
    def _require_a_change(self) -> Self:
        if self.name is None and self.licensed is None:
            raise ValueError("must give a name, or licensed, or both")
        return self

    def to_model(self) -> EnterpriseChange:
        return EnterpriseChange(self.name, self.licensed)


class UserRequest(RequestModel):
    id: ChosenId | None = None
    name: ShortText
    email: ShortText | None = None
    role: MemberRoleText | None = None
    may_use_custodian_key: bool | None = None

    def to_model(self) -> NewUser:
        return NewUser(self.id, self.name, self.email, self.role, self.may_use_custodian_key)


class UserUpdate(RequestModel):
    role: MemberRoleText | None = None
    may_use_custodian_key: bool | None = None

    @model_validator(mode="after")
    def _require_a_change(self) -> Self:
        if self.role is None and self.may_use_custodian_key is None:
            raise ValueError("must give a role, or mayUseCustodianKey, or both")
        return self

    def to_model(self) -> MembershipChange:
        return MembershipChange(self.role, self.may_use_custodian_key)


class TokenRequest(RequestModel):
    user_id: ShortText
    scopes: Annotated[list[ScopeText], Field(min_length=1, max_length=len(Scope))]
    expires_at: WireMoment | None = None
    ip_allow_list: list[NetworkText] = Field(default_factory=list, max_length=MAX_ALLOWED_NETWORKS)
    label: ShortText | None = None
    kind: TokenKindText = TokenKind.BEARER
    program: bool = False
    role: MemberRoleText | None = None

    def to_model(self) -> TokenTerms:
        allowed, scopes = networks(self.ip_allow_list), frozenset(self.scopes)
        held = TokenTerms(self.label, self.expires_at, scopes, allowed, self.kind)
        return replace(held, role=self.role, program=self.program)


class AuditFilters(CursorPage):
    """``before`` is exclusive, ``onOrAfter`` inclusive: a range of ``at``."""

    subject_id: ShortText | None = None
    actor_id: ShortText | None = None
    enterprise_id: ShortText | None = None
    action: ShortText | None = None
    on_or_after: Moment = None
    before: Moment = None

    @model_validator(mode="after")
    def _require_a_range(self) -> Self:
        require_range(self.on_or_after, self.before, names=("onOrAfter", "before"))
        return self

    def to_model(self) -> AuditFilter:
        return AuditFilter(
            self.subject_id, self.actor_id, self.enterprise_id, self.action, self.on_or_after, self.before
        )


class OperatorView(WireModel):
    id: str
    name: str
    role: str
    created_at: str


class OperatorAnswer(WireModel):
    operator: OperatorView


class EnterpriseView(WireModel):
    id: str
    name: str
    trust_org: str
    licensed: bool
    created_at: str
    updated_at: str


class EnterpriseAnswer(WireModel):
    enterprise: EnterpriseView


class UserView(WireModel):
    """A user as a member of the enterprise in the path."""

    id: str
    name: str
    email: str | None = None
    role: str
    may_use_custodian_key: bool
    created_at: str


class UserAnswer(WireModel):
    user: UserView


class TokenView(WireModel):
    """A new token. ``value`` is shown only in this answer. Without ``kind`` it is a bearer token.

    ``program``: a program uses it, which cannot approve or review. Without it, a person does.
    ``depositsOnly``: it is for deposits alone. ``depositsProposalId``: they need no further proposal, by this one.
    Without ``role`` it follows the role of its holder.
    """

    id: str
    kind: str | None = None
    program: bool | None = None
    deposits_only: bool | None = None
    deposits_proposal_id: str | None = None
    role: str | None = None
    value: str
    operator_id: str | None = None
    enterprise_id: str | None = None
    user_id: str | None = None
    scopes: list[str] | None = None
    ip_allow_list: list[str] | None = None
    label: str | None = None
    created_at: str
    expires_at: str | None = None


class TokenAnswer(WireModel):
    token: TokenView


class AuditRecordView(WireModel):
    sequence: int
    at: str
    request_id: str
    actor_kind: str
    actor_id: str
    enterprise_id: str | None = None
    action: str
    subject_id: str
    details: dict[str, object]


class AuditLogAnswer(WireModel):
    records: list[AuditRecordView]


def operator_answer(operator: OperatorRecord) -> OperatorAnswer:
    view = OperatorView(
        id=str(operator.id), name=operator.name, role=operator.role, created_at=wire_time(operator.created_at)
    )
    return OperatorAnswer(operator=view)


def enterprise_answer(enterprise: Enterprise) -> EnterpriseAnswer:
    view = EnterpriseView(
        id=enterprise.id,
        name=enterprise.name,
        trust_org=enterprise.trust_org,
        licensed=enterprise.licensed,
        created_at=wire_time(enterprise.created_at),
        updated_at=wire_time(enterprise.updated_at),
    )
    return EnterpriseAnswer(enterprise=view)


def user_answer(member: MemberRecord) -> UserAnswer:
    user, membership = member.user, member.membership
    fields = present(
        id=user.id,
        name=user.name,
        email=user.email,
        role=membership.role,
        may_use_custodian_key=membership.may_use_custodian_key,
        created_at=wire_time(user.created_at),
    )
    return UserAnswer(user=UserView.model_validate(fields))


def token_answer(issued: IssuedToken) -> TokenAnswer:
    token = issued.token
    fields = present(
        id=str(token.id),
        kind=None if token.kind is TokenKind.BEARER else token.kind,
        program=token.program or None,
        deposits_only=token.deposits_only or None,
        deposits_proposal_id=str(token.deposits_proposal_id) if token.deposits_proposal_id else None,
        role=token.role,
        value=issued.value,
        label=token.label,
        created_at=wire_time(token.created_at),
        expires_at=wire_time(token.expires_at) if token.expires_at else None,
    )
    if token.operator_id is not None:
        fields["operator_id"] = str(token.operator_id)
        if token.ip_allow_list:
            fields["ip_allow_list"] = [str(network) for network in token.ip_allow_list]
    else:
        fields["enterprise_id"] = token.enterprise_id
        fields["user_id"] = token.user_id
        fields["scopes"] = sorted(token.scopes)
        fields["ip_allow_list"] = [str(network) for network in token.ip_allow_list]
    return TokenAnswer(token=TokenView.model_validate(fields))


def audit_log_answer(records: Sequence[AuditRecord]) -> AuditLogAnswer:
    return AuditLogAnswer(records=[_record_view(record) for record in records])


def _record_view(record: AuditRecord) -> AuditRecordView:
    fields = present(
        sequence=record.sequence,
        at=wire_time(record.at),
        request_id=record.request_id,
        actor_kind=record.actor_kind,
        actor_id=record.actor_id,
        enterprise_id=record.enterprise_id,
        action=record.action,
        subject_id=record.subject_id,
        details=record.details,
    )
    return AuditRecordView.model_validate(fields)
