"""The system user that runs PostgreSQL under root, which PostgreSQL refuses. No other program has it.

PostgreSQL's initdb asks the system for the user's name, so that a mere number is not enough.
"""

import grp
import os
import pwd
import shutil
import subprocess
from typing import Final

import structlog

from clearwindow.postgres.embedded.account import Account
from clearwindow.postgres.embedded.binaries import EmbeddedPostgresError

log = structlog.get_logger(__name__)

SETTING: Final = "CLEARWINDOW_POSTGRES_USER"
DEFAULT_NAME: Final = "clearwindow-postgres"
SHARED_NAME: Final = "nobody"
"""The user of many programs, each of which could read the database. Former releases used it."""
PREFERRED_ID: Final = 64617
"""High and the same on every machine, so that a data folder fits a container that was made anew."""

_MAKING_TIMEOUT_SECONDS: Final = 60
_PROGRAM_FOLDERS: Final = "/usr/sbin:/sbin:/usr/bin:/bin"


def system_account(name: str | None) -> Account:
    """Returns the user with this name. Without a name, our own user, which is made if it is missing.

    Raises:
        EmbeddedPostgresError: there is no such user, it cannot be made, or other programs use it.
    """
    if name is None:
        return _find(DEFAULT_NAME) or _make(DEFAULT_NAME)
    found = _find(name)
    if found is None:
        raise EmbeddedPostgresError(f"{SETTING}: this machine has no user {name}: make it, or name another one.")
    if found.uid in {0, shared_uid()}:
        raise EmbeddedPostgresError(
            f"{SETTING}: PostgreSQL must not run as {name}, whose processes are not only its own: name a user that"
            " runs nothing else."
        )
    return found


def shared_uid() -> int | None:
    """Returns the number of ``nobody``, None if this machine has no such user."""
    found = _find(SHARED_NAME)
    return found.uid if found else None


def _find(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid)


def _make(name: str) -> Account:
    program = shutil.which("useradd", path=_PROGRAM_FOLDERS)
    said = "there is no useradd" if program is None else _said_by(program, name)
    # Another process may have made it at the same time.
    made = _find(name)
    if made is None:
        raise EmbeddedPostgresError(
            f"PostgreSQL refuses to run as root, and the system user {name} that would run it cannot be made"
            f" ({said}): make it yourself, name another one in {SETTING}, start Clearwindow as a normal user, or"
            " set a database URL."
        )
    log.info("postgres_user_made", user=name, uid=made.uid)
    return made


def _said_by(program: str, name: str) -> str:
    number = [] if _is_taken(PREFERRED_ID) else ["--uid", str(PREFERRED_ID)]
    command = [program, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    command += ["--shell", "/usr/sbin/nologin", *number, name]
    try:
        outcome = subprocess.run(  # noqa: S603 - the system's program, with a fixed name
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_MAKING_TIMEOUT_SECONDS,
            env={"PATH": _PROGRAM_FOLDERS, "LC_ALL": "C"},
            cwd=os.sep,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return outcome.stderr.strip().replace("\n", "; ")


def _is_taken(number: int) -> bool:
    for find in (pwd.getpwuid, grp.getgrgid):
        try:
            find(number)
        except KeyError:
            continue
        return True
    return False
