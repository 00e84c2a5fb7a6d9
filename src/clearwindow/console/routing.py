"""From a request to a page: the session, the form and its token, a thread of the right kind, and errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import psycopg
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from clearwindow.api.bodies import read_bytes
from clearwindow.api.capacity import in_thread
from clearwindow.api.problems import answer_to
from clearwindow.api.request import address_of, note_caller, request_id_of, runtime_of, visit_of
from clearwindow.api.routing import Answer
from clearwindow.console import error_pages, navigation, pages, rules, sessions, texts
from clearwindow.console.models import Visitor
from clearwindow.console.operations import Desk
from clearwindow.core.errors import InvalidRequestError, NotAuthenticatedError, RequestError, UnsupportedMediaError
from clearwindow.core.work import Purpose, Work, working, working_for
from clearwindow.custody.operator_routes import list_currencies
from clearwindow.custody.schemas import CurrenciesAnswer
from clearwindow.identity.guards import note_token
from clearwindow.identity.models import Operator
from clearwindow.identity.second_factor import service as second_factors
from clearwindow.identity.second_factor.models import FactorStatus
from clearwindow.runtime import Runtime

FORM_TOKEN: Final = "form"  # noqa: S105 - the name of a field
CODE: Final = "code"
LIVE_HEADER: Final = "Clearwindow-Live"
_FORM_TYPE: Final = "application/x-www-form-urlencoded"
_FORM_BYTES: Final = 64 * 1024
_FORM_FIELDS: Final = 200
ACCEPTED: Final = 202

Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a visitor, as a page sees it.

    Attributes:
        form: what was sent. Empty for a page that is only read.
        problem: why the act of this form was refused; the page shows it.
    """

    request: Request
    runtime: Runtime
    visitor: Visitor
    desk: Desk
    form: Form = field(default_factory=dict)
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

    def _common(self) -> dict[str, object]:
        actor, now = self.visitor.actor, self.now()
        found = list_currencies(self.runtime).body
        listed = found.currencies if isinstance(found, CurrenciesAnswer) else []
        return {
            "amount": texts.amounts_of((each.name, each.backing, each.decimals) for each in listed),
            "code_needed": False,
            "countdown": partial(texts.countdown, now=now),
            "done": self.request.query_params.get("done", ""),
            "form": self.form,
            "form_token": rules.form_token(self.visitor.value),
            "may": self.desk.may,
            "messages": navigation.MESSAGES,
            "navigation": navigation.navigation_of(actor),
            "now": now,
            "of_operator": isinstance(actor, Operator),
            "path": self.request.url.path,
            "problem": error_pages.shown(self.problem) if self.problem else None,
            "query": dict(self.request.query_params),
            "role": str(actor.role),
            "visitor": self.visitor,
        }


Shown = Callable[[Visit], Response]


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

            self.router.add_api_route(rules.PREFIX + path, handle, methods=["GET"], name=show.__name__)
            return show

        return add

    def does(self, path: str, page: Shown) -> Callable[[Shown], Shown]:
        """Decorates a function that does what a form asks for. If it is refused, ``page`` says why."""

        def add(do: Shown) -> Shown:
            async def handle(request: Request) -> Response:
                return await self._done(request, do, page)

            self.router.add_api_route(rules.PREFIX + path, handle, methods=["POST"], name=do.__name__)
            return do

        return add

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

    async def _done(self, request: Request, do: Shown, page: Shown) -> Response:
        async def run() -> Response:
            require_own_page(request)
            visit = await self._visit(request)
            form = await read_form(request)
            rules.require_form_token(form.get(FORM_TOKEN, ""), visit.visitor.value)
            desk = replace(visit.desk, method="POST", code=form.get(CODE) or None)
            acting = replace(visit, form=form, desk=desk)
            with working_for(working().holder, Purpose.WRITING):
                return await in_thread(Work.WRITING, partial(self._act, acting, do, page))

        return await answered(request, run)

    def _act(self, visit: Visit, do: Shown, page: Shown) -> Response:
        self._require_kind(visit)
        sessions.note_seen(visit.runtime, visit.visitor.session)
        try:
            return do(visit)
        except NotAuthenticatedError:
            raise
        except RequestError as error:
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
        visitor = sessions.find(runtime_of(request), value, address_of(request), request_id_of(request))
    except NotAuthenticatedError:
        counted = visit_of(request)
        if counted is not None:
            counted.forget()
        raise
    note_visitor(request, visitor)
    return visitor


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


async def read_form(request: Request) -> Form:
    """Reads the fields of a form. The last one of a name counts.

    Raises:
        UnsupportedMediaError: the body is no form.
        InvalidRequestError: it has too many fields or is no UTF-8.
        TooLargeError, TooSlowError: it is larger than a form of ours can be, or did not arrive in time.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != _FORM_TYPE:
        raise UnsupportedMediaError("form_unreadable", f"the body must be a form, as {_FORM_TYPE}")
    raw = await read_bytes(request, _FORM_BYTES, runtime_of(request).limits.body_seconds)
    try:
        fields = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FORM_FIELDS
        )
    except ValueError:
        raise InvalidRequestError(
            "form_unreadable", "the form has too many fields, or text that is no UTF-8"
        ) from None
    if any("\0" in value for _, value in fields):
        raise InvalidRequestError("form_unreadable", "the form has a NUL character")
    # Browsers end lines of a text field with a carriage return.
    return {name: value.replace("\r\n", "\n") for name, value in fields}


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
