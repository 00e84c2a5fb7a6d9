"""A network of a given size, made over HTTP in several runs, and days on it, held against what was traded."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

import psycopg
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from clearwindow.cli.failures import CommandError
from clearwindow.cli.main import app
from clearwindow.client import Client, KeySigner, Operator
from clearwindow.postgres.embedded.cluster import start_embedded
from clearwindow.simulator.day.plan import DayError, DayPlan, Resolution
from clearwindow.simulator.day.run import Day, run_day
from clearwindow.simulator.network import seed
from clearwindow.simulator.network.file import Network, NetworkFileError, read_network
from clearwindow.simulator.network.plan import Plan
from clearwindow.simulator.network.seed import Seeded
from clearwindow.simulator.progress import Meter, Steps
from tests.cli.conftest import open_folder as open_folder  # noqa: PLC0414 - the fixture
from tests.support.processes import COMMAND, START_TOKEN, Running, environment, serving_folder


def _meter() -> Meter:
    return Meter(Console(quiet=True))


@pytest.fixture(scope="module")
def sandbox(open_folder: Path) -> Iterator[Running]:
    with serving_folder(open_folder / "data", sandbox="1") as served:
        yield served


@pytest.fixture(scope="module")
def path(sandbox: Running, open_folder: Path) -> Path:
    """The file of one exchange and two traders, by a run that was killed amid it and another that went on."""
    path = open_folder / "network.json"
    asked = ("--url", sandbox.url, "--exchanges", "1", "--traders", "2", "--out", str(path), "--at-once", "1")
    with (
        _second_connection_waits(open_folder / "data"),
        subprocess.Popen(  # noqa: S603 - our own program
            [*COMMAND, "sandbox", "seed", *asked],
            stderr=subprocess.PIPE,
            text=True,
            env=environment(operator_token=START_TOKEN),
        ) as first,
    ):
        assert first.stderr is not None
        for line in first.stderr:
            if line.startswith("connections 1"):
                first.kill()
    assert first.returncode < 0, "it ended before it was killed"
    gone_on = _run("sandbox", "seed", *asked, "--json", "--operator-token", START_TOKEN)
    assert gone_on.exit_code == 0, gone_on.stderr
    report = json.loads(gone_on.stdout)
    assert (report["operators"], report["exchanges"], report["traders"], report["connections"]) == (2, 1, 2, 2)
    assert 1 <= report["made"]["connections"] <= 2
    return path


@contextmanager
def _second_connection_waits(data: Path) -> Iterator[None]:
    """Keeps a second connection from being made until the block ends: the process cannot end before its kill."""
    dsn = start_embedded(data, share_running=True).dsn
    with closing(psycopg.connect(dsn, autocommit=True)) as database:
        database.execute(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF (SELECT count(*) FROM connection) > 0 THEN PERFORM pg_advisory_xact_lock(1); END IF;"
            " RETURN NEW; END $$"
        )
        database.execute("CREATE TRIGGER wait BEFORE INSERT ON connection FOR EACH ROW EXECUTE FUNCTION wait()")
        database.execute("SELECT pg_advisory_lock(1)")
        yield
        database.execute("SELECT pg_advisory_unlock(1)")
        database.execute("DROP FUNCTION wait CASCADE")


def _run(*arguments: str) -> Result:
    """A command in this process: it saves the seconds that another one takes to start."""
    return CliRunner().invoke(app, arguments)


def _seed(url: str, path: Path, plan: Plan, token: str | None = None) -> Seeded:
    return asyncio.run(seed.seed(url, plan, path, _meter(), operator_token=token))


def _is_put_right(network: Network, trader: str, seed: int) -> bool:
    """Whether the trader's dispute of the first round is closed as it says."""
    disputes = DayPlan(network, seed=seed, rounds=2, disputes_percent=100).disputes(1)
    return any(
        connection.trader == trader and resolution is Resolution.PUT_RIGHT
        for connection, resolution in disputes.items()
    )


def _play(network: Network, *, rounds: int, seed: int = 1, meter: Meter | None = None) -> Day:
    plan = DayPlan(network, seed=seed, rounds=rounds, disputes_percent=100)
    return asyncio.run(run_day(network, plan, meter or _meter(), at_once=4))


def test_all_that_was_made_is_there_once(sandbox: Running, path: Path) -> None:
    network = read_network(path)
    assert path.stat().st_mode & 0o777 == 0o600
    plan = Plan(exchanges=1, traders=2, seed=1)
    for trader in network.traders:
        with Client(sandbox.url, trader.token, trader.enterprise_id) as client:
            connections = list(client.connections.list())
            assert [connection.id for connection in connections] == [trader.connections[0].connection_id]
            balances = client.balances()
            allocated = balances.network_balances[connections[0].id].balances
            wanted = plan.allocation(trader.name, "exchange-001")
            assert allocated["ofcbtc"].available == wanted["ofcbtc"].scaleb(8)
            assert allocated["ofcusdc"].available == wanted["ofcusdc"].scaleb(6)
            # A part of what it brought, which came in once.
            assert balances.balances["ofcbtc"].available == wanted["ofcbtc"].scaleb(8)
    assert _seed(sandbox.url, path, plan).made == dict.fromkeys(
        ("exchanges", "traders", "connections", "allocations"), 0
    )
    assert read_network(path) == network


