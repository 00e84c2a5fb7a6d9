"""What operators may have to propose about people: licences, operators, and everybody's tokens. Protocol §12."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast
from uuid import UUID

from clearwindow.core.clock import parse_rfc3339, wire_time
from clearwindow.core.text import present, shown
from clearwindow.identity import enterprises, memberships, operators, roles, rules, store, tokens
from clearwindow.identity.acts import Act, Asked, Scene, Stake, Told
from clearwindow.identity.models import (
    Enterprise,
    EnterpriseChange,
    IssuedToken,
    MemberRecord,
    MemberRole,
    Membership,
    MembershipChange,
    NewEnterprise,
    NewUser,
    Operator,
    OperatorRecord,
    OperatorRole,
    Scope,
    TokenKind,
    TokenTerms,
    TrustOrg,
)
from clearwindow.identity.schemas import enterprise_answer, operator_answer, token_answer, user_answer
from clearwindow.postgres.pool import Transaction

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class MemberTokenRequest:
    """A token to make for a member of the enterprise."""

    user_id: str
    terms: TokenTerms


@dataclass(frozen=True, slots=True)
class OperatorToMake:
    """An operator to make. Without a role, an administrator."""

    name: str
    role: OperatorRole | None


@dataclass(frozen=True, slots=True)
class RightsToGive:
    """What a member may do from now on."""

    user_id: str
    change: MembershipChange


class _NewOperator(Act[OperatorToMake, OperatorRecord]):
    """An operator is found by its name, which is also the subject."""

    name = "operator.create"
    operation = "createOperator"

    def stake(self, scene: Scene, asked: Asked[OperatorToMake]) -> Stake | None:
        wanted = asked.request
        found = store.find_operator_by_name(scene.tx, wanted.name)
        if found is not None and found.removed_at is None:
            return None
        operators.require_distinct_name(scene.tx, wanted.name)
        return Stake(f"make the operator {shown(wanted.name)}, {wanted.role or OperatorRole.ADMINISTRATOR}", {})

    def carry_out(self, scene: Scene, asked: Asked[OperatorToMake]) -> OperatorRecord:
        return operators.add_operator(scene.tx, scene.operator, asked.request.name, asked.request.role)

    def told(self, done: OperatorRecord) -> Told:
        return Told(operator_answer(done).model_dump(by_alias=True, exclude_unset=True))

    def stored(self, request: OperatorToMake) -> dict[str, object]:
        return {"name": request.name, **present(role=request.role and str(request.role))}

    def restored(self, stored: Mapping[str, object]) -> OperatorToMake:
        role = stored.get("role")
        return OperatorToMake(str(stored["name"]), None if role is None else OperatorRole(str(role)))


class _OperatorRole(Act[OperatorRole, OperatorRecord]):
    """One operator may take rights away. To give more, others approve."""

    name = "operator.change_role"
    operation = "updateOperator"

    def stake(self, scene: Scene, asked: Asked[OperatorRole]) -> Stake | None:
        found = operators.require_operator(scene.tx, asked.subject_id)
        if roles.includes(found.role, asked.request):
            return None
        return Stake(
            summary=f"give the operator {shown(found.name)} the role {asked.request} instead of {found.role}",
            target={"name": found.name, "role": str(found.role)},
        )

    def carry_out(self, scene: Scene, asked: Asked[OperatorRole]) -> OperatorRecord:
        return operators.change_role(scene.tx, scene.operator, asked.subject_id, asked.request)

    def told(self, done: OperatorRecord) -> Told:
        return Told(operator_answer(done).model_dump(by_alias=True, exclude_unset=True))

    def stored(self, request: OperatorRole) -> dict[str, object]:
        return {"role": str(request)}

    def restored(self, stored: Mapping[str, object]) -> OperatorRole:
        return OperatorRole(str(stored["role"]))


class _MemberRights(Act[RightsToGive, MemberRecord]):
    """One operator may take a member's rights away. To give more, others approve."""

    name = "user.change_rights"
    operation = "updateUser"

    def stake(self, scene: Scene, asked: Asked[RightsToGive]) -> Stake | None:
        user_id, change = asked.request.user_id, asked.request.change
        user, before = memberships.require_member(scene.tx, asked.subject_id, user_id)
        after = memberships.with_change(before, change)
        widens = not roles.includes(before.role, after.role)
        if not widens and (before.may_use_custodian_key or not after.may_use_custodian_key):
            return None
        signs = "may have a custodian key sign" if after.may_use_custodian_key else "may have no custodian key sign"
        return Stake(
            summary=f"let {user.id} ({shown(user.name)}) be {after.role} of {asked.subject_id}, who {signs}",
            target={"role": str(before.role), "mayUseCustodianKey": str(before.may_use_custodian_key).lower()},
            key=user_id,
            enterprise_id=asked.subject_id,
        )

    def carry_out(self, scene: Scene, asked: Asked[RightsToGive]) -> MemberRecord:
        wanted = asked.request
        return memberships.change_membership(
            scene.tx, scene.operator, asked.subject_id, wanted.user_id, wanted.change
        )

    def told(self, done: MemberRecord) -> Told:
        return Told(user_answer(done).model_dump(by_alias=True, exclude_unset=True))

    def stored(self, request: RightsToGive) -> dict[str, object]:
        change = request.change
        given = present(role=change.role and str(change.role), mayUseCustodianKey=change.may_use_custodian_key)
        return {"userId": request.user_id, **given}

    def restored(self, stored: Mapping[str, object]) -> RightsToGive:
        role, may_use = stored.get("role"), stored.get("mayUseCustodianKey")
        change = MembershipChange(
            None if role is None else MemberRole(str(role)), None if may_use is None else bool(may_use)
        )
        return RightsToGive(str(stored["userId"]), change)


