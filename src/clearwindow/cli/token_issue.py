"""Makes tokens with the use cases of the operator's API, so that the audit trail records them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from clearwindow import bootstrap
from clearwindow.api.schema import MAX_ID_LENGTH
from clearwindow.core.clock import whole_milliseconds
from clearwindow.core.errors import InvalidRequestError
from clearwindow.identity import opening, operators
from clearwindow.identity.models import (
    IssuedToken,
    MemberRole,
    Operator,
    OperatorRole,
    Scope,
    TokenKind,
    TokenTerms,
)
from clearwindow.runtime import Runtime
from clearwindow.settings import Settings

R = TypeVar("R", OperatorRole, MemberRole)


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a token, from the command's options."""

    label: str | None
    expires_in_days: float | None
    role: str | None = None

    def __post_init__(self) -> None:
        if self.label is not None:
            require_length("--label", self.label)

    def expires_at(self, runtime: Runtime) -> datetime | None:
        if self.expires_in_days is None:
            return None
        with runtime.transaction() as tx:
            return whole_milliseconds(tx.now() + timedelta(days=self.expires_in_days))


def issue_for_operator(settings: Settings, name: str, terms: Terms) -> IssuedToken:
    """Makes a token for the operator with this name, and the operator if there is none.

    Raises:
        DoorShutError: outside a sandbox, an operator exists already.
    """
    require_length("--operator", name)
    with bootstrap.opened_runtime(settings, share_running=True, as_marked=True) as runtime:
        role = _role(OperatorRole, terms.role)
        wanted = TokenTerms(label=terms.label, expires_at=terms.expires_at(runtime), role=role)
        return opening.first_operator_token(runtime, name, wanted)


def issue_for_member(
    settings: Settings, enterprise_id: str, user_id: str, scopes: Sequence[str], kind: TokenKind, terms: Terms
) -> IssuedToken:
    """Makes a token for a member of an enterprise. Without ``scopes``, it may read and write."""
    with bootstrap.opened_runtime(settings, share_running=True, as_marked=True) as runtime:
        role = _role(MemberRole, terms.role)
        wanted = TokenTerms(terms.label, terms.expires_at(runtime), _scopes(scopes), kind=kind, role=role)
        return opening.member_token(runtime, enterprise_id, user_id, wanted)


def command_line_operator(runtime: Runtime) -> Operator:
    """Returns the operator for the audit trail. A user of this shell could also set the token in the settings."""
    record = operators.ensure_bootstrap_operator(runtime)
    return Operator(record.id, record.name, f"command-line-{runtime.ids.new()}")


def _role(roles: type[R], given: str | None) -> R | None:
    known = [str(role) for role in roles]
    if given is not None and given not in known:
        raise InvalidRequestError(
            "request_invalid", f"--role: {given} is not a role here: choose from {', '.join(known)}"
        )
    return None if given is None else roles(given)


def _scopes(given: Sequence[str]) -> frozenset[Scope]:
    known = {str(scope) for scope in Scope}
    for text in given:
        if text not in known:
            raise InvalidRequestError(
                "request_invalid", f"--scope: {text} is not a scope: choose from {', '.join(sorted(known))}"
            )
    return frozenset(map(Scope, given or Scope))


def require_length(option: str, text: str) -> None:
    """Refuses the same names as the operator's API."""
    if not 1 <= len(text) <= MAX_ID_LENGTH:
        raise InvalidRequestError("request_invalid", f"{option}: must have 1 to {MAX_ID_LENGTH} characters")
