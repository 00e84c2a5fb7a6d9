"""``clearwindow secret rotate``: encrypts what is stored with another secret key."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clearwindow.cli.failures import CommandError
from clearwindow.cli.options import DatabaseUrlOption, DataOption, JsonOption, require_database

if TYPE_CHECKING:
    from clearwindow.rotation import Progress
    from clearwindow.settings import Settings

_SHOW_SECONDS: Final = 0.5

secret_app: Final = typer.Typer(
    help="Rotate the secret key.", no_args_is_help=True, pretty_exceptions_show_locals=False
)


@secret_app.callback()
def _secret() -> None:
    """Keep `rotate` a subcommand: with one command and no callback, typer would drop its name."""


@secret_app.command("rotate")
def rotate(
    *,
    finish: Annotated[
        bool, typer.Option("--finish", help="Remove the former key of the data folder, after a rotation.")
    ] = False,
    data: DataOption = None,
    database_url: DatabaseUrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Encrypt every stored secret with another key. Servers may run meanwhile. If it is killed, run it again."""
    from clearwindow import (  # noqa: PLC0415 - see above
        bootstrap,
        rotation,
        secret_key,
    )
    from clearwindow.core.vault import Vault  # noqa: PLC0415
    from clearwindow.settings import load_settings  # noqa: PLC0415

    settings = load_settings(data_dir=data, database_url=database_url)
    require_database(settings)
    keys = secret_key.keys_of(settings)
    is_given = secret_key.is_given(settings)
    _require_keys(settings, len(keys()), is_given=is_given, finish=finish)
    with bootstrap.opened_database(settings, share_running=True) as opened:
        if is_given or settings.database_url is not None:
            changed = rotation.renew_all(opened.database, Vault(keys), _progress())
            what = (
                "Every stored secret is encrypted with the key that is set. The other one is not needed any more."
            )
        elif finish:
            changed = rotation.finish_folder(opened.database, settings.data_dir, _progress())
            what = "The former key is removed."
        else:
            changed = rotation.rotate_folder(opened.database, settings.data_dir, _progress())
            what = (
                f"The data folder has a new {secret_key.FILE_NAME}. In some minutes, run clearwindow secret rotate"
                " --finish."
            )
    if as_json:
        typer.echo(json.dumps({"encryptedAnew": changed}))
    else:
        typer.echo(f"{changed} values were encrypted anew. {what}")


def _require_keys(settings: Settings, count: int, *, is_given: bool, finish: bool) -> None:
    """Refuses what would do nothing.

    Raises:
        CommandError: the key is not the command's to make or to remove, and no second one is set.
    """
    from clearwindow import secret_key  # noqa: PLC0415 - see above

    if not is_given and settings.database_url is None:
        return
    if finish:
        raise CommandError(
            "--finish is for the key in the data folder of an embedded database: instead of it, unset"
            f" {secret_key.OTHER_VARIABLE}."
        )
    if count == 1:
        raise CommandError(
            f"There is one key only: set the new one as {secret_key.VARIABLE} and the former one as"
            f" {secret_key.OTHER_VARIABLE}."
        )


def _progress() -> Progress:
    """Returns a function that prints from time to time how far the rotation is."""
    next_at = time.monotonic() + _SHOW_SECONDS

    def show(table: str, seen: int, changed: int) -> None:
        nonlocal next_at
        if time.monotonic() >= next_at:
            next_at = time.monotonic() + _SHOW_SECONDS
            typer.echo(f"  {table}: {seen} values read, {changed} encrypted anew", err=True)

    return show
