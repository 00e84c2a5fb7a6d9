"""The processes of a rehearsal: a sandbox server, its worker, the exchanges and the traders."""

from __future__ import annotations

import secrets
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clearwindow.client import Client, HttpOptions, KeySigner, Operator, Partner
from clearwindow.simulator import server
from clearwindow.simulator.network.file import Network, read_network
from clearwindow.simulator.programs import Line, Program, ProgramEndedError, run_to_end

START_SECONDS: Final = 60
_OPTIONS: Final = HttpOptions(trust_env=False, read_timeout_seconds=300, total_timeout_seconds=600)
_COMMAND_SECONDS: Final = 600

_SETTINGS: Final[Mapping[str, str]] = {
    "CLEARWINDOW_SANDBOX": "1",
    "CLEARWINDOW_RATE_LIMIT_PER_MINUTE": "0",
    # The server waits for late answers in real time, so short limits make a rehearsal faster.
    "CLEARWINDOW_PARTNER_CALL_TIMEOUT_SECONDS": "2",
    "CLEARWINDOW_WEBHOOK_TIMEOUT_SECONDS": "2",
    "CLEARWINDOW_LOG_LEVEL": "warning",
}
SLOW_SECONDS: Final = 0.5
LATE_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The options of a rehearsal.

    Attributes:
        exchanges, traders: how many; each trader connects to each exchange.
        rounds: how many rounds each exchange settles while faults are injected.
        every_seconds: the time between rounds, in real time.
        seed: the same seed gives the same trades, amounts and faults.
        fault_percent: the percentage of calls, deliveries, settled amounts and traders' checks that go wrong.
        kills: whether the worker and an exchange are killed halfway.
    """

    exchanges: int = 2
    traders: int = 3
    rounds: int = 6
    every_seconds: float = 4
    seed: int = 1
    fault_percent: int = 20
    kills: bool = True


@dataclass(frozen=True, slots=True)
class Sandbox:
    """All processes, with the network file."""

    folder: Path
    url: str
    network: Network
    worker: Program
    exchanges: Mapping[str, Program]
    traders: Program
    terms: Terms

    @contextmanager
    def operator(self, name: str) -> Iterator[Operator]:
        """Opens a client for one of the two operators."""
        token = next(each.token for each in self.network.operators if each.name == name)
        with Operator(self.url, token, options=_OPTIONS) as operator:
            yield operator

    @contextmanager
    def partner(self, name: str) -> Iterator[Partner]:
        """Opens a client for an exchange."""
        known = self.network.exchange(name)
        with Partner(self.url, known.token, known.enterprise_id, options=_OPTIONS) as partner:
            yield partner

    @contextmanager
    def client(self, name: str) -> Iterator[Client]:
        """Opens a client for a trader."""
        known = self.network.trader(name)
        signer = KeySigner(known.xprv)
        with Client(self.url, known.token, known.enterprise_id, signer=signer, options=_OPTIONS) as client:
            yield client

    def start_worker(self) -> None:
        """Starts the worker. There is nothing to wait for: due work stays due until a worker does it."""
        self.worker.start()

    def start_exchanges(self, arguments: Mapping[str, Sequence[str]]) -> None:
        """Starts exchanges, each with its arguments, and waits until all of them listen."""
        since = {name: len(self.exchanges[name].lines) for name in arguments}
        for name, more in arguments.items():
            self.exchanges[name].start(*more)
        for name, lines in since.items():
            self.exchanges[name].await_line(lambda line: line["event"] == "listening", START_SECONDS, since=lines)

    def start_traders(self, *more: str) -> None:
        """Starts the traders, and waits until all are ready, which means that they have checked all settlements."""
        since = len(self.traders.lines)
        self.traders.start(*more)
        for each in self.network.traders:
            self._await_ready(each.name, since)

    def _await_ready(self, trader: str, since: int) -> None:
        def is_ready(line: Line) -> bool:
            return bool(line["happened"] == "ready" and line["trader"] == trader)

        self.traders.await_line(is_ready, START_SECONDS, since=since)

    def require_running(self) -> None:
        """Checks that no program has ended by itself.

        Raises:
            ProgramEndedError: one has ended.
        """
        for program in (self.worker, *self.exchanges.values(), self.traders):
            program.require_running()

    def check(self) -> tuple[bool, str]:
        """Runs ``clearwindow check``. Returns whether it found no error, and what it printed."""
        data = str(server.data_folder(self.folder))
        done = _run(["check", "--data", data], server.environment(_SETTINGS), accepted=(0, 1))
        return done.returncode == 0, done.stdout.strip()


@contextmanager
def open_sandbox(folder: Path, terms: Terms) -> Iterator[Sandbox]:
    """Starts a sandbox and creates a network on it. Worker, exchanges and traders are not started yet.

    Raises:
        ServerNotStartedError: the server did not start.
        ProgramEndedError: another program did not succeed.
    """
    token = secrets.token_urlsafe(24)
    with ExitStack() as stack:
        url = stack.enter_context(server.serving(folder, token, _SETTINGS, arguments=["--no-worker"]))
        data = str(server.data_folder(folder))
        environment = server.environment(_SETTINGS)
        worker = Program("worker", ["worker", "--data", data], folder, environment)
        stack.callback(worker.kill)
        file = folder / "network.json"
        _seed(url, token, file, terms)
        network = read_network(file)
        seed, percent = str(terms.seed), str(terms.fault_percent)
        plain = server.environment()
        late = ["--slow-seconds", str(SLOW_SECONDS), "--late-seconds", str(LATE_SECONDS)]
        common = ["--network", str(file), "--seed", seed, "--fault-percent", percent, *late]
        exchanges = {
            each.name: Program(each.name, ["exchange", "--name", each.name, *common], folder, plain)
            for each in network.exchanges
        }
        traders = Program("traders", ["trader", "--port", str(_free_ports(1)[0]), *common], folder, plain)
        for program in (*exchanges.values(), traders):
            stack.callback(program.kill)
        yield Sandbox(folder, url, network, worker, exchanges, traders, terms)


def _seed(url: str, token: str, file: Path, terms: Terms) -> None:
    callbacks = ",".join(f"http://127.0.0.1:{port}" for port in _free_ports(terms.exchanges))
    sizes = ["--exchanges", str(terms.exchanges), "--traders", str(terms.traders), "--seed", str(terms.seed)]
    place = ["--url", url, "--out", str(file), "--callback-urls", callbacks]
    _run(["sandbox", "seed", *place, *sizes, "--json"], server.environment({"CLEARWINDOW_OPERATOR_TOKEN": token}))


def _run(
    arguments: list[str], environment: Mapping[str, str], *, accepted: tuple[int, ...] = (0,)
) -> subprocess.CompletedProcess[str]:
    """Runs a command and waits until it ends."""
    done = run_to_end(arguments, environment, _COMMAND_SECONDS)
    if done.returncode not in accepted:
        raise ProgramEndedError(
            f"clearwindow {arguments[0]} ended with exit code {done.returncode}: {done.stderr.strip()}"
        )
    return done


def _free_ports(count: int) -> list[int]:
    """Returns ports that are free now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()
