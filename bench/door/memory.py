"""Samples the memory of the server's processes, and of PostgreSQL apart."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_SAMPLE_SECONDS: Final = 0.1
_RESIDENT: Final = re.compile(r"^VmRSS:\s+(\d+) kB$", re.MULTILINE)
_PROPORTIONAL: Final = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)
_PARENT: Final = re.compile(r"^PPid:\s+(\d+)$", re.MULTILINE)


@dataclass(slots=True)
class Memory:
    """Bytes of the server's processes and of the database's: at the beginning, and at most."""

    server_before: int
    database_before: int
    server_peak: int
    database_peak: int

    @property
    def server_growth(self) -> int:
        return self.server_peak - self.server_before

    @property
    def database_growth(self) -> int:
        return self.database_peak - self.database_before


@contextmanager
def sampled(server: int, database: int) -> Iterator[Memory]:
    """Samples both process trees until the block ends.

    PostgreSQL's processes share most of their memory, so that each counts with its part of it (PSS).
    """
    first = _tree_bytes(server, "status", _RESIDENT), _tree_bytes(database, "smaps_rollup", _PROPORTIONAL)
    memory = Memory(*first, *first)
    stopping = threading.Event()

    def sample() -> None:
        while not stopping.wait(_SAMPLE_SECONDS):
            memory.server_peak = max(memory.server_peak, _tree_bytes(server, "status", _RESIDENT))
            memory.database_peak = max(memory.database_peak, _tree_bytes(database, "smaps_rollup", _PROPORTIONAL))

    thread = threading.Thread(target=sample, name="samples memory", daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        stopping.set()
        thread.join()


def _tree_bytes(root: int, file: str, wanted: re.Pattern[str]) -> int:
    return 1024 * sum(_number(pid, file, wanted) for pid in _tree(root))


def _tree(root: int) -> set[int]:
    parents = {
        int(folder.name): _number(int(folder.name), "status", _PARENT)
        for folder in _PROC.iterdir()
        if folder.name.isdigit()
    }
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _number(pid: int, file: str, wanted: re.Pattern[str]) -> int:
    try:
        text = (_PROC / str(pid) / file).read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = wanted.search(text)
    return int(found[1]) if found else 0
