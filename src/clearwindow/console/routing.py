"""From a request to a page: the session, the form and its token, a thread of the right kind, and errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

import psycopg
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from clearwindow.api.capacity import in_thread
from clearwindow.api.exports import Part, Writer, exported, require_exportable
from clearwindow.api.problems import answer_to
from clearwindow.api.request import address_of, note_caller, request_id_of, runtime_of, visit_of
from clearwindow.api.routing import Answer
from clearwindow.api.tables import TableFormat
from clearwindow.console import error_pages, navigation, pages, rules, sessions, sides, texts
from clearwindow.console.forms import SMALL_BYTES, read_form
from clearwindow.console.models import Door, Visitor
from clearwindow.console.operations import Desk, Download
from clearwindow.core.errors import NotAuthenticatedError, RequestError
from clearwindow.core.work import Purpose, Work, working, working_for
from clearwindow.custody.operator_routes import list_currencies
from clearwindow.custody.schemas import CurrenciesAnswer, CurrencyView
from clearwindow.identity.guards import note_token
from clearwindow.identity.models import Operator
from clearwindow.identity.second_factor import service as second_factors
from clearwindow.identity.second_factor.models import FactorStatus
from clearwindow.network.routes import list_client_connections
from clearwindow.postgres.paging import Position
from clearwindow.runtime import Runtime

FORM_TOKEN: Final = "form"  # noqa: S105 - the name of a field
CODE: Final = "code"
LIVE_HEADER: Final = "Clearwindow-Live"
ACCEPTED: Final = 202


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a visitor, as a page sees it.

    Attributes:
        form: what was sent. Empty for a page that is only read.
        files: the content of the files that were sent, by the names of their fields.
        problem: why the act of this form was refused; the page shows it.
    """

    request: Request
    runtime: Runtime
    visitor: Visitor
    desk: Desk
    form: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    problem: RequestError | None = None

    @property
    def path_ids(self) -> Mapping[str, Any]:
        return self.request.path_params

    def filters(self, *names: str) -> dict[str, object]:
        """Returns the filters of these names that the page's query has. Empty fields of a form do not count."""
        query = self.request.query_params
        return {name: query[name] for name in (*names, "cursor", "pageSize") if query.get(name)}

    def given(self, *names: str) -> dict[str, str]:
        """Returns the fields of these names that the form has with text."""
        return {name: self.form[name] for name in names if self.form.get(name, "").strip()}

    def outcome(self, answer: object, done: str) -> str:
        """Returns what a page says after an act that others may have to approve first."""
        proposed = isinstance(answer, Answer) and answer.status == ACCEPTED
        return "proposed" if proposed else done

    def needs_code(self) -> bool:
        """Returns whether approvals of this operator need a code of a second factor."""
        operator = self.visitor.operator
        if operator is None:
            return False
        state = second_factors.state(self.runtime, operator)
        return state.required or state.status is FactorStatus.CONFIRMED

    def now(self) -> datetime:
        """Returns the network's time."""
        return self.runtime.database.look_up(lambda tx: tx.now())

    def show(self, template: str, **values: object) -> Response:
        """Returns the page, with what every page has."""
        status = self.problem.status if self.problem else 200
        return pages.page(template, {**self._common(), **values}, status)

    def go_to(self, path: str, done: str | None = None) -> Response:
        """Sends the browser to a page after an act, with what it says there."""
        return RedirectResponse(f"{path}?{urlencode({'done': done})}" if done else path, 303)

    def currencies(self) -> list[CurrencyView]:
        """Returns the network's currencies."""
        found = list_currencies(self.runtime).body
        return found.currencies if isinstance(found, CurrenciesAnswer) else []

    def decimals(self) -> dict[str, int]:
        """Returns the decimals of each currency."""
        return {each.name: each.decimals for each in self.currencies()}

    def amounts(self) -> texts.Amounts:
        """Returns what writes amounts."""
        return texts.amounts_of((each.name, each.backing, each.decimals) for each in self.currencies())

    def sides(self) -> sides.Sides:
        """Returns which sides of the network the visitor's enterprise is on."""
        return sides.of(self.runtime, self.visitor)

    def _links(self) -> tuple[navigation.Link, ...]:
        own = self.sides()
        settles = own.partner is not None
        if not settles or own.client is None:
            return navigation.navigation_of(self.visitor.actor, trades=own.client is not None, settles=settles)
        # Every exchange is a client, too. Few of them trade.
        found = self.desk.listed(list_client_connections, {"pageSize": "1"}, "v1ClientConnectionsGetRoute")
        return navigation.navigation_of(self.visitor.actor, trades=bool(found.total), settles=settles)

    def _common(self) -> dict[str, object]:
        actor, now = self.visitor.actor, self.now()
        return {
            "amount": self.amounts(),
            "code_needed": False,
            "countdown": partial(texts.countdown, now=now),
            "done": self.request.query_params.get("done", ""),
            "form": self.form,
            "form_token": rules.form_token(self.visitor.value),
            "may": self.desk.may,
            "messages": navigation.MESSAGES,
            "navigation": self._links(),
            "now": now,
            "of_operator": isinstance(actor, Operator),
            "path": self.request.url.path,
            "problem": error_pages.shown(self.problem) if self.problem else None,
            "query": dict(self.request.query_params),
            "role": str(actor.role),
            "visitor": self.visitor,
        }


