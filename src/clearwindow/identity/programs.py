"""What a program's token does not do: there is nobody who could look at what it approves. Protocol §2."""

from __future__ import annotations

from clearwindow.core.errors import PermissionDeniedError
from clearwindow.identity.models import Actor


def require_person(actor: Actor) -> None:
    """Refuses a program what only a person may do.

    Raises:
        PermissionDeniedError: the caller's token is a program's.
    """
    if actor.program:
        raise PermissionDeniedError(
            "token_of_a_program", "a program's token does not do this: use the token of a person"
        )
