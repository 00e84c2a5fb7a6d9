"""The places of an embedded cluster, its log and its socket, and the user that runs it."""

import contextlib
import hashlib
import os
import re
import shutil
import stat
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

from clearwindow.postgres.embedded.account import Account, make_public_folder
from clearwindow.postgres.embedded.binaries import EmbeddedPostgresError
from clearwindow.postgres.embedded.system_user import shared_uid, system_account

# Where clusters lie under root if only root can enter the data folder, for example below /root.
SHELTER = Path("/var/lib/clearwindow")
LOCATION_NAME = "postgres.location"
PORT = 5432

_CLUSTER_NAME = "postgres"

# Linux takes 107 bytes, macOS 103. With one limit for both, a data folder can move between them.
_SOCKET_PATH_LIMIT_BYTES = 103

# A comma separates hosts for libpq and folders for the server, which also reads quotes and cuts spaces at the ends.
# libpq's own arguments are UTF-8, and a path may be any bytes.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./ @%+=:~-]+")


@dataclass(frozen=True, slots=True)
class Home:
    """The places of one embedded cluster.

    `account` runs it; None is our own user. `former_uid` owns its files if the account must take them over.
    """

    data_dir: Path
    root: Path
    account: Account | None
    former_uid: int | None = None

    @property
    def cluster(self) -> Path:
        return self.root / "postgres"

    @property
    def log(self) -> Path:
        return self.data_dir / "postgres.log"

    @property
    def marker(self) -> str:
        """Stands in the titles of this cluster's processes, so that they can be found."""
        return f"clearwindow-{self._digest}"

    @property
    def socket_dir(self) -> Path:
        """Lies in the data folder, or is a private temporary folder if the system refuses that path."""
        inside = self.root / "socket"
        longest = len(os.fsencode(inside / f".s.PGSQL.{PORT}"))
        if longest <= _SOCKET_PATH_LIMIT_BYTES and _PLAIN_PATH.fullmatch(str(inside)):
            return inside
        return _temporary_folder() / f"clearwindow-{self._digest}"

    @property
    def _digest(self) -> str:
        return hashlib.sha256(os.fsencode(self.cluster)).hexdigest()[:16]

    def take_over(self) -> None:
        """Gives the cluster's files to the account. No process of the cluster may run. May be repeated."""
        if self.account is not None and self.former_uid is not None:
            socket_dir = self.socket_dir
            if os.path.lexists(socket_dir) and socket_dir.lstat().st_uid == self.former_uid:
                shutil.rmtree(socket_dir)
            self.account.take_over(self.cluster, self.former_uid)

    def prepare_socket_dir(self) -> None:
        """Makes the socket folder, private to the account, and removes what a killed server left in it.

        Raises:
            EmbeddedPostgresError: the folder belongs to another user or is open to others.
        """
        folder = self.socket_dir
        owner = os.geteuid() if self.account is None else self.account.uid
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        status = folder.lstat()
        # Everybody can write to the temporary folder and compute this name.
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in {owner, os.geteuid()} or status.st_mode & 0o077:
            raise EmbeddedPostgresError(
                f"The socket folder {folder} belongs to somebody else or is open to others: "
                "remove it and start again."
            )
        if self.account is not None:
            os.chown(folder, self.account.uid, self.account.gid, follow_symlinks=False)
        for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
            (folder / name).unlink(missing_ok=True)

    def remove_socket_dir(self) -> None:
        shutil.rmtree(self.socket_dir, ignore_errors=True)


def has_cluster(data_dir: Path) -> bool:
    """Returns whether the data folder has a database, here or in the place that it names."""
    return any((data_dir / name).exists() for name in (_CLUSTER_NAME, LOCATION_NAME))


def make_data_dir(data_dir: Path) -> Path:
    """Makes the data folder if it is missing, private to our user. Returns its real path."""
    resolved = data_dir.expanduser().resolve()
    if not resolved.is_dir():
        resolved.mkdir(mode=0o700, parents=True)
        if os.geteuid() == 0:
            # The unprivileged user must reach its own folder. It cannot list this one.
            resolved.chmod(0o711)
    return resolved


