"""Lets more users of the machine connect to an embedded server than the product does."""

from __future__ import annotations

import pwd
from pathlib import Path

import psycopg

from clearwindow.postgres.embedded.access import ROLES


def let_in(dsn: str, uid: int | None = None) -> str:
    """Lets the user connect, or the one who runs the server, and returns its name.

    Args:
        dsn: of the server's superuser.
        uid: the user's number. None means the one who runs the server.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        (folder,) = connection.execute("SHOW data_directory").fetchone() or ("",)
        cluster = Path(folder)
        name = pwd.getpwuid(cluster.stat().st_uid if uid is None else uid).pw_name
        with (cluster / "pg_ident.conf").open("a") as file:
            file.writelines(f'clearwindow "{name}" {role}\n' for role in ROLES)
        connection.execute("SELECT pg_reload_conf()")
    return name
