"""``clearwindow backup`` and ``clearwindow restore``: of a data folder with its embedded database."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clearwindow.cli.failures import CommandError
from clearwindow.cli.options import DataOption, JsonOption, require_database
from clearwindow.cli.terminal import echo_json

if TYPE_CHECKING:
    from clearwindow.backups import Backup
    from clearwindow.settings import Settings

_SHOW_SECONDS: Final = 2

BackupArgument = Annotated[Path, typer.Argument(metavar="BACKUP", help="The backup's folder.")]


def backup(into: BackupArgument, *, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Copy the embedded database and the secret key into a new folder, and verify the copy. Servers may run."""
    from clearwindow import backups  # noqa: PLC0415 - other commands do not need the database
    from clearwindow.core.clock import SystemClock  # noqa: PLC0415

    settings = _settings(data)
    require_database(settings)
    made = backups.back_up(
        settings.data_dir,
        into,
        clock=SystemClock(),
        binaries_path=settings.postgres_bin_dir,
        system_user=settings.postgres_user,
        show=_progress(),
    )
    if as_json:
        echo_json(json.dumps({"backup": str(into), **made.to_json()}))
        return
    typer.echo(f"{into} has everything that was answered before {_moment(made)}. It was read again and is whole.")
    if made.has_key:
        typer.echo("It holds the secret key: keep it where only you can read it.")
    else:
        typer.echo("It does not hold the secret key, which is a setting: keep the key too.")


def restore(backup: BackupArgument, *, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Make a data folder from a backup. The folder must have no database yet."""
    from clearwindow import backups  # noqa: PLC0415 - see above

    settings = _settings(data)
    restored = backups.restore(
        backup, settings.data_dir, binaries_path=settings.postgres_bin_dir, system_user=settings.postgres_user
    )
    if as_json:
        echo_json(json.dumps({"dataFolder": str(settings.data_dir), **restored.to_json()}))
        return
    typer.echo(f"The data folder {settings.data_dir} has everything that was answered before {_moment(restored)}.")
    typer.echo(f"Now check it: clearwindow check --signatures --data {settings.data_dir}")


def _settings(data: str | None) -> Settings:
    from clearwindow.settings import load_settings  # noqa: PLC0415 - see above

    settings = load_settings(data_dir=data)
    if settings.database_url is not None:
        raise CommandError(
            "This command is for the embedded database, and a database URL is set. Back up a PostgreSQL of your own"
            " with its own programs: docs/how-to/back-up-and-restore.md shows how."
        )
    return settings


def _moment(backup: Backup) -> str:
    return f"{backup.made_at:%Y-%m-%d %H:%M:%S} UTC"


def _progress() -> Callable[[int], None]:
    """Returns a function that prints from time to time how much is copied."""
    next_at = time.monotonic() + _SHOW_SECONDS

    def show(percent: int) -> None:
        nonlocal next_at
        if time.monotonic() >= next_at:
            next_at = time.monotonic() + _SHOW_SECONDS
            typer.echo(f"  {percent} % copied", err=True)

    return show