class _FurtherUser(Act[NewUser, MemberRecord]):
    """Nothing is at stake with the first user of an enterprise without a licence."""

    name = "user.add"
    operation = "createUser"

    def stake(self, scene: Scene, asked: Asked[NewUser]) -> Stake | None:
        enterprise = enterprises.lock_enterprise(scene.tx, asked.subject_id)
        wanted = asked.request
        enterprises.require_same_user(scene.tx, wanted)
        known = wanted.id is not None and store.find_membership(scene.tx, enterprise.id, wanted.id) is not None
        if known or not (enterprise.licensed or store.has_had_members(scene.tx, enterprise.id)):
            return None
        rights = memberships.with_change(Membership(enterprise.id, ""), wanted.rights)
        may = "may" if rights.may_use_custodian_key else "may not"
        return Stake(
            summary=(
                f"make {wanted.id or 'a new user'} ({shown(wanted.name)}) {rights.role} of {enterprise.id},"
                f" who {may} have a custodian key sign"
            ),
            target={"licensed": str(enterprise.licensed).lower()},
            key=wanted.id or _digest(self.stored(wanted)),
            enterprise_id=enterprise.id,
        )

    def carry_out(self, scene: Scene, asked: Asked[NewUser]) -> MemberRecord:
        return enterprises.create_user(scene.tx, scene.operator, asked.subject_id, asked.request)

    def told(self, done: MemberRecord) -> Told:
        return Told(user_answer(done).model_dump(by_alias=True, exclude_unset=True))

    def stored(self, request: NewUser) -> dict[str, object]:
        role = None if request.role is None else str(request.role)
        given = present(id=request.id, email=request.email, role=role)
        return {"name": request.name, **given, **present(mayUseCustodianKey=request.may_use_custodian_key)}

    def restored(self, stored: Mapping[str, Any]) -> NewUser:
        role = stored.get("role")
        return NewUser(
            stored.get("id"),
            stored["name"],
            stored.get("email"),
            None if role is None else MemberRole(role),
            stored.get("mayUseCustodianKey"),
        )


