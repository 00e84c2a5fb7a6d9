"""``make failover``: plays the scenes, and tells what the application and a bare client noticed of each."""

from __future__ import annotations

import argparse
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from rich.console import Console
from rich.table import Table

from clearwindow.postgres.embedded.account import reachable_binaries
from clearwindow.postgres.embedded.binaries import find_binaries
from clearwindow.simulator.server import temporary_folder
from tests.failover.application import FAKETIME, OPERATOR_TOKEN, Application, migrate
from tests.failover.cluster import Cluster, Programs, installed_patroni
from tests.failover.desks import Bare, Desk, Gap, longest_gap
from tests.failover.hosts import MissingError, made, unprivileged
from tests.failover.scenes import SCENES, Scene, Stage
from tests.support.networks import Network
from tests.support.operators import OperatorClient
from tests.support.ports import reserved_port

DESKS: Final = 6
_BEFORE_SECONDS: Final = 3
_RECOVERED_SECONDS: Final = 30
_ALLOWED_MORE_SECONDS: Final = 2.0
_LATE_SECONDS: Final = 5
_WINDOW_MINUTES: Final = 0.03
_FUNDS: Final = 10**12
_WIDTH: Final = 190
_ROLES: Final = (
    "CREATE ROLE clearwindow_owner LOGIN",
    "CREATE ROLE clearwindow_app LOGIN",
    "CREATE DATABASE clearwindow OWNER clearwindow_owner ENCODING 'UTF8' TEMPLATE template0",
    "REVOKE ALL ON DATABASE clearwindow FROM PUBLIC",
    "GRANT CONNECT, TEMPORARY ON DATABASE clearwindow TO clearwindow_app",
    "CREATE DATABASE bare",
)
_OVERDUE: Final = (
    "SELECT count(*) FROM settlement WHERE due_at < clock_timestamp() - interval '1 second' AND state <> 'failed'"
)
_EARLY: Final = (
    "SELECT count(*) FROM settlement WHERE state = 'completed' AND top_up_deadline_at > clock_timestamp()"
)
_LATE: Final = (
    "SELECT count(*) FROM settlement WHERE state = 'completed' AND created_at > %s"
    " AND finalized_at > top_up_deadline_at + make_interval(secs => %s)"
)
_KEPT: Final = "SELECT count(*) FROM settlement WHERE external_id = ANY(%s)"


@dataclass(frozen=True, slots=True)
class Result:
    """What was seen of one scene."""

    scene: str
    gap: Gap
    bare_gap: Gap
    acknowledged: int
    lost: int
    answers: Counter[str]
    late: int
    early: int
    overdue_for_seconds: float
    found: Sequence[str]

    @property
    def is_outage(self) -> bool:
        """Whether the bare client was kept out, too. Otherwise its longest time is any pause."""
        return self.bare_gap.seconds > _ALLOWED_MORE_SECONDS

    @property
    def missed(self) -> list[str]:
        """Which aims it misses."""
        aims = {
            f"{self.lost} acknowledged settlements are lost": self.lost > 0,
            f"accepts again {self.gap.ended - self.bare_gap.ended:.1f} s later than the bare client": (
                self.is_outage and self.gap.ended > self.bare_gap.ended + _ALLOWED_MORE_SECONDS
            ),
            f"accepts nothing for {self.gap.seconds:.1f} s, and the bare client was never kept out": (
                not self.is_outage and self.gap.seconds > self.bare_gap.seconds + _ALLOWED_MORE_SECONDS
            ),
            "internal_error": any("internal_error" in answer for answer in self.answers),
            f"overdue {_RECOVERED_SECONDS} s after recovery": self.overdue_for_seconds > _RECOVERED_SECONDS,
            f"{self.early} ended early": self.early > 0,
        }
        return [aim for aim, is_missed in aims.items() if is_missed] + list(self.found)


