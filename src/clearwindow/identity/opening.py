"""Opens a network in earnest, once: its first administrators are made on the machine, and then the door is shut.

Until then, and in a sandbox for ever, the token in the settings opens the operator's API, and the command line
makes tokens. Protocol §2.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from clearwindow.core.errors import InvalidRequestError
from clearwindow.identity import audit, store, tokens
from clearwindow.identity.looks import is_readable
from clearwindow.identity.models import (
    BOOTSTRAP_OPERATOR,
    IssuedToken,
    Opening,
    Operator,
    OperatorRole,
    TokenTerms,
)
from clearwindow.identity.operators import add_operator, change_role, ensure_operator, issue_operator_token
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.sandbox import SharedClock
from clearwindow.runtime import Runtime

_FEWEST_ADMINISTRATORS: Final = 2


class NetworkMode(StrEnum):
    """A network is a sandbox, or was not opened yet, or was opened in earnest."""

    SANDBOX = "sandbox"
    UNOPENED = "unopened"
    EARNEST = "earnest"


class DoorShutError(RuntimeError):
    """The command line makes no operators or tokens here, or not any more; the message says what to do."""


def mode_of(runtime: Runtime, opening: Opening | None) -> NetworkMode:
    if is_sandbox(runtime):
        return NetworkMode.SANDBOX
    return NetworkMode.UNOPENED if opening is None else NetworkMode.EARNEST


def find_opening(runtime: Runtime) -> Opening | None:
    """Returns when the network was opened, None if it was not."""
    with runtime.transaction() as tx:
        return store.find_opening(tx)


SINGLE_OPERATOR: Final = "One person runs this network alone: nobody checks what they do."
"""What every page and every start of such a network says."""


def is_alone(opening: Opening | None) -> bool:
    """Returns whether one person runs the network alone, which was chosen when it was opened."""
    return opening is not None and opening.single_operator


def is_sandbox(runtime: Runtime) -> bool:
    return isinstance(runtime.clock, SharedClock)


def require_names(names: Sequence[str], *, single_operator: bool) -> None:
    """Checks that two administrators are named, or one who says that they are alone.

    Raises:
        InvalidRequestError: too few, too many, one twice, or with characters that nobody sees.
    """
    if single_operator and len(names) != 1:
        raise InvalidRequestError("request_invalid", "--single-operator: give exactly one --name with it")
    if not single_operator and len(names) < _FEWEST_ADMINISTRATORS:
        raise InvalidRequestError(
            "request_invalid",
            "--name: give two names, so that nobody alone can take anything; who is alone says --single-operator,"
            " for ever",
        )
    for name in names:
        _require_readable("--name", name)
    if len(set(names)) < len(names) or BOOTSTRAP_OPERATOR in names:
        raise InvalidRequestError(
            "request_invalid", f"--name: the names must differ, and none may be {BOOTSTRAP_OPERATOR}"
        )


def open_network(runtime: Runtime, names: Sequence[str], *, single_operator: bool) -> list[IssuedToken]:
    """Makes the first administrators, with a token each, and shuts the door.

    An operator who exists becomes an administrator and gets another token. Tokens of the operator ``bootstrap`` are
    revoked.

    Raises:
        InvalidRequestError, ConflictError: the names are too few, or two of them look alike.
        DoorShutError: the network is a sandbox, or was opened before.
    """
    require_names(names, single_operator=single_operator)
    if is_sandbox(runtime):
        raise DoorShutError(
            "This is a sandbox, which is never opened in earnest: make tokens with clearwindow token create, or use"
            " another database."
        )
    with runtime.transaction() as tx:
        store.lock_operators(tx)
        if not store.insert_opening(tx, single_operator=single_operator):
            raise DoorShutError("The network was opened before. Its administrators make further operators.")
        actor = _command_line(runtime, tx)
        store.revoke_tokens_of_operator(tx, actor.operator_id)
        audit.record(
            tx, actor, "network.opened", actor.operator_id, names=list(names), singleOperator=single_operator
        )
        return [_administrator(tx, actor, name) for name in names]


def first_operator_token(runtime: Runtime, name: str, terms: TokenTerms) -> IssuedToken:
    """Makes a token for the operator with this name, and the operator if there is none.

    Raises:
        InvalidRequestError: the name has characters that nobody sees.
        ConflictError: the name looks like that of another operator.
        DoorShutError: outside a sandbox, an operator exists already.
    """
    _require_readable("--operator", name)
    with runtime.transaction() as tx:
        store.lock_operators(tx)
        if not is_sandbox(runtime) and set(store.list_operator_names(tx)) - {BOOTSTRAP_OPERATOR}:
            raise DoorShutError(
                "An operator exists already, and outside a sandbox this command makes only the first one: an"
                " administrator makes further ones. To open the network in earnest: clearwindow operators init."
            )
        actor = _command_line(runtime, tx)
        operator = add_operator(tx, actor, name)
        return issue_operator_token(tx, actor, str(operator.id), terms)


def member_token(runtime: Runtime, enterprise_id: str, user_id: str, terms: TokenTerms) -> IssuedToken:
    """Makes a token for a member of an enterprise.

    Raises:
        DoorShutError: the network was opened.
        NotFoundError, InvalidRequestError: as for `tokens.create_token`.
    """
    with runtime.transaction() as tx:
        if store.find_opening(tx) is not None:
            raise DoorShutError(
                "The network was opened, and this command makes no tokens any more: an administrator makes them"
                " with POST /api/operator/v1/enterprises/{id}/tokens."
            )
        return tokens.add_token(tx, _command_line(runtime, tx), enterprise_id, user_id, terms)


def _require_readable(option: str, name: str) -> None:
    if not is_readable(name):
        raise InvalidRequestError(
            "request_invalid", f"{option}: must have characters that are seen, and single spaces between words"
        )


def _administrator(tx: Transaction, actor: Operator, name: str) -> IssuedToken:
    operator = add_operator(tx, actor, name)
    change_role(tx, actor, str(operator.id), OperatorRole.ADMINISTRATOR)
    return issue_operator_token(tx, actor, str(operator.id), TokenTerms(label="operators init"))


def _command_line(runtime: Runtime, tx: Transaction) -> Operator:
    record, _ = ensure_operator(tx, BOOTSTRAP_OPERATOR)
    return Operator(record.id, record.name, f"command-line-{runtime.ids.new()}")
