"""The directory on the wire, and the filters of its lists. No answer has the value of a token, nor its hash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, cast

from pydantic import Field

from clearwindow.api.filters import CreatedPage, Flag, Many, Texts, Uuids
from clearwindow.api.schema import WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.text import present
from clearwindow.identity.directory.models import (
    EnterpriseFilter,
    KnownMember,
    KnownOperator,
    Membership,
    MembershipFilter,
    OperatorFilter,
    TokenFilter,
    UserFilter,
)
from clearwindow.identity.models import (
    Enterprise,
    MemberRole,
    Operator,
    OperatorRecord,
    OperatorRole,
    Token,
    TokenKind,
    TrustOrg,
    User,
)
from clearwindow.identity.schemas import EnterpriseView, enterprise_answer

MemberRoles = Many[Annotated[MemberRole, Field(strict=False)]]
OperatorRoles = Many[Annotated[OperatorRole, Field(strict=False)]]
TokenKinds = Many[Annotated[TokenKind, Field(strict=False)]]
TrustOrgs = Many[Annotated[TrustOrg, Field(strict=False)]]


class EnterpriseFilters(CreatedPage):
    ids: Texts = None
    names: Texts = None
    trust_orgs: TrustOrgs = None
    licensed: Flag = None

    def to_model(self) -> EnterpriseFilter:
        return EnterpriseFilter(
            self.ids,
            self.names,
            cast(list[str] | None, self.trust_orgs),
            self.licensed,
            self.created_on_or_after,
            self.created_before,
        )


class UserFilters(CreatedPage):
    """``enterpriseIds``: users who are members of one of these enterprises."""

    ids: Texts = None
    names: Texts = None
    emails: Texts = None
    enterprise_ids: Texts = None

    def to_model(self) -> UserFilter:
        return UserFilter(
            self.ids,
            self.names,
            self.emails,
            self.enterprise_ids,
            self.created_on_or_after,
            self.created_before,
        )


class MembershipFilters(CreatedPage):
    """``removed``: true for former members only, false for present ones only."""

    enterprise_ids: Texts = None
    user_ids: Texts = None
    roles: MemberRoles = None
    removed: Flag = None

    def to_model(self) -> MembershipFilter:
        return MembershipFilter(
            self.enterprise_ids,
            self.user_ids,
            cast(list[str] | None, self.roles),
            self.removed,
            self.created_on_or_after,
            self.created_before,
        )


class OperatorFilters(CreatedPage):
    """``removed``: true for former operators only, false for present ones only."""

    ids: Uuids = None
    names: Texts = None
    roles: OperatorRoles = None
    removed: Flag = None

    def to_model(self) -> OperatorFilter:
        return OperatorFilter(
            self.ids,
            self.names,
            cast(list[str] | None, self.roles),
            self.removed,
            self.created_on_or_after,
            self.created_before,
        )


class MemberTokenFilters(CreatedPage):
    """``active``: true for tokens that are neither revoked nor expired, false for the others."""

    ids: Uuids = None
    user_ids: Texts = None
    kinds: TokenKinds = None
    active: Flag = None

    def to_model(self) -> TokenFilter:
        return TokenFilter(
            self.ids,
            None,
            self.user_ids,
            None,
            cast(list[str] | None, self.kinds),
            self.active,
            self.created_on_or_after,
            self.created_before,
        )


class TokenFilters(CreatedPage):
    """The same for operators, who see the tokens of all enterprises and of operators."""

    ids: Uuids = None
    enterprise_ids: Texts = None
    user_ids: Texts = None
    operator_ids: Uuids = None
    kinds: TokenKinds = None
    active: Flag = None

    def to_model(self) -> TokenFilter:
        return TokenFilter(
            self.ids,
            self.enterprise_ids,
            self.user_ids,
            self.operator_ids,
            cast(list[str] | None, self.kinds),
            self.active,
            self.created_on_or_after,
            self.created_before,
        )


class MembershipView(WireModel):
    enterprise_id: str
    user_id: str
    name: str
    email: str | None = None
    role: MemberRole
    may_use_custodian_key: bool
    created_at: str
    removed_at: str | None = None


class ListedUser(WireModel):
    id: str
    name: str
    email: str | None = None
    created_at: str


class ListedOperator(WireModel):
    id: str
    name: str
    role: OperatorRole
    created_at: str
    removed_at: str | None = None


class ListedToken(WireModel):
    """A token without its value. ``role``: only if it is narrower than that of its holder.

    ``program``: a program uses it, which cannot approve or review. Without it, a person does.
    ``depositsOnly``: it is for deposits alone. ``depositsProposalId``: they need no further proposal, by this one.
    """

    id: str
    kind: TokenKind
    program: bool | None = None
    deposits_only: bool | None = None
    deposits_proposal_id: str | None = None
    enterprise_id: str | None = None
    user_id: str | None = None
    operator_id: str | None = None
    scopes: list[str] | None = None
    ip_allow_list: list[str]
    label: str | None = None
    role: str | None = None
    created_at: str
    expires_at: str | None = None
    revoked_at: str | None = None


class EnterprisesAnswer(WireModel):
    enterprises: list[EnterpriseView]


class UsersAnswer(WireModel):
    users: list[ListedUser]


class ListedUserAnswer(WireModel):
    user: ListedUser


class MembershipsAnswer(WireModel):
    memberships: list[MembershipView]


class OperatorsAnswer(WireModel):
    operators: list[ListedOperator]


class ListedOperatorAnswer(WireModel):
    operator: ListedOperator


class TokensAnswer(WireModel):
    tokens: list[ListedToken]


class ListedTokenAnswer(WireModel):
    token: ListedToken


class MemberIdentity(WireModel):
    """Who calls. ``enterprise.licensed`` says whether the enterprise may use the network."""

    enterprise: EnterpriseView
    user: ListedUser
    role: MemberRole
    may_use_custodian_key: bool
    token: ListedToken


class NetworkView(WireModel):
    """Whether it is a ``sandbox``, ``unopened`` or ``earnest``, and whether one person runs it alone."""

    mode: str
    single_operator: bool


class OperatorIdentity(WireModel):
    """Who calls. ``role`` is what this token allows. Without ``token`` it is the one in the settings."""

    operator: ListedOperator
    role: OperatorRole
    token: ListedToken | None = None
    network: NetworkView


def enterprises_answer(found: Sequence[Enterprise]) -> EnterprisesAnswer:
    return EnterprisesAnswer(enterprises=[enterprise_answer(each).enterprise for each in found])


def users_answer(found: Sequence[User]) -> UsersAnswer:
    return UsersAnswer(users=[_user_view(each) for each in found])


def listed_user_answer(found: User) -> ListedUserAnswer:
    return ListedUserAnswer(user=_user_view(found))


def memberships_answer(found: Sequence[Membership]) -> MembershipsAnswer:
    return MembershipsAnswer(memberships=[_membership_view(each) for each in found])


def operators_answer(found: Sequence[OperatorRecord]) -> OperatorsAnswer:
    return OperatorsAnswer(operators=[_operator_view(each) for each in found])


def listed_operator_answer(found: OperatorRecord) -> ListedOperatorAnswer:
    return ListedOperatorAnswer(operator=_operator_view(found))


def tokens_answer(found: Sequence[Token]) -> TokensAnswer:
    return TokensAnswer(tokens=[_token_view(each) for each in found])


def listed_token_answer(found: Token) -> ListedTokenAnswer:
    return ListedTokenAnswer(token=_token_view(found))


def member_identity(known: KnownMember) -> MemberIdentity:
    return MemberIdentity(
        enterprise=enterprise_answer(known.enterprise).enterprise,
        user=_user_view(known.user),
        role=known.role,
        may_use_custodian_key=known.token.may_use_custodian_key,
        token=_token_view(known.token),
    )


def operator_identity(known: KnownOperator, actor: Operator) -> OperatorIdentity:
    fields = present(
        operator=_operator_view(known.operator),
        role=actor.role,
        token=_token_view(known.token) if known.token else None,
        network=NetworkView(mode=known.mode, single_operator=known.single_operator),
    )
    return OperatorIdentity.model_validate(fields)


def _user_view(user: User) -> ListedUser:
    fields = present(id=user.id, name=user.name, email=user.email, created_at=wire_time(user.created_at))
    return ListedUser.model_validate(fields)


def _membership_view(membership: Membership) -> MembershipView:
    fields = present(
        enterprise_id=membership.enterprise_id,
        user_id=membership.user_id,
        name=membership.user_name,
        email=membership.user_email,
        role=membership.role,
        may_use_custodian_key=membership.may_use_custodian_key,
        created_at=wire_time(membership.created_at),
        removed_at=wire_time(membership.removed_at) if membership.removed_at else None,
    )
    return MembershipView.model_validate(fields)


def _operator_view(operator: OperatorRecord) -> ListedOperator:
    fields = present(
        id=str(operator.id),
        name=operator.name,
        role=operator.role,
        created_at=wire_time(operator.created_at),
        removed_at=wire_time(operator.removed_at) if operator.removed_at else None,
    )
    return ListedOperator.model_validate(fields)


def _token_view(token: Token) -> ListedToken:
    fields = present(
        id=str(token.id),
        kind=token.kind,
        program=token.program or None,
        deposits_only=token.deposits_only or None,
        deposits_proposal_id=str(token.deposits_proposal_id) if token.deposits_proposal_id else None,
        enterprise_id=token.enterprise_id,
        user_id=token.user_id,
        operator_id=str(token.operator_id) if token.operator_id else None,
        # An operator's token has no scopes.
        scopes=sorted(token.scopes) if token.operator_id is None else None,
        ip_allow_list=[str(network) for network in token.ip_allow_list],
        label=token.label,
        role=token.role,
        created_at=wire_time(token.created_at),
        expires_at=wire_time(token.expires_at) if token.expires_at else None,
        revoked_at=wire_time(token.revoked_at) if token.revoked_at else None,
    )
    return ListedToken.model_validate(fields)
