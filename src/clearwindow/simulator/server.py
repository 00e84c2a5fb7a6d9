"""Starts ``clearwindow serve`` as a process, on a free port, over an empty data folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from clearwindow.simulator.programs import Program, ProgramEndedError

START_SECONDS: Final = 60
"""How long a program may take from its start to its first line."""

_KEPT_VARIABLE: Final = "CLEARWINDOW_POSTGRES_BIN_DIR"


ALONE: Final = {"CLEARWINDOW_APPROVALS_NEEDED": "0", "CLEARWINDOW_KEY_COOL_OFF_HOURS": "0"}
"""The settings of a server whose one operator acts alone, as in a sandbox."""


class ServerNotStartedError(RuntimeError):
    """The server ended before it listened. The message ends with its log."""


@contextmanager
def temporary_folder(name: str) -> Iterator[Path]:
    """Makes an empty folder for a server and its files, and removes it at the end."""
    with tempfile.TemporaryDirectory(prefix=f"clearwindow-{name}-") as made:
        folder = Path(made).resolve()
        # If root runs this, the database runs as another user, who must reach its own folder inside.
        folder.chmod(0o711)
        yield folder


@contextmanager
def serving(
    folder: Path, operator_token: str, settings: Mapping[str, str] | None = None, *, arguments: Sequence[str] = ()
) -> Iterator[str]:
    """Starts a server and gives its address. It ends with the block, and with this process.

    Args:
        folder: gets the server's log and data.
        operator_token: of the server's operator ``bootstrap``.
        settings: further settings, as environment variables under their full names.
        arguments: further arguments of ``serve``.

    Raises:
        ServerNotStartedError: it did not start.
    """
    given = environment({"CLEARWINDOW_OPERATOR_TOKEN": operator_token, **ALONE, **(settings or {})})
    server = Program(
        "server", ["serve", "--port", "0", "--data", str(data_folder(folder)), *arguments], folder, given
    )
    server.start()
    try:
        yield _announced_address(server)
    finally:
        server.stop()


def data_folder(folder: Path) -> Path:
    """Returns the data folder of a server that uses this folder."""
    return folder / "data"


def environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns our environment with these settings of Clearwindow and no others.

    A demo or a test must never reach a database that somebody uses.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CLEARWINDOW_") or name == _KEPT_VARIABLE
    }
    return kept | dict(settings or {})


def _announced_address(server: Program) -> str:
    try:
        line = server.await_line(lambda _: True, START_SECONDS)
    except ProgramEndedError:
        raise ServerNotStartedError(f"the server did not start. Its log: {server.logged()}") from None
    return str(line["address"])
