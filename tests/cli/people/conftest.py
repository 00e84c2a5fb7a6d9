from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clearwindow.simulator.server import temporary_folder
from tests.cli.people.persons import Persons
from tests.support.databases import TestCluster, as_application
from tests.support.processes import START_TOKEN, serving_folder


@pytest.fixture(scope="session")
def persons(cluster: TestCluster) -> Iterator[Persons]:
    """A sandbox with the exchange Meridian, which has one client, Aster; a window takes half an hour.

    All tests of people share it, in any order: each uses names of its own.
    """
    with temporary_folder("people") as folder, cluster.fresh_database() as dsn:
        settings = {"database_url": as_application(dsn), "secret_key": "ab" * 32, "sandbox": "1"}
        with serving_folder(folder / "data", **settings) as served:
            people = Persons(folder, served.url)
            (folder / "ada.token").write_text(START_TOKEN)
            people.done("profile", "add", "ada", "--url", served.url, "--token-file", "ada.token")
            people.done("sandbox", "member", "meridian", "--currency", "BTC=ofcbtc", "--top-up-minutes", "15")
            people.done("sandbox", "member", "aster", "--deposit", "10 BTC", "--deposit", "5 ETH")
            people.done("connect", "meridian", "--profile", "aster", given="token of the exchange")
            people.done("allocate", "meridian", "2 BTC", "--profile", "aster", "--yes")
            yield people


@pytest.fixture
def alone(tmp_path: Path) -> Persons:
    """Somebody without a network: nothing listens at the address."""
    return Persons(tmp_path, "http://127.0.0.1:9")
