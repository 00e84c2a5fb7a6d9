# Made from ../aio by `make sdk`: change it there.
"""Operators, enterprises, users and their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, TypeAlias, Unpack

from clearwindow.client.answers.operator import (
    Enterprise,
    OperatorRecord,
    RecoveryCodes,
    SecondFactor,
    SecondFactorSecret,
    Token,
    User,
)
from clearwindow.client.answers.people import ListedOperator
from clearwindow.client.calls import nothing, value_of
from clearwindow.client.list_filters import EnterpriseFilters, OperatorFilters
from clearwindow.client.sync.operator_desk import OperatorDesk
from clearwindow.client.sync.pages import Pages
from clearwindow.client.text import Id, fields

Scope: TypeAlias = Literal["settlement_network_read", "settlement_network_write"]
TokenKind: TypeAlias = Literal["bearer", "v2x"]
_SECOND_FACTOR: Final = "/operators/me/second-factor"
OperatorRole: TypeAlias = Literal["viewer", "operator", "approver", "administrator"]
MemberRole: TypeAlias = Literal["viewer", "trader", "settler", "approver", "administrator"]


class OperatorOperators:
    """Those who run the network. A review needs two of them."""

    def __init__(self, desk: OperatorDesk) -> None:
        self._desk = desk

    def create(self, *, name: str, role: OperatorRole | None = None) -> OperatorRecord:
        """Makes an operator, an administrator without a role. The same name again returns the same operator."""
        read = value_of(OperatorRecord, "operator")
        asked = fields(name=name, role=role)
        return self._desk.send("POST", self._desk.path("/operators"), read, asked, repeatable=True)

    def update(self, operator_id: Id, *, role: OperatorRole) -> OperatorRecord:
        """Gives an operator another role. What its tokens may do changes at once."""
        path = self._desk.path("/operators/{}", operator_id)
        read = value_of(OperatorRecord, "operator")
        return self._desk.send("PATCH", path, read, fields(role=role), repeatable=True)

    def list(self, **filters: Unpack[OperatorFilters]) -> Pages[ListedOperator]:
        """Lists operators, newest first."""
        return self._desk.pages("/operators", "operators", ListedOperator, filters)

    def get(self, operator_id: Id) -> ListedOperator:
        """Returns one operator."""
        path = self._desk.path("/operators/{}", operator_id)
        return self._desk.get(path, value_of(ListedOperator, "operator"))

    def remove(self, operator_id: Id) -> None:
        """Removes an operator, whose tokens are refused from then on."""
        self._desk.send("DELETE", self._desk.path("/operators/{}", operator_id), nothing, repeatable=True)

    def create_token(
        self,
        operator_id: Id,
        *,
        label: str | None = None,
        expires_at: datetime | None = None,
        ip_allow_list: Sequence[str] | None = None,
        program: bool | None = None,
        role: OperatorRole | None = None,
        deposits_only: bool | None = None,
    ) -> Token:
        """Makes a token. Each request makes another one: it is not repeated after a lost answer.

        Args:
            operator_id: of the operator: the caller, or where others approve it, any.
            label: any name.
            expires_at: when the token expires; never if omitted.
            ip_allow_list: the networks that may use it, such as ``10.0.0.0/8``.
            role: a role that the caller's includes; the caller's if omitted.
            program: a program uses it, which cannot approve or review.
            deposits_only: the program may deposit, and nothing else. If others approved the token, its deposits
                need no further approval.
        """
        path = self._desk.path("/operators/{}/tokens", operator_id)
        allowed = None if ip_allow_list is None else [*ip_allow_list]
        asked = fields(label=label, expires_at=expires_at, ip_allow_list=allowed, role=role, program=program)
        asked |= fields(deposits_only=deposits_only)
        return self._desk.send("POST", path, value_of(Token, "token"), asked, repeatable=False)

    def remove_second_factor(self, operator_id: Id, *, code: str | None = None) -> None:
        """Removes the second factor of an operator who has lost it, with a code of the caller's own."""
        path = self._desk.path("/operators/{}/second-factor", operator_id)
        self._desk.send("DELETE", path, nothing, repeatable=code is None, code=code)


class OperatorSecondFactor:
    """The caller's own second factor: an authenticator, and recovery codes."""

    def __init__(self, desk: OperatorDesk) -> None:
        self._desk = desk

    def get(self) -> SecondFactor:
        """Returns whether there is one, and whether approvals need one."""
        return self._desk.get(self._desk.path(_SECOND_FACTOR), value_of(SecondFactor, "secondFactor"))

    def enrol(self) -> SecondFactorSecret:
        """Makes a secret for an authenticator. It is in force once a code of it is confirmed."""
        read = value_of(SecondFactorSecret, "secondFactor")
        return self._desk.send("POST", self._desk.path(_SECOND_FACTOR), read, repeatable=True)

    def confirm(self, code: str) -> RecoveryCodes:
        """Puts it in force with its first code, and returns the recovery codes, which are shown only once."""
        read = value_of(RecoveryCodes, "secondFactor")
        path = self._desk.path(f"{_SECOND_FACTOR}/confirm")
        return self._desk.send("POST", path, read, fields(code=code), repeatable=False)

    def remove(self, *, code: str | None = None) -> None:
        """Removes it with a code of it, or a recovery code. One that is not confirmed needs none."""
        path = self._desk.path(_SECOND_FACTOR)
        self._desk.send("DELETE", path, nothing, repeatable=code is None, code=code)


