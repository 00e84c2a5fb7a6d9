"""Operators and their tokens. A use case is one transaction and writes an audit record if it changes anything."""

from __future__ import annotations

from dataclasses import replace

from clearwindow.core.errors import NotFoundError, PermissionDeniedError
from clearwindow.core.ids import NIL, parse_uuid
from clearwindow.identity import audit, rules, store
from clearwindow.identity.models import BOOTSTRAP_OPERATOR, IssuedToken, Operator, OperatorRecord, TokenTerms
from clearwindow.identity.programs import require_person
from clearwindow.identity.tokens import new_token, terms_of
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime


def create_operator(runtime: Runtime, actor: Operator, name: str) -> OperatorRecord:
    """Returns the operator with this name, and makes one if there is none."""
    with runtime.transaction() as tx:
        operator, made = ensure_operator(tx, name)
        if made:
            audit.record(tx, actor, "operator.created", operator.id, name=operator.name)
    return operator


def create_operator_token(runtime: Runtime, actor: Operator, operator_id: str, terms: TokenTerms) -> IssuedToken:
    """Makes a token for an operator.

    Raises:
        PermissionDeniedError: the operator is not the caller, or the caller is a program, which could make itself a
            person's token.
        NotFoundError: there is no such operator.
        InvalidRequestError: the token would expire in the past.
    """
    require_person(actor)
    _require_own_or_bootstrap(actor, operator_id)
    with runtime.transaction() as tx:
        operator = store.find_operator(tx, parse_uuid(operator_id) or NIL)
        if operator is None:
            raise NotFoundError("operator_unknown", "there is no operator with this id")
        token = replace(new_token(tx, terms), operator_id=operator.id, operator_name=operator.name)
        issued = IssuedToken(token, rules.new_token())
        store.insert_token(tx, token, rules.token_sha256(issued.value))
        audit.record(tx, actor, "token.created", token.id, operatorId=operator_id, **terms_of(token))
    return issued


def ensure_bootstrap_operator(runtime: Runtime) -> OperatorRecord:
    """Returns the operator of the token in the settings and of the command line. Makes it if there is none."""
    with runtime.transaction() as tx:
        return ensure_operator(tx, BOOTSTRAP_OPERATOR)[0]


def ensure_operator(tx: Transaction, name: str) -> tuple[OperatorRecord, bool]:
    """Returns the operator with this name, and whether this call made it."""
    operator = OperatorRecord(tx.new_id(), name, tx.now())
    if store.insert_operator(tx, operator):
        return operator, True
    found = store.find_operator_by_name(tx, name)
    if found is None:
        raise LookupError("an operator has this name and cannot be read")
    return found, False


def _require_own_or_bootstrap(actor: Operator, operator_id: str) -> None:
    # With a colleague's token, one person could both make and review a closure.
    if actor.name != BOOTSTRAP_OPERATOR and str(actor.operator_id) != operator_id:
        raise PermissionDeniedError(
            "token_of_another_operator",
            "operators make tokens for themselves only. A new operator's first token is made with the token in"
            " the settings, or with the command line",
        )
