"""Who may connect to the embedded PostgreSQL: our own user and root, whom the system itself names to the server.

There is no password that could be read, and none that could be lost. A process of another user is refused, also one
of the user that runs PostgreSQL.
"""

import os
import pwd
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from clearwindow.postgres.embedded.binaries import EmbeddedPostgresError
from clearwindow.postgres.embedded.home import Home

SUPERUSER: Final = "clearwindow"
"""Makes the roles and the database when the server starts. Nothing else uses it."""
OWNER: Final = "clearwindow_owner"
"""Owns the database and everything in it. Migrations run as this role."""
APPLICATION: Final = "clearwindow_app"
"""What requests and the worker use."""
ROLES: Final = (SUPERUSER, OWNER, APPLICATION)

_MAP: Final = "clearwindow"
_HEADING: Final = "# Written by Clearwindow at each start."


def write_access(home: Home) -> None:
    """Writes the cluster's rules for connections.

    Raises:
        EmbeddedPostgresError: our user has no name on this machine, which PostgreSQL needs.
    """
    users = sorted({_name_of(os.geteuid()), _name_of(0)})
    roles = ",".join(ROLES)
    rules = [f"local all {roles} peer map={_MAP}", f"local replication {SUPERUSER} peer map={_MAP}"]
    _write(home, "pg_hba.conf", rules)
    _write(home, "pg_ident.conf", [f"{_MAP} {_quoted(user)} {role}" for user in users for role in ROLES])


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise EmbeddedPostgresError(
            f"User id {uid} has no name on this machine, and PostgreSQL knows by it who connects: "
            "add an entry to /etc/passwd, or set a database URL."
        ) from None


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _write(home: Home, name: str, lines: Sequence[str]) -> None:
    # A new file under the name: the folder's owner must not lead root elsewhere by a link.
    descriptor, scratch = tempfile.mkstemp(prefix=f"{name}.", dir=home.cluster)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("\n".join([_HEADING, *lines]) + "\n")
            if home.account is not None:
                os.fchown(file.fileno(), home.account.uid, home.account.gid)
        Path(scratch).rename(home.cluster / name)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise
