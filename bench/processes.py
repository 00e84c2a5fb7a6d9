"""What Linux says in /proc about processes."""

from __future__ import annotations

import re
from pathlib import Path


def parent_of(pid: int) -> int:
    """Returns the id of the process that started this one; 0 if it has ended."""
    return _number(pid, "PPid")


def children_of(pid: int) -> list[int]:
    """Returns the processes that this one started and that still run."""
    return [child for child in _every_process() if parent_of(child) == pid]


def memory_of_own(pid: int) -> int:
    """Returns the resident bytes that a process shares with no other; 0 if it has ended."""
    return _number(pid, "RssAnon") * 1024


def _every_process() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]


def _number(pid: int, name: str) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    found = re.search(rf"^{name}:\s+(\d+)", status, re.MULTILINE)
    return int(found[1]) if found else 0
