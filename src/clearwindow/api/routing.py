"""The route class of the API: plain functions in, threads, models and documentation out.

A route is a plain function. Its parameters say what it needs: ``body: JsonBody[Model]`` and
``filters: Filters[Model]`` are read here, after the guard of the router has admitted the caller, and described in
/openapi.json. It runs in a thread of its kind of work, and returns a model or an ``Answer``.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, Final, Generic, TypeAlias, TypeVar, cast, get_args, get_origin, get_type_hints

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from starlette.routing import BaseRoute

from clearwindow.api.bodies import LARGE_BODY_BYTES, Body, parse_body, read_bytes, validate
from clearwindow.api.body_limits import limits_of_body
from clearwindow.api.capacity import in_thread
from clearwindow.api.docs import takes_body, takes_filters
from clearwindow.api.exports import Part, Writer, exported, require_exportable
from clearwindow.api.filters import (
    AT_LEAST,
    LINK_HEADER,
    TOTAL_COUNT_HEADER,
    TOTAL_KIND_HEADER,
    CursorPage,
    Page,
    parse_filters,
    query_filters,
)
from clearwindow.api.request import guard_of, runtime_of
from clearwindow.core.work import READING_METHODS, Purpose, Work, working, working_for
from clearwindow.postgres.paging import Listing, Position
from clearwindow.runtime import Runtime

M = TypeVar("M", bound=BaseModel)
F = TypeVar("F", bound=Page)
E = TypeVar("E", bound=Callable[..., object])
T = TypeVar("T")

_JSON_BODY: Final = object()
_OPTIONAL_JSON_BODY: Final = object()
_FILTERS: Final = object()
_QUERY: Final = object()
_WORK: Final = "clearwindow_work"
_REQUEST: Final = "request_of_route"
_REQUEST_PARAMETER: Final = inspect.Parameter(_REQUEST, inspect.Parameter.KEYWORD_ONLY, annotation=Request)
_SMALL_BODY_BYTES: Final = 8 * 1024
"""A body up to this size is parsed within a millisecond, less than a thread would cost."""


JsonBody: TypeAlias = Annotated[Body[M], _JSON_BODY]
"""The request's body, validated as this model."""

OptionalJsonBody: TypeAlias = Annotated[Body[M], _OPTIONAL_JSON_BODY]
"""The same, but a missing body counts as ``{}``."""

Filters: TypeAlias = Annotated[F, _FILTERS]
"""The filters of a list, from the query or from a JSON body on the GET."""


Query: TypeAlias = Annotated[M, _QUERY]
"""Options from the query alone, for a route that takes a body."""


ServerRuntime = Annotated[Runtime, Depends(runtime_of)]


@dataclass(frozen=True, slots=True)
class Answer(Generic[M]):
    """A route's answer that needs more than a model: a status, headers, or stored JSON text."""

    body: M | str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    after: Position | None = None
    """Where the next page of a list begins."""


@dataclass(frozen=True, slots=True)
class NoContent:
    """The answer 204."""


def counted(model: M, total: int) -> Answer[M]:
    """Returns one page of a list with the number of all its entries in a header."""
    return Answer(model, headers={TOTAL_COUNT_HEADER: str(total)})


def paged(model: M, found: Listing[Any], filters: CursorPage) -> Answer[M]:
    """Returns one page of a list that has cursors, with the link to the next page."""
    headers = {TOTAL_COUNT_HEADER: str(found.total)}
    if not found.exact:
        headers[TOTAL_KIND_HEADER] = AT_LEAST
    if found.after is not None:
        headers[LINK_HEADER] = f'<{filters.asked.next_page(found.after)}>; rel="next"'
    return Answer(model, headers=headers, after=found.after)


def works_on(work: Work) -> Callable[[E], E]:
    """Decorates a route that does another kind of work than the ordinary, and uses the threads of that kind."""

    def mark(endpoint: E) -> E:
        setattr(endpoint, _WORK, work)
        return endpoint

    return mark