def test_who_has_lost_the_file_gets_new_tokens_and_keys(sandbox: Running, path: Path, tmp_path: Path) -> None:
    lost, found = read_network(path), tmp_path / "found.json"
    missing = r"There is no token for the operator ada\. Set CLEARWINDOW_OPERATOR_TOKEN"
    with pytest.raises(NetworkFileError, match=missing):
        _seed(sandbox.url, found, Plan(exchanges=1, traders=2, seed=1))
    assert not found.exists()
    seeded = _seed(sandbox.url, found, Plan(exchanges=1, traders=2, seed=1), START_TOKEN)
    assert seeded.made["connections"] == seeded.made["allocations"] == 0
    for before, after in zip(lost.traders, seeded.network.traders, strict=True):
        assert after.connections == before.connections
        assert (after.client_id, after.go_account_id) == (before.client_id, before.go_account_id)
        assert after.xprv != before.xprv


def test_a_day_ends_with_what_was_traded(path: Path) -> None:
    """Three rounds in which all traders dispute, so that each way to end a dispute occurs."""
    asked = ("--network", str(path), "--rounds-per-day", "3", "--disputes-percent", "100")
    told = _run("sandbox", "day", *asked, "--json")
    assert told.exit_code == 0, told.stdout + told.stderr
    report = json.loads(told.stdout)
    assert report["ok"] is True
    assert report["settlements"] == {"completed": 3}
    assert report["disputes"] == {"put_right": 1, "sent_back": 1, "given_up": 1, "retracted": 1}
    assert report["transfers"] == 3 * 2 * 2 + 3 * 2, "three settlements of two clients, and three closed disputes"
    assert {sums["unaccounted"] for sums in report["sums"].values()} == {"0"}
    assert re.search(r"^rounds +3 of 3 ", told.stderr, re.MULTILINE)


def test_what_is_not_as_traded_is_found(sandbox: Running, path: Path) -> None:
    """A client that allocates amid the day is what the day itself did not do."""
    network = read_network(path)
    trader = network.traders[1]

    class Interfering(Meter):
        @contextmanager
        def steps(self, label: str, total: int) -> Iterator[Steps]:
            with super().steps(label, total) as steps:
                yield steps
            signer = KeySigner(trader.xprv)
            with Client(sandbox.url, trader.token, trader.enterprise_id, signer=signer) as client:
                client.allocations.allocate(
                    trader.connections[0].connection_id, currency="ofcbtc", quantity=7, client_external_id="amid"
                )

    day = _play(network, rounds=1, meter=Interfering(Console(quiet=True)))
    assert day.outcome.ledger_ok
    assert day.outcome.statuses == {"completed": 1}
    assert [wrong.partition(": ")[0] for wrong in day.outcome.wrong] == [
        "connections whose balances differ from their trades",
        "ofcbtc",
    ]
    assert trader.connections[0].connection_id in day.outcome.wrong[0]


def test_an_exchange_that_cannot_pay_is_topped_up_and_who_cannot_pay_is_left_out(
    sandbox: Running, path: Path
) -> None:
    network = read_network(path)
    exchange, poor = network.exchanges[0], network.traders[0]
    with (
        Operator(sandbox.url, network.operators[0].token) as operator,
        Client(sandbox.url, poor.token, poor.enterprise_id, signer=KeySigner(poor.xprv)) as client,
    ):
        for currency, balance in operator.go_accounts.balances(exchange.go_account_id).items():
            operator.go_accounts.withdraw(
                exchange.go_account_id, currency=currency, quantity=balance.available, reference=f"all {currency}"
            )
        connection_id = poor.connections[0].connection_id
        for currency, balance in client.balances().network_balances[connection_id].balances.items():
            client.allocations.deallocate(
                connection_id, currency=currency, quantity=balance.available, client_external_id=f"all {currency}"
            )
    day = _play(network, rounds=2)
    assert day.outcome.wrong == []
    assert day.tally.withheld > 0
    assert connection_id not in day.tally.moved
    assert sum(day.tally.topped_up[exchange.name].values()) > 0


def test_a_day_is_refused_where_it_cannot_be_played(path: Path, tmp_path: Path) -> None:
    network = read_network(path)
    with pytest.raises(DayError, match="needs two operators"):
        _play(replace(network, operators=network.operators[:1]), rounds=1)
    with pytest.raises(DayError, match="needs an exchange with a connection"):
        _play(replace(network, traders=()), rounds=1)
    with pytest.raises(DayError, match=r"32 rounds a day are 45 minutes each.*takes 45 minutes"):
        _play(network, rounds=32)
    refused = _run("sandbox", "day", "--network", str(tmp_path / "none.json"))
    assert isinstance(refused.exception, CommandError)
    assert "none.json cannot be read" in str(refused.exception)


def test_a_network_that_is_not_at_rest_plays_no_day(path: Path) -> None:
    """What is left over would be taken for the day's own."""
    network = read_network(path)

    class Dying(Meter):
        @contextmanager
        def steps(self, label: str, total: int) -> Iterator[Steps]:
            with super().steps(label, total) as steps:
                yield _Dying(steps)

    class _Dying(Steps):
        def __init__(self, steps: Steps) -> None:
            self.__dict__ = steps.__dict__

        def done(self, said: str = "") -> None:
            raise KeyError(said)

    seed = next(seed for seed in count(1) if _is_put_right(network, network.traders[1].name, seed))
    with pytest.raises(KeyError):
        _play(network, rounds=2, seed=seed, meter=Dying(Console(quiet=True)))
    with pytest.raises(DayError, match=r"^0 settlements have not ended \[\], and 1 disputes are not settled"):
        _play(network, rounds=2)
