"""Carries out operations of the API for a visitor: the same functions, checks of roles, codes and shapes.

A page asks for operations and shows their answers. It has no other way to read or to change anything, so that the
console can do what the API can do for the same token, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from inspect import signature
from typing import Annotated, Any, Final, Generic, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from starlette.datastructures import QueryParams

from clearwindow.api.bodies import Body, validate
from clearwindow.api.filters import (
    AT_LEAST,
    LINK_HEADER,
    TOTAL_COUNT_HEADER,
    TOTAL_KIND_HEADER,
    CursorPage,
    Page,
    parse_filters,
)
from clearwindow.api.routing import Answer, NoContent, ServerRuntime
from clearwindow.console.models import Visitor
from clearwindow.core.errors import NotAuthenticatedError
from clearwindow.identity import roles
from clearwindow.identity import rules as access
from clearwindow.identity.guards import ActingOperator, CallingMember
from clearwindow.identity.models import Operator
from clearwindow.identity.second_factor.guard import ApprovingOperator
from clearwindow.identity.second_factor.service import require_code
from clearwindow.runtime import Runtime

M = TypeVar("M", bound=BaseModel)

PAGE_SIZE: Final = 50
_HTML: Final = "text/html"


@dataclass(frozen=True, slots=True)
class Listed(Generic[M]):
    """One page of a list: the answer, how many entries the list has, and where it goes on."""

    body: M
    total: int = 0
    at_least: bool = False
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Desk:
    """What a visitor can do with the API from one page.

    Attributes:
        path: of the page, which its lists go on from.
        query: of the page.
        code: of the second factor, from the form.
    """

    runtime: Runtime
    visitor: Visitor
    path: str
    query: QueryParams
    method: str = "GET"
    code: str | None = None

    def may(self, operation: str) -> bool:
        """Returns whether the visitor's role may carry out the operation."""
        actor = self.visitor.actor
        if isinstance(actor, Operator):
            return roles.operator_may(actor.role, operation)
        token = self.visitor.token
        return bool(token and actor.role in roles.roles_of_members().get(operation, ()))

    def read(self, endpoint: Callable[..., Answer[M] | M], operation: str | None = None, /, **values: object) -> M:
        """Returns the answer's model of a reading operation.

        Raises:
            RequestError: the role may not, or the operation refuses.
        """
        answer: Answer[M] | M = self._answer(endpoint, operation, values, {}, None)
        return _body(answer)

    def read_with(
        self,
        endpoint: Callable[..., Answer[M] | M],
        query: Mapping[str, object],
        operation: str | None = None,
        /,
        **values: object,
    ) -> M:
        """Returns the same of an operation that has options in its query."""
        answer: Answer[M] | M = self._answer(endpoint, operation, values, query, None)
        return _body(answer)

    def listed(
        self,
        endpoint: Callable[..., Answer[M]],
        filters: Mapping[str, object] | None = None,
        operation: str | None = None,
        /,
        **values: object,
    ) -> Listed[M]:
        """Returns one page of a list with these filters, in the words of the API's query."""
        answer = self._answer(endpoint, operation, values, filters or {}, None)
        if not isinstance(answer, Answer):
            raise TypeError("a list answers with its headers")
        link = answer.headers.get(LINK_HEADER)
        return Listed(
            _body(answer),
            int(answer.headers.get(TOTAL_COUNT_HEADER, "0")),
            answer.headers.get(TOTAL_KIND_HEADER) == AT_LEAST,
            link[1 : link.index(">")] if link else None,
        )

    def act(
        self,
        endpoint: Callable[..., Answer[Any] | NoContent | BaseModel],
        fields: Mapping[str, object],
        operation: str | None = None,
        /,
        **values: object,
    ) -> Answer[Any] | NoContent | BaseModel:
        """Carries out an operation with this JSON body.

        Raises:
            RequestError: the role may not, the body is wrong, the code is, or the operation refuses.
        """
        answer: Answer[Any] | NoContent | BaseModel = self._answer(endpoint, operation, values, {}, fields)
        return answer

    def _answer(
        self,
        endpoint: Callable[..., Any],
        operation: str | None,
        values: Mapping[str, object],
        filters: Mapping[str, object],
        fields: Mapping[str, object] | None,
    ) -> Any:  # noqa: ANN401 - what the operation answers
        self._require(operation or to_camel(endpoint.__name__))
        given: dict[str, object] = dict(values)
        approving: str | None = None
        for name, hint in _parameters(endpoint).items():
            if name in given:
                continue
            if hint == ServerRuntime:
                given[name] = self.runtime
            elif hint in (ActingOperator, CallingMember):
                given[name] = self.visitor.actor
            elif hint == ApprovingOperator:
                approving = name
            elif (filter_model := _model(hint, Page)) is not None:
                given[name] = self._filters(filter_model, filters)
            elif (wanted := _wrapped(hint, Body)) is not None:
                given[name] = Body(validate(fields or {}, wanted), {})
            elif (query_model := _model(hint, BaseModel)) is not None:
                given[name] = validate(filters, query_model)
        if approving is not None:
            # After the body, so that a malformed one uses no code up.
            require_code(self.runtime, self._operator(), self.code or None)
            given[approving] = self.visitor.actor
        return endpoint(**given)

    def _require(self, operation: str) -> None:
        actor, token = self.visitor.actor, self.visitor.token
        if isinstance(actor, Operator):
            roles.require_operator_role(actor.role, operation)
        elif token is not None:
            access.require_permission(token, access.needed_scopes(self.method))
            roles.require_member_role(actor.role, operation)

    def _operator(self) -> Operator:
        operator = self.visitor.operator
        if operator is None:
            raise NotAuthenticatedError("not_an_operator", "this page needs an operator's token")
        return operator

    def _filters(self, model: type[Page], filters: Mapping[str, object]) -> Page:
        paged = {"pageSize": str(PAGE_SIZE)} if "pageSize" not in filters else {}
        wanted = parse_filters({**filters, **paged}, b"", model, self.runtime.limits)
        if isinstance(wanted, CursorPage):
            wanted.note(self.path, self.query, _HTML)
        return wanted


@cache
def _parameters(endpoint: Callable[..., Any]) -> Mapping[str, Any]:
    hints = get_type_hints(endpoint, include_extras=True)
    return {name: hints[name] for name in signature(endpoint).parameters}


def _model(hint: Any, base: type[M]) -> type[M] | None:  # noqa: ANN401 - any annotation
    """Returns the model of ``Filters[Model]`` or ``Query[Model]``."""
    wanted = get_args(hint)[0] if get_origin(hint) is Annotated else None
    return wanted if isinstance(wanted, type) and issubclass(wanted, base) else None


def _wrapped(hint: Any, wrapper: type[Any]) -> type[BaseModel] | None:  # noqa: ANN401 - any annotation
    """Returns the model of ``JsonBody[Model]`` or ``OptionalJsonBody[Model]``."""
    wanted = get_args(hint)[0] if get_origin(hint) is Annotated else None
    if get_origin(wanted) is not wrapper:
        return None
    (model,) = get_args(wanted)
    return model if isinstance(model, type) and issubclass(model, BaseModel) else None


def _body(answer: Answer[M] | M) -> M:
    body = answer.body if isinstance(answer, Answer) else answer
    if isinstance(body, str):
        raise TypeError("an answer as text is of an act")
    return body