class OperatorEnterprises:
    """Enterprises and their members."""

    def __init__(self, desk: OperatorDesk) -> None:
        self._desk = desk

    def create(
        self,
        *,
        name: str,
        licensed: bool,
        enterprise_id: str | None = None,
        trust_org: str | None = None,
    ) -> Enterprise:
        """Makes an enterprise. With an id it may be repeated: it then returns the same enterprise."""
        asked = fields(id=enterprise_id, name=name, trust_org=trust_org, licensed=licensed)
        path = self._desk.path("/enterprises")
        repeatable = enterprise_id is not None
        return self._desk.send("POST", path, value_of(Enterprise, "enterprise"), asked, repeatable=repeatable)

    def list(self, **filters: Unpack[EnterpriseFilters]) -> Pages[Enterprise]:
        """Lists enterprises, newest first."""
        return self._desk.pages("/enterprises", "enterprises", Enterprise, filters)

    def get(self, enterprise_id: str) -> Enterprise:
        """Returns one enterprise."""
        path = self._desk.path("/enterprises/{}", enterprise_id)
        return self._desk.get(path, value_of(Enterprise, "enterprise"))

    def remove_user(self, enterprise_id: str, user_id: str) -> None:
        """Removes a member, whose tokens of this enterprise are refused from then on."""
        path = self._desk.path("/enterprises/{}/users/{}", enterprise_id, user_id)
        self._desk.send("DELETE", path, nothing, repeatable=True)

    def update(self, enterprise_id: str, *, name: str | None = None, licensed: bool | None = None) -> Enterprise:
        """Renames an enterprise, and grants or withdraws its licence."""
        path = self._desk.path("/enterprises/{}", enterprise_id)
        asked = fields(name=name, licensed=licensed)
        return self._desk.send("PATCH", path, value_of(Enterprise, "enterprise"), asked, repeatable=True)

    def create_user(
        self,
        enterprise_id: str,
        *,
        name: str,
        user_id: str | None = None,
        email: str | None = None,
        role: MemberRole | None = None,
        may_use_custodian_key: bool | None = None,
    ) -> User:
        """Makes a user, or makes a known user a member of this enterprise too. With an id it may be repeated.

        Without a role, a new member is an administrator of the enterprise.
        """
        path = self._desk.path("/enterprises/{}/users", enterprise_id)
        asked = fields(id=user_id, name=name, email=email, role=role, may_use_custodian_key=may_use_custodian_key)
        return self._desk.send("POST", path, value_of(User, "user"), asked, repeatable=user_id is not None)

    def update_user(
        self,
        enterprise_id: str,
        user_id: str,
        *,
        role: MemberRole | None = None,
        may_use_custodian_key: bool | None = None,
    ) -> User:
        """Changes what a user may do in this enterprise. What its tokens may do changes at once."""
        path = self._desk.path("/enterprises/{}/users/{}", enterprise_id, user_id)
        asked = fields(role=role, may_use_custodian_key=may_use_custodian_key)
        return self._desk.send("PATCH", path, value_of(User, "user"), asked, repeatable=True)

    def create_token(  # noqa: PLR0913 - each is a term of the token
        self,
        enterprise_id: str,
        *,
        user_id: str,
        scopes: Sequence[Scope],
        expires_at: datetime | None = None,
        ip_allow_list: Sequence[str] | None = None,
        label: str | None = None,
        kind: TokenKind | None = None,
        program: bool | None = None,
        role: MemberRole | None = None,
    ) -> Token:
        """Makes a token for a member. Each request makes another one: it is not repeated after a lost answer.

        Args:
            enterprise_id: the enterprise; the user must be a member.
            user_id: of the user.
            scopes: what the token allows; writing needs both scopes.
            expires_at: when the token expires; never if omitted.
            ip_allow_list: the networks that may use it, such as ``10.0.0.0/8``.
            label: any name.
            kind: a bearer token, which this SDK uses, or a kind that signs each request.
            program: a program uses it, which cannot approve.
            role: a role that the user's includes; the user's if omitted.
        """
        path = self._desk.path("/enterprises/{}/tokens", enterprise_id)
        allowed = None if ip_allow_list is None else [*ip_allow_list]
        asked = fields(
            user_id=user_id,
            scopes=[*scopes],
            expires_at=expires_at,
            ip_allow_list=allowed,
            label=label,
            kind=kind,
            program=program,
            role=role,
        )
        return self._desk.send("POST", path, value_of(Token, "token"), asked, repeatable=False)
