"""Carries out operations of the API for a visitor: the same functions, checks of roles, codes and shapes.

A page asks for operations and shows their answers. It has no other way to read or to change anything, so that the
console can do what the API can do for the same token, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from inspect import signature
from typing import Annotated, Any, Final, Generic, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from starlette.datastructures import QueryParams

from clearwindow.api.bodies import Body, parse_body, validate
from clearwindow.api.filters import (
    AT_LEAST,
    LINK_HEADER,
    TOTAL_COUNT_HEADER,
    TOTAL_KIND_HEADER,
    CursorPage,
    Page,
    parse_filters,
)
from clearwindow.api.routing import Answer, NoContent, ServerRuntime, work_of
from clearwindow.console.models import Visitor
from clearwindow.core.errors import NotAuthenticatedError
from clearwindow.core.work import Work
from clearwindow.custody.wallets.routes import sign_payload
from clearwindow.identity import roles
from clearwindow.identity import rules as access
from clearwindow.identity.guards import ActingOperator, CallingMember, TokenHolder
from clearwindow.identity.models import Operator
from clearwindow.identity.second_factor.guard import ApprovingOperator
from clearwindow.identity.second_factor.service import require_code
from clearwindow.postgres.paging import Position
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
class Download:
    """A list that is downloaded whole: the API's function, its name in the table of roles, filters and path."""

    endpoint: Callable[..., Answer[Any]]
    operation: str
    filters: Mapping[str, object]
    values: Mapping[str, object]


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

    def exported(self, wanted: Download, after: Position | None) -> Answer[BaseModel]:
        """Returns the page of a download that begins after a place, as an export of the API reads it."""
        for hint in _parameters(wanted.endpoint).values():
            if (model := _model(hint, CursorPage)) is not None:
                asked = parse_filters({**wanted.filters, "format": "csv"}, b"", model, self.runtime.limits)
                asked.note(self.path, self.query, "text/csv")
                size = self.runtime.limits.page_size
                values = {**wanted.values, "filters": asked.of_export(after, size)}
                answer: Answer[BaseModel] = self._answer(wanted.endpoint, wanted.operation, values, {}, None)
                return answer
        raise TypeError("only a list with cursors is downloaded")

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
        self.require(operation or to_camel(endpoint.__name__))
        given: dict[str, object] = dict(values)
        approving: str | None = None
        for name, hint in _parameters(endpoint).items():
            if name in given:
                continue
            if hint == ApprovingOperator:
                approving = name
            elif name == "enterprise_id":
                # The path of an operation of members names their own enterprise, never another.
                given[name] = self.visitor.actor.enterprise_id
            elif (wanted := _wrapped(hint, Body)) is not None:
                given[name] = self._body(endpoint, fields or {}, wanted)
            else:
                for value in self._known(hint, filters):
                    given[name] = value
        if approving is not None:
            # After the body, so that a malformed one uses no code up.
            require_code(self.runtime, self._operator(), self.code or None)
            given[approving] = self.visitor.actor
        return endpoint(**given)

    def _known(self, hint: Any, filters: Mapping[str, object]) -> Iterator[object]:  # noqa: ANN401 - any annotation
        """Gives what a parameter with this annotation gets, if it gets anything."""
        if hint == ServerRuntime:
            yield self.runtime
        elif hint in (ActingOperator, CallingMember, TokenHolder):
            yield self.visitor.actor
        elif (filter_model := _model(hint, Page)) is not None:
            yield self._filters(filter_model, filters)
        elif (query_model := _model(hint, BaseModel)) is not None:
            yield validate(filters, query_model)

    def options_of(self, endpoint: Callable[..., Any], given: Mapping[str, object]) -> object:
        """Returns the options in the query of an acting operation.

        Raises:
            InvalidRequestError: the operation would not take them.
        """
        for hint in _parameters(endpoint).values():
            if (model := _model(hint, BaseModel)) is not None:
                return validate(given, model)
        raise TypeError("the operation has no options")

    def check(self, endpoint: Callable[..., Any], fields: Mapping[str, object]) -> None:
        """Checks the shape of an operation's body before anything is signed for it.

        Raises:
            InvalidRequestError: the operation would not take these fields.
        """
        for hint in _parameters(endpoint).values():
            if (wanted := _wrapped(hint, Body)) is not None:
                self._body(endpoint, fields, wanted)

    def _body(self, endpoint: Callable[..., Any], fields: Mapping[str, object], model: type[M]) -> Body[M]:
        """Reads the fields as the API reads them. What is signed is compared with them value by value."""
        limits = self.runtime.limits
        is_large = work_of(endpoint) is Work.SETTLEMENT or endpoint is sign_payload
        return parse_body(
            json.dumps(fields).encode(), model, limits.settlement_body if is_large else limits.other_body
        )

    def require(self, operation: str) -> None:
        """Requires that the visitor's role and token may carry out the operation.

        Raises:
            PermissionDeniedError: they may not.
        """
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
