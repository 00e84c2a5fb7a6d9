"""What a program's token does not do: nobody could look at what it approves. Protocol §2 and §12."""

from __future__ import annotations

from clearwindow.core.errors import PermissionDeniedError
from clearwindow.identity import roles
from clearwindow.identity.models import Actor, Token


def require_person(actor: Actor) -> None:
    """Refuses a program what only a person may do.

    Raises:
        PermissionDeniedError: the caller's token is a program's.
    """
    if actor.program:
        raise PermissionDeniedError(
            "token_of_a_program", "a program's token does not do this: use the token of a person"
        )


def require_use(token: Token, operation: str) -> None:
    """Checks that an operator's token is for this operation. One for deposits alone is for no other.

    Raises:
        PermissionDeniedError: it is for deposits alone.
    """
    if token.deposits_only and operation not in roles.operations_of_deposit_tokens():
        raise PermissionDeniedError(
            "token_for_deposits", "this token is for deposits alone: use another one for everything else"
        )