class Run:
    """The scenes on one cluster, with desks and a bare client that go on through all of them."""

    def __init__(self, stage: Stage, desks: Sequence[Desk], bare: Bare, looking: str) -> None:
        self._stage = stage
        self._desks = desks
        self._bare = bare
        self._looking = looking

    def play(self, scene: Scene) -> Result:
        for seen in (self._bare.seen, *(desk.seen for desk in self._desks)):
            seen.answers.clear()
        first = [len(desk.seen.external_ids) for desk in self._desks]
        (began,) = self._ask("SELECT clock_timestamp()")
        time.sleep(_BEFORE_SECONDS)
        since = time.monotonic()
        with self._watched_for_early() as early, scene.played(self._stage):
            pass
        self._wait_until_all_write()
        until = time.monotonic()
        overdue_for_seconds = self._wait_until_nothing_is_overdue(until)
        accepted = [moment for desk in self._desks for moment in list(desk.seen.accepted_at)]
        external_ids = [
            external_id
            for desk, number in zip(self._desks, first, strict=True)
            for external_id in list(desk.seen.external_ids)[number:]
        ]
        self._stage.application.require_running()
        return Result(
            scene.name,
            longest_gap(accepted, since, until),
            longest_gap(list(self._bare.seen.accepted_at), since, until),
            len(external_ids),
            len(external_ids) - self._ask(_KEPT, external_ids)[0],
            sum((desk.seen.answers for desk in self._desks), Counter()),
            self._ask(_LATE, began, _LATE_SECONDS)[0],
            early[0],
            overdue_for_seconds,
            self._stage.application.check(),
        )

    def _ask(self, question: str, *values: object) -> tuple[int]:
        """Asks the server that takes writes, again and again: after a scene, Patroni may restart it once more."""
        give_up_at = time.monotonic() + _RECOVERED_SECONDS
        while True:
            try:
                with psycopg.connect(self._looking, autocommit=True) as connection:
                    return connection.execute(question.encode(), values).fetchone() or (0,)
            except psycopg.OperationalError:
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(0.2)

    def _wait_until_all_write(self) -> None:
        """Returns when the bare client and each desk have written once more, at most a minute later."""
        now = time.monotonic()
        waited_for = [self._bare.seen, *(desk.seen for desk in self._desks)]
        while time.monotonic() < now + 2 * _RECOVERED_SECONDS:
            if all(seen.accepted_at and seen.accepted_at[-1] > now for seen in waited_for):
                return
            time.sleep(0.1)

    def _wait_until_nothing_is_overdue(self, since: float) -> float:
        while time.monotonic() < since + 2 * _RECOVERED_SECONDS:
            if self._ask(_OVERDUE)[0] == 0:
                break
            time.sleep(0.2)
        return time.monotonic() - since

    @contextmanager
    def _watched_for_early(self) -> Iterator[list[int]]:
        """Looks, while the block runs, for settlements that ended before the database says that it is time."""
        most, stop = [0], threading.Event()

        def look() -> None:
            while not stop.wait(0.2):
                with suppress(psycopg.Error), psycopg.connect(self._looking, autocommit=True) as connection:
                    (found,) = connection.execute(_EARLY.encode()).fetchone() or (0,)
                    most[0] = max(most[0], found)

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield most
        finally:
            stop.set()
            thread.join()


