"""Operators, enterprises, users and tokens on the wire."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from clearwindow.access.rules import parse_network
from clearwindow.access.values import (
    Enterprise,
    IssuedToken,
    OperatorRecord,
    Scope,
    TokenKind,
    TokenTerms,
    TrustOrg,
    User,
)
from clearwindow.clock import wire_time
from clearwindow.http.wire import RequestModel, ShortText, WireModel, WireMoment, present

MAX_ALLOWED_NETWORKS: Final = 100

# An id stands in addresses: one path segment, that no client needs to escape.
CHOSEN_ID: Final = r"^[A-Za-z0-9][A-Za-z0-9_.~:@+-]{0,254}$"
ChosenId = Annotated[str, StringConstraints(pattern=CHOSEN_ID)]

# Strictness would ask for the enumeration's own objects, which JSON does not have.
ScopeText = Annotated[Scope, Field(strict=False)]
TokenKindText = Annotated[TokenKind, Field(strict=False)]
TrustOrgText = Annotated[TrustOrg, Field(strict=False)]


def _network_text(text: str) -> str:
    return str(parse_network(text))


NetworkText = Annotated[ShortText, AfterValidator(_network_text)]


class OperatorRequest(RequestModel):
    name: ShortText


class OperatorTokenRequest(RequestModel):
    label: ShortText | None = None
    expires_at: WireMoment | None = None

    def terms(self) -> TokenTerms:
        return TokenTerms(label=self.label, expires_at=self.expires_at)


class EnterpriseRequest(RequestModel):
    id: ChosenId | None = None
    name: ShortText
    trust_org: TrustOrgText = TrustOrg.TRUST
    licensed: bool


class EnterpriseUpdate(RequestModel):
    name: ShortText | None = None
    licensed: bool | None = None

    @model_validator(mode="after")
    def _require_a_change(self) -> Self:
        if self.name is None and self.licensed is None:
            raise ValueError("must give a name, or licensed, or both")
        return self


class UserRequest(RequestModel):
    id: ChosenId | None = None
    name: ShortText
    email: ShortText | None = None


class TokenRequest(RequestModel):
    user_id: ShortText
    scopes: Annotated[list[ScopeText], Field(min_length=1, max_length=len(Scope))]
    expires_at: WireMoment | None = None
    ip_allow_list: list[NetworkText] = Field(default_factory=list, max_length=MAX_ALLOWED_NETWORKS)
    label: ShortText | None = None
    kind: TokenKindText = TokenKind.BEARER

    def terms(self) -> TokenTerms:
        networks = dict.fromkeys(parse_network(text) for text in self.ip_allow_list)
        return TokenTerms(self.label, self.expires_at, frozenset(self.scopes), tuple(networks), self.kind)


class OperatorView(WireModel):
    id: str
    name: str
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
    id: str
    name: str
    email: str | None = None
    created_at: str


class UserAnswer(WireModel):
    user: UserView


class TokenView(WireModel):
    """A token as it is made; ``value`` is shown this once. Without a ``kind`` it is a bearer token."""

    id: str
    kind: str | None = None
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


def operator_answer(operator: OperatorRecord) -> OperatorAnswer:
    view = OperatorView(id=str(operator.id), name=operator.name, created_at=wire_time(operator.created_at))
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


def user_answer(user: User) -> UserAnswer:
    fields = present(id=user.id, name=user.name, email=user.email, created_at=wire_time(user.created_at))
    return UserAnswer(user=UserView.model_validate(fields))


def token_answer(issued: IssuedToken) -> TokenAnswer:
    token = issued.token
    fields = present(
        id=str(token.id),
        kind=None if token.kind is TokenKind.BEARER else token.kind,
        value=issued.value,
        label=token.label,
        created_at=wire_time(token.created_at),
        expires_at=wire_time(token.expires_at) if token.expires_at else None,
    )
    if token.operator_id is not None:
        fields["operator_id"] = str(token.operator_id)
    else:
        fields["enterprise_id"] = token.enterprise_id
        fields["user_id"] = token.user_id
        fields["scopes"] = sorted(token.scopes)
        fields["ip_allow_list"] = [str(network) for network in token.ip_allow_list]
    return TokenAnswer(token=TokenView.model_validate(fields))