def work_of(endpoint: Callable[..., object]) -> Work | None:
    """Returns the kind of work that a route has said it does; None for the ordinary."""
    found: Work | None = getattr(endpoint, _WORK, None)
    return found


Description: TypeAlias = Callable[[], dict[str, Any]]
"""Makes the ``openapi_extra`` of a parameter."""


def work_with(work: Work, body_bytes: int) -> Work:
    """Returns the kind of work that a settlement with so large a body is. Other work stays what it is."""
    return Work.LARGE_BODY if work is Work.SETTLEMENT and body_bytes > LARGE_BODY_BYTES else work


class Route(APIRoute):
    """A route of the API. See the module's docstring.

    Only ``documented`` knows the answers and what the parameters look like. To work them out takes much longer than
    all else that a route needs, and a server starts without them.

    Attributes:
        work: the kind of work that it does in its thread, with a body of an ordinary size.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - FastAPI's own
        hints = get_type_hints(endpoint, include_extras=True)
        self._descriptions: list[Description] = []
        parameters = []
        for parameter in inspect.signature(endpoint).parameters.values():
            annotation, description = _dependency(hints[parameter.name])
            parameters.append(parameter.replace(annotation=annotation))
            if description is not None:
                self._descriptions.append(description)
        returned = hints.get("return")
        if returned is NoContent:
            options |= {"status_code": 204, "response_class": Response}
        options["generate_unique_id_function"] = operation_id
        purpose = _purpose(options["methods"])
        self.work: Work = work_of(endpoint) or (Work.ORDINARY if purpose is Purpose.READING else Work.WRITING)
        self._answered = _answered_model(returned)
        self._options = options
        unanswered = options | {"response_model": None, "responses": None}
        super().__init__(path, _in_thread(endpoint, parameters, self.work, purpose, returned), **unanswered)

    def documented(self) -> APIRoute:
        """Returns this route with all that /openapi.json says of it."""
        options = dict(self._options)
        if options.get("openapi_extra") is None:
            options["openapi_extra"] = {
                name: value for describe in self._descriptions for name, value in describe().items()
            }
        if self._answered is not None:
            options["response_model"] = self._answered
        return APIRoute(self.path, self.endpoint, **options)


def operation_id(route: APIRoute) -> str:
    """Returns the name of an operation in /openapi.json."""
    return to_camel(route.name)


def documented(routes: Iterable[BaseRoute]) -> list[APIRoute]:
    """Returns the routes of the API among these, with all that /openapi.json says of them."""
    found = (route for route in routes if isinstance(route, APIRoute))
    return [route.documented() if isinstance(route, Route) else route for route in found]


def _dependency(annotation: Any) -> tuple[Any, Description | None]:  # noqa: ANN401 - any annotation
    """Returns the parameter as FastAPI needs it, and what describes it."""
    if get_origin(annotation) is not Annotated:
        return annotation, None
    wanted, marker = get_args(annotation)[:2]
    if marker is _FILTERS:
        return Annotated[wanted, Depends(_filter_reader(wanted))], partial(takes_filters, wanted)
    if marker is _QUERY:
        return Annotated[wanted, Depends(_query_reader(wanted))], partial(takes_filters, wanted)
    if marker is _JSON_BODY or marker is _OPTIONAL_JSON_BODY:
        (model,) = get_args(wanted)
        optional = marker is _OPTIONAL_JSON_BODY
        reader = _body_reader(model, optional=optional)
        return Annotated[wanted, Depends(reader)], partial(takes_body, model, required=not optional)
    return annotation, None


def _body_reader(model: type[M], *, optional: bool) -> Callable[[Request], Awaitable[Body[M]]]:
    async def read(request: Request) -> Body[M]:
        limits = runtime_of(request).limits
        limit = limits_of_body(request.method, request.url.path, limits)
        raw = await read_bytes(request, limit.size, limits.body_seconds)
        if not raw and optional:
            raw = b"{}"
        return await _parsed(raw, partial(parse_body, raw, model, limit))

    return read


def _filter_reader(model: type[F]) -> Callable[[Request], Awaitable[F]]:
    async def read(request: Request) -> F:
        limits = runtime_of(request).limits
        query = query_filters(request.query_params)
        raw = await read_bytes(request, limits.other_body.size, limits.body_seconds)
        wanted = await _parsed(raw, partial(parse_filters, query, raw, model, limits))
        if isinstance(wanted, CursorPage):
            wanted.note(request.url.path, request.query_params, ", ".join(request.headers.getlist("accept")))
            if wanted.export is not None:
                require_exportable(request)
        return wanted

    return read


def _query_reader(model: type[M]) -> Callable[[Request], M]:
    def read(request: Request) -> M:
        return validate(query_filters(request.query_params), model)

    return read


async def _parsed(raw: bytes, parse: Callable[[], T]) -> T:
    """Parses a small body at once and a larger one in a thread."""
    if len(raw) <= _SMALL_BODY_BYTES:
        return parse()
    return await in_thread(Work.LARGE_BODY if len(raw) > LARGE_BODY_BYTES else Work.ORDINARY, parse)


def _answered_model(returned: Any) -> type[BaseModel] | None:  # noqa: ANN401 - any annotation
    wanted = get_args(returned)[0] if get_origin(returned) is Answer else returned
    return wanted if isinstance(wanted, type) and issubclass(wanted, BaseModel) else None


def _purpose(methods: Collection[str] | None) -> Purpose:
    return Purpose.READING if set(methods or ("GET",)) <= READING_METHODS else Purpose.WRITING


def _in_thread(
    endpoint: Callable[..., Any],
    parameters: list[inspect.Parameter],
    work: Work,
    purpose: Purpose,
    returned: object,
) -> Callable[..., Any]:
    answered = _answered_model(returned)

    async def run(**values: object) -> Response:
        request = cast("Request", values.pop(_REQUEST))
        wanted = [name for name, value in values.items() if isinstance(value, CursorPage) and value.export]
        # Until here, the request has only read: its guard looked for the token.
        with working_for(working().holder, purpose):
            if wanted and answered is not None:
                return await _exported(request, work, endpoint, values, wanted[0], answered)
            size = max((value.size for value in values.values() if isinstance(value, Body)), default=0)
            return _response(await in_thread(work_with(work, size), partial(endpoint, **values)))

    run.__name__, run.__doc__, run.__module__ = endpoint.__name__, endpoint.__doc__, endpoint.__module__
    # FastAPI reads the parameters from here.
    run.__signature__ = inspect.Signature([*parameters, _REQUEST_PARAMETER])  # type: ignore[attr-defined]
    return run


async def _exported(
    request: Request,
    work: Work,
    endpoint: Callable[..., Any],
    values: Mapping[str, Any],
    listed: str,
    answered: type[BaseModel],
) -> Response:
    """Returns the answer with the whole list, which the route reads page by page."""
    wanted: CursorPage = values[listed]
    size = runtime_of(request).limits.page_size
    if wanted.export is None:
        raise LookupError("the filters ask for a page, not for an export")
    writer = Writer(answered, wanted.export, byte_order_mark=bool(wanted.bom))

    def page(after: Position | None) -> Part:
        if after is not None:
            guard_of(request)()
        answer = endpoint(**{**values, listed: wanted.of_export(after, size)})
        return Part(writer.rows(answer.body), answer.after)

    async def read(after: Position | None) -> Part:
        return await in_thread(work, partial(page, after))

    return await exported(request, read, writer)


def _response(answer: object) -> Response:
    if isinstance(answer, NoContent):
        return Response(status_code=204)
    if isinstance(answer, BaseModel):
        return json_response(answer)
    if not isinstance(answer, Answer):
        raise TypeError(f"a route returns a model or an Answer, not {type(answer).__name__}")
    if isinstance(answer.body, str):
        return Response(answer.body, answer.status, dict(answer.headers), "application/json")
    return json_response(answer.body, answer.status, dict(answer.headers))


def json_response(model: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Returns the model as JSON, without the fields that were never set."""
    return Response(
        model.model_dump_json(by_alias=True, exclude_unset=True),
        status_code=status,
        media_type="application/json",
        headers=headers,
    )
