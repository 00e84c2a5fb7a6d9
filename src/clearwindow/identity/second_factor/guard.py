"""FastAPI dependencies for what needs the code of an operator's second factor. Protocol §2."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final

from fastapi import Depends, Header, Request

from clearwindow.api.capacity import in_thread
from clearwindow.api.request import runtime_of
from clearwindow.core.work import Purpose, Work, working, working_for
from clearwindow.identity.guards import ActingOperator
from clearwindow.identity.models import Operator
from clearwindow.identity.second_factor.service import require_code

CODE_HEADER: Final = "Clearwindow-Code"

CodeHeader = Annotated[
    str | None,
    Header(alias=CODE_HEADER, description="A code of the operator's authenticator, or a recovery code."),
]


async def approving_operator(request: Request, operator: ActingOperator, code: CodeHeader = None) -> Operator:
    """Admits an operator who approves or reviews: no program, and with a code if one is needed.

    In a route's parameters it stands after the body, so that a malformed request uses no code up.
    """
    check = partial(require_code, runtime_of(request), operator, code)
    with working_for(working().holder, Purpose.WRITING):
        await in_thread(Work.WRITING, check)
    return operator


ApprovingOperator = Annotated[Operator, Depends(approving_operator)]

CODE_ERRORS: Final = (
    "code_missing",
    "code_used",
    "code_wrong",
    "codes_locked",
    "second_factor_missing",
    "token_of_a_program",
)
"""The errors of ``ApprovingOperator``, for ``may_raise``."""