Shown = Callable[[Visit], Response]
Downloaded = Callable[[Visit], Download]


@dataclass(frozen=True, slots=True)
class _Doing:
    """What shows a form again, and what reading and doing it needs."""

    page: Shown
    work: Work
    limit_bytes: int


class Pages:
    """The pages and acts of one part of the console, as routes."""

    def __init__(self, *, for_operators: bool | None = None) -> None:
        """Makes none yet. ``for_operators``: True is for operators alone, False for members, None for both."""
        self.router = APIRouter(include_in_schema=False)
        self._for_operators = for_operators

    def shows(self, path: str) -> Callable[[Shown], Shown]:
        """Decorates a function that makes a page."""

        def add(show: Shown) -> Shown:
            async def handle(request: Request) -> Response:
                return await self._shown(request, show)

            self.router.add_route(rules.PREFIX + path, handle, methods=["GET"], name=show.__name__)
            return show

        return add

    def does(
        self, path: str, page: Shown, *, work: Work = Work.WRITING, limit_bytes: int = SMALL_BYTES
    ) -> Callable[[Shown], Shown]:
        """Decorates a function that does what a form asks for. If it is refused, ``page`` says why.

        Args:
            path: where the form is sent.
            page: what shows the form again.
            work: the kind of work, as that of the operation.
            limit_bytes: how large the form may be.
        """
        how = _Doing(page, work, limit_bytes)

        def add(do: Shown) -> Shown:
            async def handle(request: Request) -> Response:
                return await self._done(request, do, how)

            self.router.add_route(rules.PREFIX + path, handle, methods=["POST"], name=do.__name__)
            return do

        return add

    def downloads(self, path: str, answered: type[BaseModel]) -> Callable[[Downloaded], Downloaded]:
        """Decorates a function that says which list, with answers of this model, is downloaded as CSV."""

        def add(download: Downloaded) -> Downloaded:
            async def handle(request: Request) -> Response:
                return await self._downloaded(request, download, answered)

            self.router.add_route(rules.PREFIX + path, handle, methods=["GET"], name=download.__name__)
            return download

        return add

    async def _downloaded(self, request: Request, download: Downloaded, answered_with: type[BaseModel]) -> Response:
        async def run() -> Response:
            require_exportable(request)
            visit = await self._visit(request)
            writer = Writer(answered_with, TableFormat.CSV, byte_order_mark=True)

            def page(after: Position | None) -> Part:
                self._require_kind(visit)
                # Before each page: the session, or its token, may have ended meanwhile.
                desk = visit.desk if after is None else replace(visit.desk, visitor=visitor_of(request))
                answer = desk.exported(download(visit), after)
                if isinstance(answer.body, str):
                    raise TypeError("a list answers with a model")
                return Part(writer.rows(answer.body), answer.after)

            async def read(after: Position | None) -> Part:
                return await in_thread(Work.ORDINARY, partial(page, after))

            return await exported(request, read, writer)

        return await answered(request, run)

    async def _shown(self, request: Request, show: Shown) -> Response:
        async def run() -> Response:
            visit = await self._visit(request)
            return await in_thread(Work.ORDINARY, partial(self._seen, visit, show))

        return await answered(request, run)

    def _seen(self, visit: Visit, show: Shown) -> Response:
        self._require_kind(visit)
        if LIVE_HEADER not in visit.request.headers:
            sessions.note_seen(visit.runtime, visit.visitor.session)
        return show(visit)

    async def _done(self, request: Request, do: Shown, how: _Doing) -> Response:
        async def run() -> Response:
            require_own_page(request)
            visit = await self._visit(request)
            form = await read_form(request, how.limit_bytes)
            rules.require_form_token(form.fields.get(FORM_TOKEN, ""), visit.visitor.value)
            desk = replace(visit.desk, method="POST", code=form.fields.get(CODE) or None)
            acting = replace(visit, form=form.fields, files=form.files, desk=desk)
            with working_for(working().holder, Purpose.WRITING):
                return await in_thread(how.work, partial(self._act, acting, do, how.page))

        return await answered(request, run)

    def _act(self, visit: Visit, do: Shown, page: Shown) -> Response:
        self._require_kind(visit)
        sessions.note_seen(visit.runtime, visit.visitor.session)
        try:
            return do(visit)
        except RequestError as error:
            # Among them are signatures that are not valid. They say nothing about the session.
            return page(replace(visit, problem=error, desk=replace(visit.desk, method="GET", code=None)))

    async def _visit(self, request: Request) -> Visit:
        visitor = await in_thread(Work.ORDINARY, partial(visitor_of, request))
        runtime = runtime_of(request)
        desk = Desk(runtime, visitor, request.url.path, request.query_params)
        if visitor.session.waits_for_code:
            raise CodeNeededError
        return Visit(request, runtime, visitor, desk)

    def _require_kind(self, visit: Visit) -> None:
        is_operator = visit.visitor.operator is not None
        if self._for_operators is not None and self._for_operators is not is_operator:
            name = "not_an_operator" if self._for_operators else "not_a_member"
            raise NotHereError(name, "this page is for others: its address is none of yours")


