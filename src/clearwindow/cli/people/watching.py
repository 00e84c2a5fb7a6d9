"""``clearwindow watch`` and ``clearwindow webhooks``: the events of your enterprise, as they come."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from clearwindow.cli.people.following import patient
from clearwindow.cli.people.forwarding import forwarded, require_this_machine
from clearwindow.cli.people.harmless import harmless
from clearwindow.cli.people.moments import moment_text, parse_moment
from clearwindow.cli.people.output import Column, coloured
from clearwindow.cli.people.problems import refused, usage
from clearwindow.cli.people.session import Session, for_members
from clearwindow.events.models import EventType

if TYPE_CHECKING:
    from clearwindow.client.answers.webhooks import MemberEvent

webhooks_app: Final = typer.Typer(
    help="List webhook endpoints, send an event, and forward events to this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)

_OVERLAP: Final = timedelta(minutes=2)
"""Events of one moment may become visible one after the other: the last minutes are always read again."""
_MOST_SEEN: Final = 100_000
_TEST: Final = EventType.WEBHOOK_ENDPOINT_TEST
_SHOWN_FIELDS: Final = ("externalId", "status", "connectionId", "amount", "disputeDeadlineAt", "reason")
_COLOURS: Final = {
    "failed": "red",
    "rejected": "red",
    "dispute": "yellow",
    "top_up": "yellow",
    "completed": "green",
}


def completed_types(incomplete: str) -> list[str]:
    """Returns the types of events that begin so, for the completion of a shell."""
    return [str(each) for each in EventType if each.startswith(incomplete)]


Types = Annotated[
    list[str] | None,
    typer.Option(
        "--type", metavar="EVENT", help="Only events of this type; repeatable.", autocompletion=completed_types
    ),
]
Every = Annotated[float, typer.Option("--every-seconds", min=0.2, max=3600, help="How often to ask.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Begin with the events since then. (default: now)")]
Count = Annotated[int, typer.Option(min=0, metavar="N", help="End after this many; 0 goes on until Ctrl-C.")]


@for_members
def watch(
    session: Session, *, types: Types = None, since: Since = None, count: Count = 0, every_seconds: Every = 2
) -> None:
    """Show the events of your enterprise as they come, until Ctrl-C. With --json one object on each line."""
    for event in _taken(events(session, types, since, every_seconds), count):
        session.output.event(event, _line(session, event))


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
    session: Session,
    event: Annotated[
        str,
        typer.Argument(
            metavar="[EVENT]",
            help="A type of events, such as settlement.initiated. (default: a test event)",
            autocompletion=completed_types,
        ),
    ] = _TEST.value,
    *,
    endpoint: Annotated[
        str | None, typer.Option(metavar="ID", help="The endpoint that gets it. (default: the only one)")
    ] = None,
    forward_to: Annotated[
        str | None, typer.Option(metavar="URL", help="An address on this machine, instead of an endpoint.")
    ] = None,
) -> None:
    """Send an event to an endpoint of yours, or to an address on this machine, to try out what receives it.

    It is your newest event of this type, again under its own id: nothing is invented. webhook_endpoint.test makes a
    test event. An endpoint gets it signed, an address on this machine without a signature. If an address on this
    machine does not accept it, the command ends with 1.
    """
    if endpoint is not None and forward_to is not None:
        raise usage("Say --endpoint or --forward-to, not both.")
    if forward_to is not None:
        require_this_machine(forward_to)
        found = _newest(session, event)
        session.output.record(
            {"eventId": found.id, "answer": (status := forwarded(forward_to, found))},
            {"event": found.id, "type": found.type, "sent to": forward_to, "answer": status},
        )
        if not status.startswith("2"):
            raise typer.Exit(1)
        return
    where = endpoint or _only_endpoint(session)
    if event == _TEST:
        event_id = session.client.webhook_endpoints.send_test(where)
    else:
        event_id = _newest(session, event).id
        session.client.webhook_endpoints.replay(where, event_id)
    session.output.record({"eventId": event_id}, {"event": event_id, "sent to": where})


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
    require_this_machine(forward_to)
    for event in _taken(events(session, types, since, every_seconds), count):
        status = forwarded(forward_to, event)
        line = harmless(f"{event.type} {event.id}: {status}")
        session.output.event({"id": event.id, "type": event.type, "answer": status}, line)


def events(
    session: Session, types: list[str] | None, since: str | None, every_seconds: float
) -> Iterator[MemberEvent]:
    """Yields new events, oldest first, each once."""
    filters: dict[str, Any] = {"types": types} if types else {}
    from_at = None if since is None else parse_moment(since)
    seen: dict[str, None] = {}
    if from_at is None:
        # The network's clock, not ours: what is there now was before.
        newest = [each.created_at for each in islice(session.client.events(**filters, page_size=1), 1)]
        from_at = newest[0] - _OVERLAP if newest else datetime(1970, 1, 1, tzinfo=UTC)
        seen = dict.fromkeys(each.id for each in session.client.events(**filters, created_on_or_after=from_at))
        session.output.note("Waiting for events. Ctrl-C ends it.")
    read = patient(session)
    while True:
        listed = read(partial(_listed, session, filters, from_at))
        found = [each for each in listed or () if each.id not in seen]
        for event in reversed(found):
            seen[event.id] = None
            yield event
        if found:
            from_at = max(from_at, max(each.created_at for each in found) - _OVERLAP)
        while len(seen) > _MOST_SEEN:
            del seen[next(iter(seen))]
        time.sleep(every_seconds)


def _listed(session: Session, filters: dict[str, Any], from_at: datetime) -> list[MemberEvent]:
    return list(session.client.events(**filters, created_on_or_after=from_at))


def _taken(found: Iterator[MemberEvent], count: int) -> Iterator[MemberEvent]:
    for number, event in enumerate(found, start=1):
        yield event
        if number == count:
            return


def _newest(session: Session, type_: str) -> MemberEvent:
    for found in session.client.events(types=[type_], page_size=1):
        return found
    raise refused(f"There was no event {type_} yet: it must have happened once.")


def _only_endpoint(session: Session) -> str:
    found = [each.id for each in session.client.webhook_endpoints.list()]
    if len(found) != 1:
        raise usage(f"There are {len(found)} endpoints: say which with --endpoint, or --forward-to.")
    return found[0]


def _line(session: Session, event: MemberEvent) -> str:
    colour = next((colour for part, colour in _COLOURS.items() if part in event.type), "cyan")
    named = coloured(harmless(event.type), colour)
    told = [
        f"{name} {_shown(session, event.data[name])}" for name in _SHOWN_FIELDS if event.data.get(name) is not None
    ]
    return f"{moment_text(event.created_at)}  {named}  {', '.join(told)}"


def _shown(session: Session, value: object) -> str:
    if isinstance(value, dict) and {"currency", "quantity"} <= set(value):
        return harmless(session.coins.event_text(str(value["currency"]), str(value["quantity"])))
    return harmless(json.dumps(value, default=str) if isinstance(value, dict | list) else value)