@contextmanager
def opened(folder: Path, programs: Programs, console: Console, *, strict: bool) -> Iterator[Run]:
    with ExitStack() as stack:
        hosts = stack.enter_context(contextmanager(made)(folder))
        cluster = Cluster(hosts, programs)
        console.print(f"starting three hosts with {installed_patroni(programs.patroni)}")
        cluster.start(strict=strict)
        with psycopg.connect(
            cluster.address("postgres", "postgres") + "&target_session_attrs=primary"
        ) as connection:
            connection.autocommit = True
            for statement in _ROLES:
                connection.execute(statement.encode())
        bare_address = cluster.address("bare", "postgres")
        with psycopg.connect(bare_address + "&target_session_attrs=primary") as connection:
            connection.execute("CREATE TABLE written (filling text NOT NULL)")
        address = cluster.address("clearwindow", "clearwindow_app")
        migrate(address, cluster.address("clearwindow", "clearwindow_owner"))
        application = Application(folder, address, (reserved_port(), reserved_port()))
        stack.callback(application.stop)
        application.start()
        operator = stack.enter_context(OperatorClient(application.urls[0], OPERATOR_TOKEN))
        network = stack.enter_context(Network(operator))
        desks = [_desk(application, operator, network, number) for number in range(DESKS)]
        bare = Bare(bare_address)
        stop = threading.Event()
        works = [bare.run, *(desk.run for desk in desks)]
        threads = [threading.Thread(target=work, args=[stop]) for work in works]
        for thread in threads:
            thread.start()
        try:
            yield Run(
                Stage(cluster, application),
                desks,
                bare,
                address + "&target_session_attrs=primary&connect_timeout=3",
            )
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def _desk(application: Application, operator: OperatorClient, network: Network, number: int) -> Desk:
    partner = network.partner(
        f"exchange-{number}",
        dispute_window=_WINDOW_MINUTES,
        top_up_window=_WINDOW_MINUTES,
        deposits={"ofcbtc": _FUNDS, "ofcusd": _FUNDS},
    )
    connection = network.funded(partner, {"ofcbtc": _FUNDS, "ofcusd": _FUNDS}, name=f"trader-{number}")
    return Desk(application.urls, partner, connection, operator.user_token(partner.enterprise.id))


def _programs(venv: Path) -> Programs:
    missing = [name for name in ("etcd", "ip", "setpriv") if shutil.which(name) is None]
    packages = {"etcd": "etcd-server", "ip": "iproute2", "setpriv": "util-linux"}
    needed = sorted({packages[name] for name in missing} | (set() if Path(FAKETIME).is_file() else {"faketime"}))
    patroni = venv / "bin" / "patroni"
    if needed or not patroni.is_file():
        raise MissingError(
            "this needs PostgreSQL under Patroni and etcd, and this machine lacks "
            + " and ".join([*needed, *([] if patroni.is_file() else [f"Patroni in {venv}"])])
            + ". make failover INSTALL=1 installs the packages from Debian, and Patroni from PyPI"
        )
    etcd = shutil.which("etcd")
    binaries = reachable_binaries(find_binaries(), unprivileged())
    return Programs(binaries.bin_dir, patroni.absolute(), Path(etcd or ""))


def _table(results: Sequence[Result]) -> Table:
    table = Table(title="failover")
    titles = ("scene", "nothing accepted, s (from, to)", "bare client, s", "acknowledged", "lost", "late", "early")
    for title in (*titles, "overdue for, s", "check", "answers"):
        table.add_column(title, overflow="fold")
    for one in results:
        answers = ", ".join(f"{name}: {count}" for name, count in one.answers.most_common())
        numbers = (one.acknowledged, one.lost, one.late, one.early)
        gaps = (str(one.gap), str(one.bare_gap))
        check = "clean" if not one.found else "NOT CLEAN"
        table.add_row(one.scene, *gaps, *map(str, numbers), f"{one.overdue_for_seconds:.1f}", check, answers)
    return table


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make failover")
    parser.add_argument("--only", default="", help="play the scenes whose name has this text")
    parser.add_argument("--strict", action="store_true", help="Patroni's strict synchronous mode")
    parser.add_argument(
        "--venv", type=Path, default=Path("/var/cache/clearwindow/failover"), help="where Patroni is installed"
    )
    asked = parser.parse_args(arguments)
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH
    began = time.monotonic()
    results: list[Result] = []
    try:
        programs = _programs(asked.venv)
        with temporary_folder("failover") as folder, opened(folder, programs, console, strict=asked.strict) as run:
            for scene in SCENES:
                if asked.only in scene.name:
                    since = time.monotonic()
                    result = run.play(scene)
                    results.append(result)
                    said = "; ".join(result.missed) or "as it should be"
                    console.print(f"  {scene.name}: {said}, in {time.monotonic() - since:.0f} s", highlight=False)
    except MissingError as error:
        console.print(str(error))
        return 2
    console.print(_table(results))
    missed = sum(len(one.missed) for one in results)
    console.print(f"{missed} aims missed, in {time.monotonic() - began:.0f} s")
    return int(missed > 0)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
