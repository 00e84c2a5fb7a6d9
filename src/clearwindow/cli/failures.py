"""How a command fails: one line that says what to do, and an exit code. Only a defect shows a traceback."""

from __future__ import annotations

from typing import Final

FAILED: Final = 1
USAGE_ERROR: Final = 2


class CommandError(RuntimeError):
    """A command cannot do its work; the message says why."""


def exit_code_of(error: Exception) -> int | None:
    """Returns the exit code of an expected error, None for a defect."""
    # Imported only after a failure: the offline commands do not need these modules.
    from clearwindow.bootstrap import DatabaseUnreachableError  # noqa: PLC0415
    from clearwindow.core.errors import InvalidRequestError, RequestError  # noqa: PLC0415
    from clearwindow.identity.opening import DoorShutError  # noqa: PLC0415
    from clearwindow.postgres.embedded.cluster import EmbeddedPostgresError  # noqa: PLC0415
    from clearwindow.postgres.migrations import MigrationError  # noqa: PLC0415
    from clearwindow.rotation import RotationError  # noqa: PLC0415
    from clearwindow.settings import SettingsError  # noqa: PLC0415

    if isinstance(error, SettingsError | InvalidRequestError):
        return USAGE_ERROR
    if isinstance(error, UnicodeError):
        return USAGE_ERROR
    unreachable = DatabaseUnreachableError | EmbeddedPostgresError | MigrationError
    known = CommandError | DoorShutError | RequestError | RotationError | unreachable
    # What the machine refuses is no defect: a full disk, a folder that is gone, a broken pipe.
    return FAILED if isinstance(error, known | OSError) else None


def line_of(error: Exception) -> str:
    """Returns the line that says what is wrong."""
    if isinstance(error, UnicodeError):
        # Its own text would quote the bytes, which may be of a secret.
        return "An argument, a variable or a file has bytes that are no text: use UTF-8, such as LC_ALL=C.UTF-8."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror
    return str(error)