class _NewEnterprise(Act[NewEnterprise, Enterprise]):
    """Without a licence, nothing is at stake."""

    name = "enterprise.create"
    operation = "createEnterprise"

    def stake(self, scene: Scene, asked: Asked[NewEnterprise]) -> Stake | None:
        wanted = asked.request
        if not wanted.licensed or (wanted.id and store.find_enterprise(scene.tx, wanted.id) is not None):
            return None
        key = "" if wanted.id else _digest(self.stored(wanted))
        return Stake(f"make the licensed enterprise {shown(wanted.name)} {wanted.id or ''}".strip(), {}, key)

    def carry_out(self, scene: Scene, asked: Asked[NewEnterprise]) -> Enterprise:
        return enterprises.create_enterprise(scene.tx, scene.operator, asked.request)

    def told(self, done: Enterprise) -> Told:
        return Told(enterprise_answer(done).model_dump(by_alias=True, exclude_unset=True))

    def stored(self, request: NewEnterprise) -> dict[str, object]:
        fields = {"name": request.name, "trustOrg": str(request.trust_org), "licensed": request.licensed}
        return present(id=request.id) | fields

    def restored(self, stored: Mapping[str, object]) -> NewEnterprise:
        chosen = stored.get("id")
        name, licensed = str(stored["name"]), bool(stored["licensed"])
        return NewEnterprise(
            None if chosen is None else str(chosen), name, TrustOrg(str(stored["trustOrg"])), licensed
        )


class _Licence(Act[EnterpriseChange, Enterprise]):
    """A licence is taken away, and an enterprise renamed, by one operator."""

    name = "enterprise.license"
    operation = "updateEnterprise"

    def stake(self, scene: Scene, asked: Asked[EnterpriseChange]) -> Stake | None:
        found = enterprises.lock_enterprise(scene.tx, asked.subject_id)
        if not asked.request.licensed or found.licensed:
            return None
        named = "" if asked.request.name is None else f" and name it {shown(asked.request.name)}"
        return Stake(
            summary=f"give the enterprise {found.id} ({shown(found.name)}) its licence{named}",
            target={"name": found.name, "licensed": "false"},
            enterprise_id=found.id,
        )

    def carry_out(self, scene: Scene, asked: Asked[EnterpriseChange]) -> Enterprise:
        return enterprises.update_enterprise(scene.tx, scene.operator, asked.subject_id, asked.request)

    def told(self, done: Enterprise) -> Told:
        return Told(enterprise_answer(done).model_dump(by_alias=True, exclude_unset=True))

    def stored(self, request: EnterpriseChange) -> dict[str, object]:
        return present(name=request.name, licensed=request.licensed)

    def restored(self, stored: Mapping[str, object]) -> EnterpriseChange:
        return EnterpriseChange(cast("str | None", stored.get("name")), cast("bool | None", stored.get("licensed")))


class _Token(Act[R, IssuedToken]):
    """The value of the token is made when it is carried out, and its proposer collects it."""

    def told(self, done: IssuedToken) -> Told:
        shown_token = token_answer(done).model_dump(by_alias=True, exclude_unset=True)
        del shown_token["token"]["value"]
        return Told(shown_token, done.value)

    def take_back(self, tx: Transaction, proposer: Operator, result: Mapping[str, Any]) -> None:
        tokens.revoke(tx, proposer, UUID(result["token"]["id"]))


class _MemberToken(_Token[MemberTokenRequest]):
    name = "token.create"
    operation = "createToken"

    def stake(self, scene: Scene, asked: Asked[MemberTokenRequest]) -> Stake | None:
        user_id = asked.request.user_id
        enterprise, membership = tokens.require_member_of(scene.tx, asked.subject_id, user_id)
        user = store.find_user(scene.tx, user_id)
        if user is None:
            raise LookupError("a member is a user")
        tokens.require_later(scene.tx, asked.request.terms)
        scopes = ", ".join(sorted(asked.request.terms.scopes))
        role = f", {asked.request.terms.role or membership.role}"
        return Stake(
            summary=f"make a token of {user.id} ({shown(user.name)}) for {enterprise.id} with {scopes}{role}",
            target={
                "role": str(membership.role),
                "userName": user.name,
                "userEmail": user.email,
                "licensed": str(enterprise.licensed).lower(),
            },
            key=_digest(self.stored(asked.request)),
            enterprise_id=enterprise.id,
        )

    def carry_out(self, scene: Scene, asked: Asked[MemberTokenRequest]) -> IssuedToken:
        wanted = asked.request
        return tokens.add_token(scene.tx, scene.operator, asked.subject_id, wanted.user_id, wanted.terms)

    def stored(self, request: MemberTokenRequest) -> dict[str, object]:
        return {"userId": request.user_id, **_stored_terms(request.terms)}

    def restored(self, stored: Mapping[str, object]) -> MemberTokenRequest:
        return MemberTokenRequest(str(stored["userId"]), _restored_terms(stored))


