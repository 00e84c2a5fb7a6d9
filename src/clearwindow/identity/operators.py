"""Operators, their roles and their tokens. A use case is one transaction; what changes is in the audit trail.

Functions that take a transaction do the same in the caller's.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from clearwindow.core.errors import ConflictError, NotFoundError, PermissionDeniedError
from clearwindow.core.ids import NIL, parse_uuid
from clearwindow.identity import audit, looks, roles, rules, store
from clearwindow.identity.models import (
    BOOTSTRAP_OPERATOR,
    IssuedToken,
    Operator,
    OperatorRecord,
    OperatorRole,
    TokenTerms,
)
from clearwindow.identity.programs import require_person
from clearwindow.identity.tokens import new_token, terms_of
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime


def create_operator(
    runtime: Runtime, actor: Operator, name: str, role: OperatorRole | None = None
) -> OperatorRecord:
    """Returns the operator with this name, and makes one if there is none: an administrator, if no role is given.

    Raises:
        ConflictError: the operator has another role, or the name looks like that of another operator.
    """
    with runtime.transaction() as tx:
        return add_operator(tx, actor, name, role)


def add_operator(tx: Transaction, actor: Operator, name: str, role: OperatorRole | None = None) -> OperatorRecord:
    operator, made = ensure_operator(tx, name, role or OperatorRole.ADMINISTRATOR)
    if role is not None and operator.role != role:
        raise ConflictError(
            "operator_differs", f"the operator {name} is {operator.role} already: change the role with PATCH"
        )
    if made:
        audit.record(tx, actor, "operator.created", operator.id, name=operator.name, role=operator.role)
    return operator


def update_operator(runtime: Runtime, actor: Operator, operator_id: str, role: OperatorRole) -> OperatorRecord:
    """Gives an operator another role. Its tokens may do no more than that from now on.

    Raises:
        NotFoundError: there is no such operator.
        UnprocessableError: there would be no administrator any more.
    """
    with runtime.transaction() as tx:
        return change_role(tx, actor, operator_id, role)


def change_role(tx: Transaction, actor: Operator, operator_id: str, role: OperatorRole) -> OperatorRecord:
    administrators = store.lock_operator_administrators(tx)
    before = _known(store.lock_operator(tx, parse_uuid(operator_id) or NIL))
    if before.role == role:
        return before
    if before.role is OperatorRole.ADMINISTRATOR:
        roles.require_administrator_left(administrators, before.id)
    store.update_operator_role(tx, before.id, role)
    audit.record(tx, actor, "operator.updated", before.id, before=before.role, role=role)
    return replace(before, role=role)


def require_operator(tx: Transaction, operator_id: str) -> OperatorRecord:
    """Returns the operator, locked after all administrators, as for every change of a role.

    Raises:
        NotFoundError: there is no such operator.
    """
    store.lock_operator_administrators(tx)
    return _known(store.lock_operator(tx, parse_uuid(operator_id) or NIL))


def create_operator_token(runtime: Runtime, actor: Operator, operator_id: str, terms: TokenTerms) -> IssuedToken:
    """Makes a token for an operator. It may do no more than the caller's own token.

    Raises:
        PermissionDeniedError: the operator is not the caller, or the caller is a program, which could make itself a
            person's token.
        NotFoundError: there is no such operator.
        InvalidRequestError: the token would expire in the past, or its role is not included in the operator's.
    """
    allowed = allowed_terms(actor, operator_id, terms)
    with runtime.transaction() as tx:
        require_token_holder(tx, actor, operator_id, approved=False)
        return issue_operator_token(tx, actor, operator_id, allowed)


def allowed_terms(actor: Operator, operator_id: str, terms: TokenTerms) -> TokenTerms:
    """Returns the terms with a role. A narrow token must not make a wider one, now or when a role is raised later.

    Raises:
        InvalidRequestError: the role is not included in that of the caller's token.
    """
    if str(actor.operator_id) != operator_id:
        return terms
    roles.require_narrower(actor.role, _own_role(terms))
    return replace(terms, role=terms.role or actor.role)


def issue_operator_token(
    tx: Transaction, actor: Operator, operator_id: str, terms: TokenTerms, proposal_id: UUID | None = None
) -> IssuedToken:
    """Makes a token for any operator, whoever asks.

    Args:
        tx: stores the token.
        actor: who asked for it.
        operator_id: whose token it is.
        terms: its terms. A token for deposits alone needs no further approval if others approved the token.
        proposal_id: the proposal by which they did.

    Raises:
        NotFoundError: there is no such operator.
        InvalidRequestError: it would expire in the past, or its role is not included in the operator's.
    """
    operator = _known(store.hold_operator(tx, parse_uuid(operator_id) or NIL))
    require_narrower(operator, terms)
    # What the token in the settings makes is the operator's own: it makes the first token of each. What is made
    # with a token that somebody else made is theirs, too: they may have kept that token, and have asked for it.
    made_by = None if actor.name == BOOTSTRAP_OPERATOR else actor.token_made_by or actor.operator_id
    held = replace(new_token(tx, terms), operator_id=operator.id, operator_name=operator.name)
    approved_by = proposal_id if terms.deposits_only else None
    token = replace(held, role=_own_role(terms), made_by=made_by, deposits_proposal_id=approved_by)
    issued = IssuedToken(token, rules.new_token())
    store.insert_token(tx, token, rules.token_sha256(issued.value))
    audit.record(tx, actor, "token.created", token.id, operatorId=operator_id, **terms_of(token))
    return issued


def require_narrower(operator: OperatorRecord, terms: TokenTerms) -> None:
    """Checks the role of a new token of the operator.

    Raises:
        InvalidRequestError: the operator's role does not include it.
    """
    roles.require_narrower(operator.role, _own_role(terms))


def require_token_holder(tx: Transaction, actor: Operator, operator_id: str, *, approved: bool) -> OperatorRecord:
    """Returns the operator for whom the actor may make a token.

    Args:
        tx: reads the operator.
        actor: who asks.
        operator_id: whose token it is.
        approved: whether others approve it first. Then an administrator may ask for another operator's.

    Raises:
        PermissionDeniedError: the operator is not the actor.
        NotFoundError: there is no such operator.
    """
    require_person(actor)
    if not (approved and actor.role is OperatorRole.ADMINISTRATOR):
        _require_own_or_bootstrap(actor, operator_id)
    return _known(store.find_operator(tx, parse_uuid(operator_id) or NIL))


def ensure_bootstrap_operator(runtime: Runtime) -> OperatorRecord:
    """Returns the operator of the token in the settings and of the command line. Makes it if there is none."""
    with runtime.transaction() as tx:
        return ensure_operator(tx, BOOTSTRAP_OPERATOR)[0]


def ensure_operator(
    tx: Transaction, name: str, role: OperatorRole = OperatorRole.ADMINISTRATOR
) -> tuple[OperatorRecord, bool]:
    """Returns the operator with this name, and whether this call made it or took it back after a removal.

    Raises:
        ConflictError: the name looks like that of another operator.
    """
    found = store.find_operator_by_name(tx, name)
    if found is not None and found.removed_at is None:
        return found, False
    require_distinct_name(tx, name)
    made = store.insert_operator(tx, OperatorRecord(tx.new_id(), name, tx.now(), role))
    found = store.find_operator_by_name(tx, name)
    if found is None:
        raise LookupError("an operator has this name and cannot be read")
    return found, made


def require_distinct_name(tx: Transaction, name: str) -> None:
    """Refuses a new name that looks like that of another operator.

    Raises:
        ConflictError: it does.
    """
    if name == BOOTSTRAP_OPERATOR:
        return
    look = looks.look_of(name)
    # Whoever comes back after a removal has the name already.
    others = {*store.list_operator_names(tx), BOOTSTRAP_OPERATOR}
    alike = next((other for other in others if other != name and looks.look_of(other) == look), None)
    if alike is not None:
        raise ConflictError(
            "operator_look_key",
            f"name: looks like the operator {alike}: choose a name that nobody can mistake for another",
        )


def _own_role(terms: TokenTerms) -> OperatorRole | None:
    return None if terms.role is None else OperatorRole(terms.role)


def _known(operator: OperatorRecord | None) -> OperatorRecord:
    if operator is None or operator.removed_at is not None:
        raise NotFoundError("operator_unknown", "there is no operator with this id")
    return operator


def _require_own_or_bootstrap(actor: Operator, operator_id: str) -> None:
    # With a colleague's token, one person could both make and review a closure.
    if actor.name != BOOTSTRAP_OPERATOR and str(actor.operator_id) != operator_id:
        raise PermissionDeniedError(
            "token_of_another_operator",
            "operators make tokens for themselves only. An administrator proposes another operator's token where"
            " others must approve it; else it is made with the token in the settings, or with the command line",
        )
