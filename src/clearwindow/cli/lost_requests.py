"""``clearwindow lost-requests``: what was answered, and is not in the database after a restore.

Everything that changes the database writes an audit record with the request's id, in the same transaction. The
server's log has the id of every request and its status. So what the log has and the audit trail has not is lost.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from clearwindow.cli.failures import FAILED
from clearwindow.cli.options import DatabaseUrlOption, DataOption, JsonOption, require_database
from clearwindow.cli.terminal import echo_json

MARGIN: Final = timedelta(minutes=1)
"""Requests are logged in another order than they are committed: those so long before the end are compared too."""

_WRITING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_SUCCESS: Final = range(200, 300)
_SIGNING: Final = "signing"
"""Helpers that only return a text to sign have paths that end with it."""

LogsArgument = Annotated[list[Path], typer.Argument(metavar="LOG...", help="Logs of servers, as JSON lines.")]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A request that was answered with success and may have changed something."""

    at: datetime
    request_id: str
    method: str
    path: str
    status: int

    def to_json(self) -> dict[str, object]:
        return {
            "at": self.at.isoformat(),
            "requestId": self.request_id,
            "method": self.method,
            "path": self.path,
            "status": self.status,
        }


def lost_requests(
    logs: LogsArgument,
    *,
    data: DataOption = None,
    database_url: DatabaseUrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Name the requests that were answered, and that a restored database does not have. Exit with 1 if any."""
    from clearwindow import bootstrap  # noqa: PLC0415 - the web framework takes a while to import
    from clearwindow.identity import audit  # noqa: PLC0415
    from clearwindow.settings import load_settings  # noqa: PLC0415

    settings = load_settings(data_dir=data, database_url=database_url)
    require_database(settings)
    answered = [one for log in logs for one in _read(log)]
    with (
        bootstrap.opened_database(settings, share_running=True, apply_migrations=False) as opened,
        opened.database.transaction() as tx,
    ):
        known = audit.known_requests(tx, [one.request_id for one in answered])
    lost = lost_of(answered, known)
    if as_json:
        echo_json(json.dumps({"compared": len(answered), "lost": [one.to_json() for one in lost]}))
    else:
        for one in lost:
            typer.echo(f"{one.at:%Y-%m-%d %H:%M:%S}  {one.request_id}  {one.status}  {one.method} {one.path}")
        typer.echo(f"{len(answered)} answered requests are in the logs. {len(lost)} of them are lost.")
    if lost:
        raise typer.Exit(FAILED)


def lost_of(answered: Sequence[Acknowledged], known: Collection[str]) -> list[Acknowledged]:
    """Returns what is lost: the unknown requests from the end of what is known, in the order of their time.

    A request that repeats another one changes nothing and leaves no record. From before that end, it is not lost.
    """
    end = max((one.at for one in answered if one.request_id in known), default=None)
    after = None if end is None else end - MARGIN
    lost = (one for one in answered if one.request_id not in known and (after is None or one.at > after))
    return sorted(lost, key=lambda one: one.at)


def acknowledged_writes(lines: Iterable[str]) -> Iterator[Acknowledged]:
    """Yields the answered writes of a log. Lines of another kind, and what is no JSON, are passed over."""
    for line in lines:
        try:
            said = json.loads(line)
            if said["event"] != "request" or said["method"] not in _WRITING or said["status"] not in _SUCCESS:
                continue
            if said["route"].endswith(_SIGNING):
                continue
            at = datetime.fromisoformat(said["timestamp"])
            yield Acknowledged(at, said["request_id"], said["method"], said["path"], said["status"])
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            continue


def _read(log: Path) -> list[Acknowledged]:
    with log.open(encoding="utf-8", errors="replace") as lines:
        return list(acknowledged_writes(lines))
