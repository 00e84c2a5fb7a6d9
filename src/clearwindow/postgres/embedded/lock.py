"""Who holds a data folder: a lock that ends with its process, whatever ends that process."""

import fcntl
import os
from pathlib import Path
from typing import Self

LOCK_NAME = "postgres.lock"


def open_private(path: Path) -> int:
    """Open a file of ours for reading and appending, made where missing; returns the descriptor.

    What root makes in a normal user's folder belongs to that user, who could otherwise not start there again.
    """
    # Root must not be led elsewhere by a link in a folder that somebody else owns.
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    status, folder = os.fstat(descriptor), path.parent.stat()
    if os.geteuid() == 0 and status.st_uid == 0 and status.st_nlink == 1:
        os.fchown(descriptor, folder.st_uid, folder.st_gid)
    return descriptor


class FolderLock:
    """A folder held by this process, until `release` or the process's end, whatever ends it."""

    _held: "set[FolderLock]" = set()  # noqa: RUF012 - of the process, on purpose: see _forget_in_child

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._held.add(self)

    @classmethod
    def take(cls, folder: Path) -> Self | None:
        """Lock the folder, or return None when another holder has it."""
        # The file is never removed: a lock on a removed file would exclude nobody.
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
        """Let go; harmless when repeated."""
        if self in self._held:
            self._held.discard(self)
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)

    @classmethod
    def _forget_in_child(cls) -> None:
        # A forked child shares the lock, and would keep it after our death.
        for lock in cls._held:
            os.close(lock._descriptor)  # noqa: SLF001 - of the same class
        cls._held.clear()


os.register_at_fork(after_in_child=FolderLock._forget_in_child)  # noqa: SLF001 - of this module


def holder_pid(folder: Path) -> int | None:
    """The process that holds the folder's lock, as far as it has said so."""
    text = (folder / LOCK_NAME).read_text().strip()
    return int(text) if text.isdecimal() else None
