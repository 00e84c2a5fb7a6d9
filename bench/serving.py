"""Starts the measured server, and calls it as a partner's program would."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final
from uuid import UUID

import httpx2

from bench.network import PATH, Network
from clearwindow.simulator.programs import Program
from clearwindow.simulator.server import START_SECONDS, environment

_COMMAND: Final = (sys.executable, "-m", "bench.server")
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
    """A client of the measured server, which knows the server's process."""

    def __init__(self, http: httpx2.Client, pid: int, network: Network) -> None:
        self._http = http
        self._pid = pid
        self._network = network

    @property
    def pid(self) -> int:
        return self._pid

    def preview(self, body: bytes) -> float:
        """Previews the settlement that a signed request stages, and returns the seconds of the whole request."""
        fields = json.loads(body)
        unsigned = {name: value for name, value in fields.items() if name not in {"payload", "signature"}}
        response, seconds = self._timed(f"{PATH}/preview", json.dumps(unsigned, separators=(",", ":")).encode())
        if response.status_code != httpx2.codes.OK or not response.json()["preview"]["accepted"]:
            raise RuntimeError(f"the settlement would not be staged: {response.text}")
        return seconds

    def _timed(self, path: str, body: bytes) -> tuple[httpx2.Response, float]:
        headers = {"Authorization": f"Bearer {self._network.token}", "Content-Type": "application/json"}
        start = perf_counter()
        response = self._http.post(path, content=body, headers=headers)
        return response, perf_counter() - start

    def stage(self, body: bytes) -> Staged:
        response, seconds = self._timed(PATH, body)
        if response.status_code != httpx2.codes.OK:
            raise RuntimeError(f"the settlement was not staged: {response.text}")
        spent = self._http.get("/bench/spent").json()
        settlement_id = UUID(response.json()["settlement"]["id"])
        stage = spent["transaction"] - spent["verify"]
        return Staged(settlement_id, seconds, spent["read"] + spent["parse"], spent["verify"], stage)

    def advance(self, settlement_id: UUID) -> float:
        """Runs the settlement's next step and returns its seconds."""
        response = self._http.post(f"/bench/advance/{self._network.partner_id}/{settlement_id}")
        if response.status_code != httpx2.codes.OK:
            raise RuntimeError(f"the settlement did not advance: {response.text}")
        return float(response.json())

    def peak_bytes(self) -> int:
        """Returns the peak of the server's resident memory."""
        status = Path(f"/proc/{self._pid}/status").read_text(encoding="ascii")
        found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
        if found is None:
            raise RuntimeError("this system does not show the peak memory of a process")
        return int(found[1]) * 1024


@contextmanager
def measured_server(dsn: str, network: Network, folder: Path) -> Iterator[MeasuredServer]:
    """Starts a server that answers until the block ends. Its log is in the folder."""
    program = Program("bench", ["--dsn", dsn], folder, environment(), command=_COMMAND)
    program.start()
    try:
        address = program.await_line(lambda line: "address" in line, START_SECONDS)["address"]
        with httpx2.Client(base_url=address, timeout=_REQUEST_SECONDS, trust_env=False) as http:
            yield MeasuredServer(http, program.process.pid, network)
    finally:
        program.stop()
