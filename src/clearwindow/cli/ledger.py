"""``clearwindow migrate`` and ``clearwindow check``: the database's form, and whether what is in it adds up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from clearwindow.cli.failures import FAILED, CommandError
from clearwindow.cli.options import DatabaseUrlOption, DataOption, JsonOption

if TYPE_CHECKING:
    from clearwindow.proof.service import Finding


def migrate(
    *, data: DataOption = None, database_url: DatabaseUrlOption = None, as_json: JsonOption = False
) -> None:
    """Bring the database up to this version. `serve` and `worker` do it too when they start."""
    from clearwindow import bootstrap  # noqa: PLC0415 - the web framework takes a while to import
    from clearwindow.settings import load_settings  # noqa: PLC0415

    settings = load_settings(data_dir=data, database_url=database_url)
    with bootstrap.opened_database(settings, share_running=True) as opened:
        applied = opened.applied_migrations
    if as_json:
        typer.echo(json.dumps({"applied": applied}))
    else:
        typer.echo(f"Applied {', '.join(applied)}." if applied else "The database is up to date.")


def check(*, data: DataOption = None, database_url: DatabaseUrlOption = None, as_json: JsonOption = False) -> None:
    """Recompute every balance from the journal and verify what must always hold; exit 1 if anything is off."""
    from clearwindow import bootstrap  # noqa: PLC0415 - the web framework takes a while to import
    from clearwindow.database.migrations import pending_on  # noqa: PLC0415
    from clearwindow.operator.history_wire import check_answer  # noqa: PLC0415
    from clearwindow.proof import service as proof  # noqa: PLC0415
    from clearwindow.settings import load_settings  # noqa: PLC0415

    settings = load_settings(data_dir=data, database_url=database_url)
    if settings.database_url is None and not settings.data_dir.is_dir():
        raise CommandError(f"There is no data folder {settings.data_dir}: name it with --data.")
    with bootstrap.opened_database(settings, share_running=True, apply_migrations=False) as opened:
        with opened.database.transaction() as tx:
            if pending_on(tx.connection):
                raise CommandError("The database is not of this version: run clearwindow migrate first.")
        with opened.database.transaction() as tx:
            findings = proof.check_ledger(tx)
            checked_at = tx.now()
    if as_json:
        typer.echo(check_answer(findings, checked_at).model_dump_json(by_alias=True))
    elif findings:
        typer.echo("\n".join(line for finding in findings for line in _lines(finding)))
    else:
        typer.echo("The ledger is in order:")
        typer.echo("\n".join(f"  ok  {message}" for message in proof.INVARIANTS.values()))
    if findings:
        raise typer.Exit(FAILED)


def _lines(finding: Finding) -> list[str]:
    lines = [f"BROKEN  {finding.message} ({finding.count} rows)"]
    lines += ["        " + ", ".join(f"{name}={value}" for name, value in row.items()) for row in finding.rows]
    if finding.count > len(finding.rows):
        lines.append(f"        and {finding.count - len(finding.rows)} more")
    return lines
