"""Starting the server under measurement, and talking to it as a partner's program would."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Final
from uuid import UUID

import httpx2

from bench.network import PATH, Network

_ROOT: Final = Path(__file__).parents[1]
_START_SECONDS: Final = 30
_STOP_SECONDS: Final = 30
_REQUEST_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class Staged:
    """One staged settlement, and the seconds of its parts: ``stage`` is the transaction without ``verify``."""

    settlement_id: UUID
    request: float
    decode: float
    verify: float
    stage: float


class MeasuredServer:
    """The server's process and a client of it."""

    def __init__(self, http: httpx2.Client, pid: int, network: Network) -> None:
        self._http = http
        self._pid = pid
        self._network = network

    def stage(self, body: bytes) -> Staged:
        headers = {"Authorization": f"Bearer {self._network.token}", "Content-Type": "application/json"}
        start = perf_counter()
        response = self._http.post(PATH, content=body, headers=headers)
        seconds = perf_counter() - start
        if response.status_code != httpx2.codes.OK:
            raise RuntimeError(f"the settlement was not staged: {response.text}")
        spent = self._http.get("/bench/spent").json()
        settlement_id = UUID(response.json()["settlement"]["id"])
        stage = spent["transaction"] - spent["verify"]
        return Staged(settlement_id, seconds, spent["decode"], spent["verify"], stage)

    def advance(self, settlement_id: UUID) -> float:
        """Runs the settlement's next step; gives its seconds."""
        response = self._http.post(f"/bench/advance/{self._network.partner_id}/{settlement_id}")
        if response.status_code != httpx2.codes.OK:
            raise RuntimeError(f"the settlement did not advance: {response.text}")
        return float(response.json())

    def wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        give_up_at = monotonic() + _START_SECONDS
        while True:
            try:
                self._http.get("/bench/spent", timeout=1)
            except httpx2.TransportError:
                if process.poll() is not None or monotonic() > give_up_at:
                    raise
                sleep(0.05)
            else:
                return

    def peak_bytes(self) -> int:
        """The most memory that the server's process has had resident at once."""
        status = Path(f"/proc/{self._pid}/status").read_text(encoding="ascii")
        found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
        if found is None:
            raise RuntimeError("this system does not tell a process's peak memory")
        return int(found[1]) * 1024


@contextmanager
def measured_server(dsn: str, network: Network) -> Iterator[MeasuredServer]:
    """A server that answers until the block ends."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        command = [sys.executable, "-m", "bench.server", "--dsn", dsn, "--socket", str(listener.fileno())]
        process = subprocess.Popen(command, cwd=_ROOT, pass_fds=[listener.fileno()])  # noqa: S603 - our own module
    try:
        with httpx2.Client(base_url=address, timeout=_REQUEST_SECONDS, trust_env=False) as http:
            server = MeasuredServer(http, process.pid, network)
            server.wait_until_ready(process)
            yield server
    finally:
        process.terminate()
        process.wait(_STOP_SECONDS)
