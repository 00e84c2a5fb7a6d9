"""``clearwindow watch`` and ``clearwindow webhooks``: the events of your enterprise, as they come."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from clearwindow.cli.people.harmless import harmless
from clearwindow.cli.people.moments import moment_text, parse_moment
from clearwindow.cli.people.output import Column, coloured
from clearwindow.cli.people.problems import usage
from clearwindow.cli.people.session import Session, for_members

if TYPE_CHECKING:
    from clearwindow.client.answers.webhooks import MemberEvent

webhooks_app: Final = typer.Typer(
    help="List webhook endpoints, send a test, and forward events to this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)

_OVERLAP: Final = timedelta(minutes=2)
"""Events of one moment may become visible one after the other: the last minutes are always read again."""
_MOST_SEEN: Final = 100_000
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_POST_SECONDS: Final = 10
_ATTEMPTS: Final = 3
_SHOWN_FIELDS: Final = ("externalId", "status", "connectionId", "amount", "disputeDeadlineAt", "reason")
_COLOURS: Final = {
    "failed": "red",
    "rejected": "red",
    "dispute": "yellow",
    "top_up": "yellow",
    "completed": "green",
}

Types = Annotated[list[str] | None, typer.Option("--type", help="Only events of this type; repeatable.")]
Every = Annotated[float, typer.Option("--every-seconds", min=0.2, max=3600, help="How often to ask.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Begin with the events since then. (default: now)")]
Count = Annotated[int, typer.Option(min=0, metavar="N", help="End after this many; 0 goes on until Ctrl-C.")]


@for_members
def watch(
    session: Session, *, types: Types = None, since: Since = None, count: Count = 0, every_seconds: Every = 2
) -> None:
    """Show the events of your enterprise as they come, until Ctrl-C. With --json one object on each line."""
    for event in _taken(events(session, types, since, every_seconds), count):
        session.output.event(event, _line(event))


@webhooks_app.command("list")
@for_members
def list_endpoints(session: Session) -> None:
    """List your webhook endpoints."""
    session.output.table(
        "webhookEndpoints",
        session.client.webhook_endpoints.list(),
        [
            Column("id", lambda each: each.id),
            Column("url", lambda each: each.url),
            Column("enabled", lambda each: each.enabled),
            Column("failures", lambda each: each.failures, right=True),
            Column("types", lambda each: "all" if each.event_types is None else ", ".join(each.event_types)),
        ],
    )


@webhooks_app.command("trigger")
@for_members
def trigger(
    session: Session, endpoint: Annotated[str, typer.Argument(metavar="ENDPOINT", help="The id of the endpoint.")]
) -> None:
    """Send a test event (webhook_endpoint.test) to an endpoint of yours."""
    event_id = session.client.webhook_endpoints.send_test(endpoint)
    session.output.record({"eventId": event_id}, {"event": event_id, "sent to": endpoint})


@webhooks_app.command("listen")
@for_members
def listen(
    session: Session,
    *,
    forward_to: Annotated[str, typer.Option(metavar="URL", help="An address on this machine.")],
    types: Types = None,
    since: Since = None,
    count: Count = 0,
    every_seconds: Every = 2,
) -> None:
    """Forward the events of your enterprise to an address on this machine, as a webhook would, until Ctrl-C.

    The network never calls this machine: the command asks for new events. What it sends has no signature, because
    only real endpoints have a secret. Your token is never forwarded.
    """
    import httpx2  # noqa: PLC0415 - the SDK takes a while to import

    _require_this_machine(forward_to)
    # Without the environment: a proxy must not see the events.
    with httpx2.Client(timeout=_POST_SECONDS, trust_env=False, follow_redirects=False) as http:
        for event in _taken(events(session, types, since, every_seconds), count):
            status = _forwarded(http.post, forward_to, event)
            session.output.event(
                {"id": event.id, "type": event.type, "answer": status}, f"{event.type} {event.id}: {status}"
            )


def events(
    session: Session, types: list[str] | None, since: str | None, every_seconds: float
) -> Iterator[MemberEvent]:
    """Yields new events, oldest first, each once."""
    filters: dict[str, Any] = {"types": types} if types else {}
    from_at = None if since is None else parse_moment(since)
    seen: dict[str, None] = {}
    if from_at is None:
        # The network's clock, not ours: what is there now was before.
        page = session.client.events(**filters, page_size=100).page()
        seen = dict.fromkeys(each.id for each in page.items)
        from_at = page.items[0].created_at if page.items else datetime(1970, 1, 1, tzinfo=UTC)
        session.output.note("Waiting for events. Ctrl-C ends it.")
    while True:
        found = [
            each for each in session.client.events(**filters, created_on_or_after=from_at) if each.id not in seen
        ]
        for event in reversed(found):
            seen[event.id] = None
            yield event
        if found:
            from_at = max(from_at, max(each.created_at for each in found) - _OVERLAP)
        while len(seen) > _MOST_SEEN:
            del seen[next(iter(seen))]
        time.sleep(every_seconds)


def _taken(found: Iterator[MemberEvent], count: int) -> Iterator[MemberEvent]:
    for number, event in enumerate(found, start=1):
        yield event
        if number == count:
            return


def _line(event: MemberEvent) -> str:
    colour = next((colour for part, colour in _COLOURS.items() if part in event.type), "cyan")
    named = coloured(harmless(event.type), colour)
    told = [f"{name} {_shown(event.data[name])}" for name in _SHOWN_FIELDS if event.data.get(name) is not None]
    return f"{moment_text(event.created_at)}  {named}  {', '.join(told)}"


def _shown(value: object) -> str:
    return harmless(json.dumps(value, default=str) if isinstance(value, dict | list) else value)


def _forwarded(post: Callable[..., Any], url: str, event: MemberEvent) -> str:
    from httpx2 import RequestError  # noqa: PLC0415 - as above

    moment = event.created_at.astimezone(UTC)
    body = json.dumps(
        {
            "type": event.type,
            "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "data": event.data,
        },
        default=str,
    )
    headers = {
        "Content-Type": "application/json",
        "webhook-id": event.id,
        "webhook-timestamp": str(int(moment.timestamp())),
    }
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return str(post(url, content=body.encode(), headers=headers).status_code)
        except RequestError as error:
            if attempt == _ATTEMPTS:
                return f"no answer ({type(error).__name__})"
            time.sleep(attempt / 2)
    raise AssertionError("the last attempt returns")


def _require_this_machine(url: str) -> None:
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise usage(f"{url!r} is no address.") from None
    if parts.scheme != "http" or host not in _LOOPBACK:
        raise usage("--forward-to must be an http address on this machine, such as http://127.0.0.1:3000/hook.")