class _OperatorToken(_Token[TokenTerms]):
    name = "operator_token.create"
    operation = "createOperatorToken"

    def stake(self, scene: Scene, asked: Asked[TokenTerms]) -> Stake | None:
        holder = operators.require_token_holder(scene.tx, scene.operator, asked.subject_id, approved=True)
        tokens.require_later(scene.tx, asked.request)
        operators.require_narrower(holder, asked.request)
        return Stake(
            summary=_summary_of_token(holder, asked.request),
            target={"name": holder.name, "role": holder.role},
            key=_digest(self.stored(asked.request)),
        )

    def carry_out(self, scene: Scene, asked: Asked[TokenTerms]) -> IssuedToken:
        approved = scene.runtime.oversight.approvals_needed > 0
        operators.require_token_holder(scene.tx, scene.operator, asked.subject_id, approved=approved)
        return operators.issue_operator_token(
            scene.tx, scene.operator, asked.subject_id, asked.request, scene.proposal_id
        )

    def stored(self, request: TokenTerms) -> dict[str, object]:
        return _stored_terms(request)

    def restored(self, stored: Mapping[str, object]) -> TokenTerms:
        return _restored_terms(stored)


def _summary_of_token(holder: OperatorRecord, terms: TokenTerms) -> str:
    if terms.deposits_only:
        return f"let a program deposit without further approval, as the operator {shown(holder.name)}"
    whose = "a program of the operator" if terms.program else "the operator"
    return f"make a token for {whose} {shown(holder.name)}, {terms.role or holder.role}"


def _stored_terms(terms: TokenTerms) -> dict[str, object]:
    return present(
        label=terms.label,
        expiresAt=wire_time(terms.expires_at) if terms.expires_at else None,
        scopes=sorted(terms.scopes),
        ipAllowList=[str(network) for network in terms.ip_allow_list],
        kind=str(terms.kind),
        role=terms.role and str(terms.role),
        # A proposal of an earlier version has neither.
        program=terms.program or None,
        depositsOnly=terms.deposits_only or None,
    )


def _restored_terms(stored: Mapping[str, Any]) -> TokenTerms:
    expires_at = stored.get("expiresAt")
    return TokenTerms(
        label=stored.get("label"),
        expires_at=None if expires_at is None else parse_rfc3339(expires_at),
        scopes=frozenset(map(Scope, stored["scopes"])),
        ip_allow_list=tuple(map(rules.parse_network, stored["ipAllowList"])),
        kind=TokenKind(stored["kind"]),
        role=stored.get("role"),
        program=bool(stored.get("program")),
        deposits_only=bool(stored.get("depositsOnly")),
    )


def _digest(stored: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(stored, sort_keys=True).encode()).hexdigest()


NEW_OPERATOR: Final = _NewOperator()
OPERATOR_ROLE: Final = _OperatorRole()
FURTHER_USER: Final = _FurtherUser()
MEMBER_RIGHTS: Final = _MemberRights()
NEW_ENTERPRISE: Final = _NewEnterprise()
LICENCE: Final = _Licence()
MEMBER_TOKEN: Final = _MemberToken()
OPERATOR_TOKEN: Final = _OperatorToken()
ACTS: Final = (
    NEW_OPERATOR,
    OPERATOR_ROLE,
    FURTHER_USER,
    MEMBER_RIGHTS,
    NEW_ENTERPRISE,
    LICENCE,
    MEMBER_TOKEN,
    OPERATOR_TOKEN,
)
