"""``clearwindow migrate`` and ``clearwindow check``: upgrade the database, and check its ledger."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Final

import psycopg
import typer

from clearwindow.cli.failures import FAILED, CommandError
from clearwindow.cli.options import DatabaseUrlOption, DataOption, JsonOption, require_database
from clearwindow.cli.terminal import echo_json

if TYPE_CHECKING:
    from clearwindow.ledger.check.outcomes import Outcome
    from clearwindow.ledger.check.service import Checked, Finding
    from clearwindow.ledger.check.signatures.models import SignatureReport
    from clearwindow.postgres.pool import Database
    from clearwindow.settings import Settings

_SECONDS_BETWEEN_LINES: Final = 2


def migrate(
    *, data: DataOption = None, database_url: DatabaseUrlOption = None, as_json: JsonOption = False
) -> None:
    """Upgrade the database to this version. `serve` and `worker` also do this when they start."""
    from clearwindow import bootstrap  # noqa: PLC0415 - the web framework takes a while to import
    from clearwindow.core.logs import configure_logging  # noqa: PLC0415
    from clearwindow.settings import load_settings  # noqa: PLC0415

    settings = load_settings(data_dir=data, database_url=database_url)
    # A migration tells the log how far it is.
    configure_logging(settings.log_level)
    with bootstrap.opened_database(settings, share_running=True, as_owner=True) as opened:
        applied = opened.applied_migrations
    if as_json:
        typer.echo(json.dumps({"applied": applied}))
    else:
        typer.echo(f"Applied {', '.join(applied)}." if applied else "The database is up to date.")


SignaturesOption = Annotated[
    bool,
    typer.Option(
        "--signatures",
        help="Also verify every signature again, and that records are what was signed. Needs the secret key.",
    ),
]


def check(
    *,
    data: DataOption = None,
    database_url: DatabaseUrlOption = None,
    signatures: SignaturesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Check the ledger: recompute every balance from the journal. Exit with 1 if anything is wrong."""
    from clearwindow import bootstrap  # noqa: PLC0415 - the web framework takes a while to import
    from clearwindow.ledger.check import service as proof  # noqa: PLC0415
    from clearwindow.ledger.check.invariants import INVARIANTS  # noqa: PLC0415
    from clearwindow.ledger.check.outcomes import CheckKind, Outcome  # noqa: PLC0415
    from clearwindow.ledger.check.signatures.service import SIGNATURE_INVARIANTS  # noqa: PLC0415
    from clearwindow.ledger.schemas import check_answer  # noqa: PLC0415
    from clearwindow.postgres.migrations import pending_on  # noqa: PLC0415
    from clearwindow.settings import load_settings  # noqa: PLC0415

    settings = load_settings(data_dir=data, database_url=database_url)
    require_database(settings)
    with bootstrap.opened_database(settings, share_running=True, apply_migrations=False) as opened:
        with opened.database.transaction() as tx:
            if pending_on(tx.connection):
                raise CommandError("The database has another version: run clearwindow migrate first.")
        began_at = monotonic()
        with opened.database.transaction() as tx, _progress() as on_checked:
            findings = proof.check_whole_ledger(tx, on_checked)
            checked_at = tx.now()
        _record(opened.database, Outcome(CheckKind.BOOKS, checked_at, monotonic() - began_at, len(findings)))
        report = None
        if signatures:
            began_at = monotonic()
            report, verified_at = _signatures(settings, opened.database)
            seconds = monotonic() - began_at
            _record(opened.database, Outcome(CheckKind.SIGNATURES, verified_at, seconds, len(report.findings)))
    findings += report.findings if report else []
    if as_json:
        answer = check_answer(findings, checked_at).model_dump(by_alias=True, mode="json")
        if report:
            counts = {"verified": report.verified, "madeBeforeEvidence": dict(report.before_evidence)}
            answer["signatures"] = counts
        echo_json(json.dumps(answer))
    elif findings:
        typer.echo("\n".join(line for finding in findings for line in _lines(finding)))
    else:
        typer.echo("The ledger is in order:")
        checked = [*INVARIANTS.values(), *(SIGNATURE_INVARIANTS.values() if report else ())]
        typer.echo("\n".join(f"  ok  {message}" for message in checked))
    if report and not as_json:
        typer.echo("\n".join(_counts(report)))
    if findings:
        raise typer.Exit(FAILED)


@contextmanager
def _progress() -> Iterator[Callable[[Checked], None]]:
    """Shows on standard error how far the check is: a bar on a terminal, otherwise a line every two seconds."""
    from clearwindow.ledger.check.invariants import INVARIANTS  # noqa: PLC0415 - see above
    from clearwindow.simulator.progress import Meter  # noqa: PLC0415 - rich takes a while to import

    if sys.stderr.isatty():
        with Meter().steps("check", len(INVARIANTS)) as steps:
            yield lambda checked: steps.done(checked.message)
        return
    said_at = monotonic()

    def say(checked: Checked) -> None:
        nonlocal said_at
        if monotonic() - said_at >= _SECONDS_BETWEEN_LINES:
            said_at = monotonic()
            where = f"{checked.number} of {checked.of} checked after {checked.seconds:.0f} s"
            typer.echo(f"{where}, last: {checked.message}", err=True)

    yield say


def _record(database: Database, outcome: Outcome) -> None:
    """Records the outcome for the metrics. A standby takes no writes, and is checked all the same."""
    from clearwindow.ledger.check import outcomes  # noqa: PLC0415 - see above
    from clearwindow.postgres.failures import first_line  # noqa: PLC0415

    try:
        outcomes.record(database, outcome)
    except psycopg.Error as error:
        why = first_line(error)
        typer.echo(f"The outcome is not recorded, so that no metric shows this check: {why}", err=True)


def _signatures(settings: Settings, database: Database) -> tuple[SignatureReport, datetime]:
    from clearwindow import bootstrap  # noqa: PLC0415 - see above
    from clearwindow.ledger.check.signatures.service import check_signatures  # noqa: PLC0415

    said_at = monotonic()

    def progress(verified: int, total: int) -> None:
        nonlocal said_at
        if monotonic() - said_at >= _SECONDS_BETWEEN_LINES:
            said_at = monotonic()
            typer.echo(f"{verified} of {total} signed requests verified", err=True)

    vault = bootstrap.vault_of(settings)
    with database.transaction() as tx:
        return check_signatures(tx, vault, progress), tx.now()


def _counts(report: SignatureReport) -> list[str]:
    lines = [f"Signed requests verified: {report.verified}."]
    if report.before_evidence:
        older = ", ".join(f"{count} {record}" for record, count in report.before_evidence.items())
        lines.append(f"Made before evidence was kept, so that there is no signature to verify: {older}.")
    return lines


def _lines(finding: Finding) -> list[str]:
    lines = [f"BROKEN  {finding.message} ({finding.count} rows)"]
    lines += ["        " + ", ".join(f"{name}={value}" for name, value in row.items()) for row in finding.rows]
    if finding.count > len(finding.rows):
        lines.append(f"        and {finding.count - len(finding.rows)} more")
    return lines