def _temporary_folder() -> Path:
    # Not from TMPDIR if possible: it may be long or odd too, and a process that joins may have another one.
    usual = Path("/tmp")  # noqa: S108 - the folder in it is private, and checked
    return usual if usual.is_dir() and os.access(usual, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


def find_home(data_dir: Path, *, durable: bool, system_user: str | None = None) -> Home:
    """Returns where the data folder's cluster is, or will be made. The caller must hold the data folder's lock.

    Args:
        data_dir: the data folder.
        durable: False is for tests.
        system_user: runs the cluster if we are root. None takes our own system user.

    Raises:
        EmbeddedPostgresError: the cluster belongs to another user, its user cannot reach it, or there is no user.
    """
    recorded = _recorded_location(data_dir)
    if os.geteuid() != 0:
        if recorded is not None:
            raise EmbeddedPostgresError(
                f"The cluster of {data_dir} was made by root and lies in {recorded}: start as root, "
                "or use another data folder."
            )
        return _own_home(data_dir)
    account = system_account(system_user)
    if recorded is not None:
        return _roots_home(data_dir, recorded, account)
    if (data_dir / "postgres").exists() or account.reaches(data_dir):
        return _roots_home(data_dir, data_dir, account)
    return _roots_home(data_dir, _make_shelter(data_dir, durable=durable), account)


def known_home(data_dir: Path) -> Home:
    """Returns where the cluster of a data folder is that another process holds."""
    return Home(data_dir, _recorded_location(data_dir) or data_dir, None)


def _own_home(data_dir: Path) -> Home:
    home = Home(data_dir, data_dir, None)
    if home.cluster.exists() and home.cluster.stat().st_uid != os.geteuid():
        raise EmbeddedPostgresError(
            f"The cluster {home.cluster} belongs to user id {home.cluster.stat().st_uid}: start as that user "
            "or as root, or use another data folder."
        )
    return home


def _roots_home(data_dir: Path, root: Path, account: Account) -> Home:
    cluster = root / "postgres"
    former_uid = None
    if cluster.is_symlink():
        # Root would change the owner of whatever the link points to.
        raise EmbeddedPostgresError(f"{cluster} is a link: use the folder that it points into as the data folder.")
    if cluster.exists():
        owner = cluster.stat()
        if _is_taken_over(owner.st_uid, data_dir):
            former_uid = owner.st_uid
        else:
            # A normal user made it. If that user runs it, both can use it.
            account = Account(owner.st_uid, owner.st_gid)
    if not account.reaches(root):
        raise EmbeddedPostgresError(
            f"The cluster {cluster} belongs to user id {account.uid}, who cannot reach it: "
            f"let that user enter {root} and the folders above it, or move the data folder."
        )
    return Home(data_dir, root, account, former_uid)


def _is_taken_over(owner_uid: int, data_dir: Path) -> bool:
    """Returns whether they are root's, of a restored backup, or ``nobody``'s, of a former release under root."""
    if owner_uid == 0:
        return True
    return owner_uid == shared_uid() and data_dir.stat().st_uid != owner_uid


def _recorded_location(data_dir: Path) -> Path | None:
    try:
        root = Path(os.fsdecode((data_dir / LOCATION_NAME).read_bytes().strip()))
    except FileNotFoundError:
        return None
    if not root.is_dir():
        raise EmbeddedPostgresError(
            f"{data_dir / LOCATION_NAME} says that the cluster lies in {root}, which is not there: "
            "restore it, or remove that file to start with an empty database."
        )
    return root


def _make_shelter(data_dir: Path, *, durable: bool) -> Path:
    # Random, not derived from the data folder's path: a user who removes that folder expects an empty database.
    name = uuid.uuid4().hex
    root = SHELTER / name if durable else Path(tempfile.gettempdir()) / f"clearwindow-{name}"
    try:
        make_public_folder(root.parent)
        root.mkdir()
    except OSError as error:
        raise EmbeddedPostgresError(
            f"Only root can enter {data_dir}, PostgreSQL refuses to run as root, and no folder can be made "
            f"in {root.parent} ({error}): choose another data folder, or start as a normal user."
        ) from error
    root.chmod(0o711)
    (root / "data-folder").write_bytes(os.fsencode(data_dir) + b"\n")
    scratch = data_dir / f"{LOCATION_NAME}.new"
    with scratch.open("wb") as file:
        file.write(os.fsencode(root) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    scratch.rename(data_dir / LOCATION_NAME)
    sync_folder(data_dir)
    return root


def sync_folder(folder: Path) -> None:
    """Makes renames in the folder survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
