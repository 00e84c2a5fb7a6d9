"""Where an embedded cluster, its log and its socket lie, and who holds the data folder."""

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

from clearwindow.database.account import Account, make_public_folder, unprivileged_account
from clearwindow.database.binaries import EmbeddedPostgresError

# Where root's clusters live when only root may enter the data folder, say one below /root.
SHELTER = Path("/var/lib/clearwindow")
LOCATION_NAME = "postgres.location"
PORT = 5432

# Linux takes 107 bytes, macOS 103; one limit for both keeps a data folder movable between them.
_SOCKET_PATH_LIMIT_BYTES = 103


@dataclass(frozen=True, slots=True)
class Home:
    """The places of one embedded cluster; `account` runs it, None means ourselves."""

    data_dir: Path
    root: Path
    account: Account | None

    @property
    def cluster(self) -> Path:
        return self.root / "postgres"

    @property
    def log(self) -> Path:
        return self.data_dir / "postgres.log"

    @property
    def marker(self) -> str:
        """Names this cluster in the titles of its processes, so that they can be found again."""
        return f"clearwindow-{self._digest}"

    @property
    def socket_dir(self) -> Path:
        """In the data folder; in a private temporary folder where the system would refuse such a path."""
        inside = self.root / "socket"
        longest = len(os.fsencode(inside / f".s.PGSQL.{PORT}"))
        # A comma separates hosts for libpq and folders for the server, and a quote quotes there.
        if longest <= _SOCKET_PATH_LIMIT_BYTES and not set(',"') & set(str(inside)):
            return inside
        return Path(tempfile.gettempdir()) / f"clearwindow-{self._digest}"

    @property
    def _digest(self) -> str:
        return hashlib.sha256(os.fsencode(self.cluster)).hexdigest()[:16]

    def prepare_socket_dir(self) -> None:
        """Make the socket folder, private to the account, and drop what a killed server left in it.

        Raises:
            EmbeddedPostgresError: somebody else's folder is in its place.
        """
        folder = self.socket_dir
        owner = os.geteuid() if self.account is None else self.account.uid
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        status = folder.lstat()
        # Temporary folders are open to everybody, and the name can be computed by everybody.
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


def make_data_dir(data_dir: Path) -> Path:
    """Make the data folder where it is missing, private to us, and return its real path."""
    resolved = data_dir.expanduser().resolve()
    if not resolved.is_dir():
        resolved.mkdir(mode=0o700, parents=True)
        if os.geteuid() == 0:
            # The unprivileged user has to get through to its own folder; it can list nothing on its way.
            resolved.chmod(0o711)
    return resolved


def find_home(data_dir: Path, *, durable: bool) -> Home:
    """Where the data folder's cluster is, or is to be made. The caller holds the data folder's lock.

    Raises:
        EmbeddedPostgresError: the cluster belongs to another user or is where its user cannot reach it.
    """
    recorded = _recorded_location(data_dir)
    if os.geteuid() != 0:
        if recorded is not None:
            raise EmbeddedPostgresError(
                f"The cluster of {data_dir} was made by root and lies in {recorded}: start as root, "
                "or use another data folder."
            )
        return _own_home(data_dir)
    if recorded is not None:
        return _roots_home(data_dir, recorded)
    if (data_dir / "postgres").exists() or unprivileged_account().reaches(data_dir):
        return _roots_home(data_dir, data_dir)
    return _roots_home(data_dir, _make_shelter(data_dir, durable=durable))


def known_home(data_dir: Path) -> Home:
    """Where the cluster of a data folder that somebody else holds runs."""
    return Home(data_dir, _recorded_location(data_dir) or data_dir, None)


def _own_home(data_dir: Path) -> Home:
    home = Home(data_dir, data_dir, None)
    if home.cluster.exists() and home.cluster.stat().st_uid != os.geteuid():
        raise EmbeddedPostgresError(
            f"The cluster {home.cluster} belongs to user id {home.cluster.stat().st_uid}: start as that user "
            "or as root, or use another data folder."
        )
    return home


def _roots_home(data_dir: Path, root: Path) -> Home:
    cluster = root / "postgres"
    account = unprivileged_account()
    if cluster.is_symlink():
        # Root would change the owner of whatever it points to.
        raise EmbeddedPostgresError(f"{cluster} is a link: give the folder it points into as the data folder.")
    if cluster.exists():
        owner = cluster.stat()
        if owner.st_uid == 0:
            # A backup that was put back by root.
            account.own(cluster)
        else:
            # A normal user made it: running it as that user keeps it usable for both.
            account = Account(owner.st_uid, owner.st_gid)
    if not account.reaches(root):
        raise EmbeddedPostgresError(
            f"The cluster {cluster} belongs to user id {account.uid}, who cannot reach it any more: "
            f"let that user enter {root} and the folders above it, or move the data folder."
        )
    return Home(data_dir, root, account)


def _recorded_location(data_dir: Path) -> Path | None:
    try:
        root = Path((data_dir / LOCATION_NAME).read_text().strip())
    except FileNotFoundError:
        return None
    if not root.is_dir():
        raise EmbeddedPostgresError(
            f"{data_dir / LOCATION_NAME} says that the cluster lies in {root}, which is not there: "
            "put it back, or remove that file to start with an empty database."
        )
    return root


def _make_shelter(data_dir: Path, *, durable: bool) -> Path:
    # Random, not derived from the data folder's path: whoever removes that folder expects an empty database.
    name = uuid.uuid4().hex
    root = SHELTER / name if durable else Path(tempfile.gettempdir()) / f"clearwindow-{name}"
    try:
        make_public_folder(root.parent)
        root.mkdir()
    except OSError as error:
        raise EmbeddedPostgresError(
            f"Only root can enter {data_dir}, PostgreSQL refuses to run as root, and no folder can be made "
            f"in {root.parent} ({error}): choose a data folder elsewhere, or start as a normal user."
        ) from error
    root.chmod(0o711)
    (root / "data-folder").write_text(f"{data_dir}\n")
    scratch = data_dir / f"{LOCATION_NAME}.new"
    with scratch.open("w") as file:
        file.write(f"{root}\n")
        file.flush()
        os.fsync(file.fileno())
    scratch.rename(data_dir / LOCATION_NAME)
    sync_folder(data_dir)
    return root


def sync_folder(folder: Path) -> None:
    """Make renames in the folder survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
