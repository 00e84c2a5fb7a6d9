"""The way in and out: signing in with a token and perhaps a code, and signing out. And the console's own files."""

from __future__ import annotations

from functools import partial
from typing import Final

import psycopg
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.security.utils import get_authorization_scheme_param

from clearwindow.api.capacity import in_thread
from clearwindow.api.problems import answer_to
from clearwindow.api.request import runtime_of
from clearwindow.console import assets, error_pages, links, pages, rules, sessions
from clearwindow.console.forms import read_form
from clearwindow.console.models import Visitor
from clearwindow.console.routing import FORM_TOKEN, answered, door_of, link_address, require_own_page, visitor_of
from clearwindow.core.errors import NotAuthenticatedError, NotFoundError, RequestError
from clearwindow.core.work import Purpose, Work, working, working_for

router: Final = APIRouter(include_in_schema=False)

_WHY: Final = {
    "session_over": "Your session has ended. Sign in again.",
    "token_invalid": "Your token has expired or was revoked. Sign in with another one.",
    "token_address_refused": "Your token may not be used from the address that you have now.",
    "not_sent": "Your session has ended, and the form was not sent. Sign in, and send it again.",
    "signed_out": "You are signed out.",
}
_ALL_METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@router.get(rules.SIGN_IN)
async def sign_in_page(request: Request) -> Response:
    return _sign_in_page(request.query_params.get("next"), _WHY.get(request.query_params.get("why", "")))


@router.post(rules.SIGN_IN)
async def sign_in(request: Request) -> Response:
    async def run() -> Response:
        require_own_page(request)
        form = (await read_form(request)).fields
        begin = partial(sessions.sign_in, runtime_of(request), form.get("token", ""), door_of(request))
        try:
            with working_for(working().holder, Purpose.WRITING):
                visitor, waits = await in_thread(Work.WRITING, begin)
        except RequestError as error:
            return _sign_in_page(form.get("next"), None, error)
        wanted = rules.own_path(form.get("next"))
        to = f"{rules.SIGN_IN}/code" if waits else wanted
        answer = RedirectResponse(to, 303)
        _give_cookie(request, answer, visitor.value)
        return answer

    return await answered(request, run)


@router.get(f"{rules.SIGN_IN}/code")
async def code_page(request: Request) -> Response:
    async def run() -> Response:
        visitor = await in_thread(Work.ORDINARY, partial(visitor_of, request))
        return _code_page(visitor) if visitor.session.waits_for_code else RedirectResponse(rules.PREFIX, 303)

    return await answered(request, run)


@router.post(f"{rules.SIGN_IN}/code")
async def give_code(request: Request) -> Response:
    async def run() -> Response:
        require_own_page(request)
        visitor = await in_thread(Work.ORDINARY, partial(visitor_of, request))
        form = (await read_form(request)).fields
        rules.require_form_token(form.get(FORM_TOKEN, ""), visitor.value)
        check = partial(sessions.give_code, runtime_of(request), visitor, form.get("code", ""))
        try:
            with working_for(working().holder, Purpose.WRITING):
                await in_thread(Work.WRITING, check)
        except RequestError as error:
            return _code_page(visitor, error)
        return RedirectResponse(rules.PREFIX, 303)

    return await answered(request, run)


@router.post(f"{rules.PREFIX}/links")
async def make_link(request: Request) -> Response:
    """Answers a token in the header Authorization with the address of a link, as text: for a command line."""
    scheme, token = get_authorization_scheme_param(request.headers.get("authorization"))
    make = partial(links.make_with_token, runtime_of(request), token, door_of(request))
    try:
        if scheme.lower() != "bearer":
            raise NotAuthenticatedError("token_missing", "send the header Authorization: Bearer <token>")
        with working_for(working().holder, Purpose.WRITING):
            value = await in_thread(Work.WRITING, make)
    except (RequestError, psycopg.Error) as error:
        return await answer_to(request, error)
    return Response(f"{link_address(request, value)}\n", media_type="text/plain")


@router.get(f"{rules.PREFIX}/link")
async def link_page(request: Request) -> Response:
    # Opening it uses nothing up: programs that look at addresses in messages open them, too.
    return pages.page("link.html", {"value": request.query_params.get("value", ""), "problem": None})


@router.post(f"{rules.PREFIX}/link")
async def use_link(request: Request) -> Response:
    async def run() -> Response:
        require_own_page(request)
        form = (await read_form(request)).fields
        use = partial(links.use, runtime_of(request), form.get("value", ""), door_of(request))
        try:
            with working_for(working().holder, Purpose.WRITING):
                visitor, waits = await in_thread(Work.WRITING, use)
        except RequestError as error:
            return pages.page("link.html", {"value": "", "problem": error_pages.shown(error)}, error.status)
        answer = RedirectResponse(f"{rules.SIGN_IN}/code" if waits else rules.PREFIX, 303)
        _give_cookie(request, answer, visitor.value)
        return answer

    return await answered(request, run)


@router.post(f"{rules.PREFIX}/sign-out")
async def sign_out(request: Request) -> Response:
    async def run() -> Response:
        require_own_page(request)
        visitor = await in_thread(Work.ORDINARY, partial(visitor_of, request))
        form = (await read_form(request)).fields
        rules.require_form_token(form.get(FORM_TOKEN, ""), visitor.value)
        with working_for(working().holder, Purpose.WRITING):
            await in_thread(Work.WRITING, partial(sessions.sign_out, runtime_of(request), visitor))
        answer = RedirectResponse(f"{rules.SIGN_IN}?why=signed_out", 303)
        _take_cookie(request, answer)
        return answer

    return await answered(request, run)


@router.get(f"{assets.ASSETS_PATH}/{{name}}")
async def asset(request: Request, name: str) -> Response:
    found = assets.asset_at(f"{assets.ASSETS_PATH}/{name}")
    if found is None:
        return await nothing_here(request)
    return Response(found.content, 200, {**pages.HEADERS, **assets.CACHE_HEADERS}, found.media_type)


async def nothing_here(request: Request) -> Response:
    # An address that is no page's may hold anything: it is not repeated in the log.
    request.scope.pop("route", None)

    async def run() -> Response:
        raise NotFoundError("no_such_path", "there is no such page")

    return await answered(request, run)


def add_rest(last: APIRouter) -> None:
    """Adds the page that says that there is none, for every other address of the console. It must come last."""
    last.add_api_route(f"{rules.PREFIX}/{{rest:path}}", nothing_here, methods=_ALL_METHODS, include_in_schema=False)


def _sign_in_page(wanted: str | None, why: str | None, error: RequestError | None = None) -> Response:
    values = {
        "next": rules.own_path(wanted),
        "why": why,
        "problem": error_pages.shown(error) if error else None,
    }
    return pages.page("sign_in.html", values, error.status if error else 200)


def _code_page(visitor: Visitor, error: RequestError | None = None) -> Response:
    values = {
        "visitor": visitor,
        "form_token": rules.form_token(visitor.value),
        "problem": error_pages.shown(error) if error else None,
    }
    return pages.page("code.html", values, error.status if error else 200)


def _give_cookie(request: Request, answer: Response, value: str) -> None:
    scheme = request.url.scheme
    answer.set_cookie(
        rules.cookie_name(scheme), value, path="/", secure=scheme == "https", httponly=True, samesite="strict"
    )


def _take_cookie(request: Request, answer: Response) -> None:
    scheme = request.url.scheme
    answer.delete_cookie(
        rules.cookie_name(scheme), path="/", secure=scheme == "https", httponly=True, samesite="strict"
    )
