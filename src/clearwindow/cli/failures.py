"""How a command fails: one line that a person can act on, and an exit code. Only a defect shows a traceback."""

from __future__ import annotations

from typing import Final

FAILED: Final = 1
WRONGLY_ASKED: Final = 2


class CommandError(RuntimeError):
    """A command cannot do what was asked; the message says why."""


def exit_code_of(error: Exception) -> int | None:
    """The exit code for an error that a person can act on, None for a defect of ours."""
    # Imported when something failed: the offline commands need none of it to start.
    from clearwindow.bootstrap import DatabaseUnreachableError  # noqa: PLC0415
    from clearwindow.database.embedded import EmbeddedPostgresError  # noqa: PLC0415
    from clearwindow.database.migrations import MigrationError  # noqa: PLC0415
    from clearwindow.errors import InvalidRequestError, RequestError  # noqa: PLC0415
    from clearwindow.settings import SettingsError  # noqa: PLC0415

    if isinstance(error, SettingsError | InvalidRequestError):
        return WRONGLY_ASKED
    known = CommandError | DatabaseUnreachableError | EmbeddedPostgresError | MigrationError | RequestError
    return FAILED if isinstance(error, known) else None
