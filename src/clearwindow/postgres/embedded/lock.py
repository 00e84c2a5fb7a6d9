"""The lock of a data folder. It ends with its process, however that process ends."""

import fcntl
import os
from pathlib import Path
from typing import Self

LOCK_NAME = "postgres.lock"


def open_private(path: Path) -> int:
    """Opens a file of ours for reading and appending, and makes it if it is missing. Returns the descriptor.

    A file that root makes in a normal user's folder gets that user as its owner, who can then start there again.
    """
    # Another user owns the folder and must not lead root elsewhere by a link.
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    status, folder = os.fstat(descriptor), path.parent.stat()
    if os.geteuid() == 0 and status.st_uid == 0 and status.st_nlink == 1:
        os.fchown(descriptor, folder.st_uid, folder.st_gid)
    return descriptor


class FolderLock:
    """A folder that this process holds until `release` or until the process ends."""

    _held: "set[FolderLock]" = set()  # noqa: RUF012 - of the process, on purpose: see _forget_in_child

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._held.add(self)

    @classmethod
    def take(cls, folder: Path) -> Self | None:
        """Locks the folder. Returns None if another process holds it."""
        # The file is never removed: a lock on a removed file would keep nobody out.
        descriptor = open_private(folder / LOCK_NAME)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        return cls(descriptor)

    def release(self) -> None:
        """Releases the lock. May be repeated."""
        if self in self._held:
            self._held.discard(self)
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)

    @classmethod
    def _forget_in_child(cls) -> None:
        # A forked child shares the lock, and would keep it after our process has ended.
        for lock in cls._held:
            os.close(lock._descriptor)  # noqa: SLF001 - of the same class
        cls._held.clear()


os.register_at_fork(after_in_child=FolderLock._forget_in_child)  # noqa: SLF001 - of this module


def holder_pid(folder: Path) -> int | None:
    """Returns the process that holds the folder's lock, if it has written its number."""
    text = (folder / LOCK_NAME).read_text().strip()
    return int(text) if text.isdecimal() else None