class CodeNeededError(Exception):
    """The session waits for a code of its operator's second factor."""


class NotHereError(RequestError):
    """The page is for operators and its visitor is a member, or the other way round."""

    status = 403


def visitor_of(request: Request) -> Visitor:
    """Returns who has the session of the request's cookie.

    Raises:
        NotAuthenticatedError: there is none in force.
    """
    value = request.cookies.get(rules.cookie_name(request.url.scheme))
    try:
        visitor = sessions.find(runtime_of(request), value, door_of(request))
    except NotAuthenticatedError:
        counted = visit_of(request)
        if counted is not None:
            counted.forget()
        raise
    note_visitor(request, visitor)
    return visitor


def door_of(request: Request) -> Door:
    """Returns by which way a request came."""
    said = request.headers.get(rules.MEMBERS_ONLY_HEADER)
    return Door(address_of(request), request_id_of(request), said)


def note_visitor(request: Request, visitor: Visitor) -> None:
    """Tells the log who it is, as the guards of the API do."""
    if visitor.token is not None:
        note_token(request, visitor.token)
    operator = visitor.operator
    note_caller(
        request.scope,
        operator_id=None if operator is None else str(operator.operator_id),
        role=str(visitor.actor.role),
    )


def require_own_page(request: Request) -> None:
    headers = request.headers
    rules.require_own_page(headers.get("sec-fetch-site"), headers.get("origin"), headers.get("host"))


def link_address(request: Request, value: str) -> str:
    """Returns the address of a link that signs in once, on the server as the caller knows it."""
    return f"{str(request.base_url).rstrip('/')}{rules.PREFIX}/link?{urlencode({'value': value})}"


async def answered(request: Request, run: Callable[[], Awaitable[Response]]) -> Response:
    """Returns the page, or the one that says what was wrong. Without a session it is the one to sign in."""
    try:
        return await run()
    except CodeNeededError:
        return RedirectResponse(f"{rules.SIGN_IN}/code", 303)
    except NotAuthenticatedError as error:
        if LIVE_HEADER in request.headers:
            return error_pages.page_of(await answer_to(request, error))
        return _to_sign_in(request, error)
    except (RequestError, psycopg.Error) as error:
        return error_pages.page_of(await answer_to(request, error))
    except Exception as error:  # noqa: BLE001 - the answer of the API's own handler, which logs it, as a page
        return error_pages.page_of(await answer_to(request, error))


def _to_sign_in(request: Request, error: NotAuthenticatedError) -> Response:
    had_one = rules.cookie_name(request.url.scheme) in request.cookies
    wanted: dict[str, str] = {"why": error.name} if had_one else {}
    if request.method == "GET" and request.url.path != rules.PREFIX:
        wanted["next"] = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    elif request.method == "POST":
        wanted["why"] = "not_sent"
    return RedirectResponse(f"{rules.SIGN_IN}?{urlencode(wanted)}" if wanted else rules.SIGN_IN, 303)
