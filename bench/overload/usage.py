"""Processor time and memory of the server's processes and of PostgreSQL's, sampled while a run goes on."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.processes import memory_of_own

_SAMPLE_SECONDS: Final = 0.25
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Sample:
    """Bytes and processor seconds of the server and of the database at one moment."""

    at: float
    server_bytes: int
    database_bytes: int
    server_cpu: float
    database_cpu: float


@dataclass(slots=True)
class Usage:
    """All samples of a run."""

    samples: list[Sample] = field(default_factory=list)

    def between(self, begin: float, end: float) -> Sequence[Sample]:
        """Returns the samples of a stage; of a stage shorter than a sample, the one that is nearest."""
        found = [sample for sample in self.samples if begin <= sample.at <= end]
        return found or [min(self.samples, key=lambda sample: abs(sample.at - begin))]


@contextmanager
def sampled(server: int, postmaster: int) -> Iterator[Usage]:
    """Samples until the block ends. Memory that processes share is not counted."""
    usage = Usage([_sample(server, postmaster)])
    stopping = threading.Event()

    def sample() -> None:
        while not stopping.wait(_SAMPLE_SECONDS):
            usage.samples.append(_sample(server, postmaster))

    thread = threading.Thread(target=sample, name="samples usage", daemon=True)
    thread.start()
    try:
        yield usage
    finally:
        stopping.set()
        thread.join()


def _sample(server: int, postmaster: int) -> Sample:
    of_server = [server]
    of_database = [postmaster, *_children(postmaster)]
    return Sample(
        time.monotonic(),
        sum(map(memory_of_own, of_server)),
        sum(map(memory_of_own, of_database)),
        sum(map(_cpu_seconds, of_server)),
        sum(map(_cpu_seconds, of_database)),
    )


def _children(pid: int) -> Sequence[int]:
    """Returns the children of a process that starts them all in its first thread."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS
