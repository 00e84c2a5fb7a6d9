"""The network file: whole or not at all, for its owner alone, and errors that never quote a secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clearwindow.simulator.network.file import (
    Connection,
    Exchange,
    Network,
    NetworkFileError,
    OperatorAccess,
    Trader,
    read_network,
    write_network,
)

SECRET = "whoever-reads-this-can-act-for-them"
NETWORK = Network(
    url="http://127.0.0.1:8080",
    operators=(OperatorAccess("ada", SECRET),),
    exchanges=(
        Exchange(
            name="exchange-001",
            enterprise_id="exchange-001",
            partner_id="partner",
            go_account_id="account",
            token=SECRET,
            xprv=SECRET,
            callback_url=None,
            currencies={"BTC": "ofcbtc"},
            amount_unit="decimal",
        ),
    ),
    traders=(
        Trader(
            name="trader-001",
            enterprise_id="trader-001",
            client_id="client",
            go_account_id="account",
            token=SECRET,
            xprv=SECRET,
            connections=(Connection("exchange-001", "connection"),),
        ),
    ),
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    write_network(path, NETWORK)
    assert read_network(path) == NETWORK
    assert path.stat().st_mode & 0o777 == 0o600
    written = json.loads(path.read_text())
    assert written["version"] == 1
    assert written["exchanges"][0]["callbackUrl"] is None
    assert written["traders"][0]["connections"] == [{"exchange": "exchange-001", "connectionId": "connection"}]


def test_a_file_that_others_could_read_is_closed_when_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    path.write_text("{}")
    path.chmod(0o644)
    write_network(path, NETWORK)
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_secret_is_shown() -> None:
    assert SECRET not in repr(NETWORK)


def test_who_is_not_on_it_is_said(tmp_path: Path) -> None:
    assert NETWORK.exchange("exchange-001").partner_id == "partner"
    assert NETWORK.trader("trader-001").client_id == "client"
    with pytest.raises(NetworkFileError, match="no exchange exchange-002; it has exchange-001"):
        NETWORK.exchange("exchange-002")
    with pytest.raises(NetworkFileError, match="no trader exchange-001; it has trader-001"):
        NETWORK.trader("exchange-001")
    with pytest.raises(NetworkFileError, match="cannot be read: No such file"):
        read_network(tmp_path / "none.json")
    with pytest.raises(NetworkFileError, match="cannot be written: No such file"):
        write_network(tmp_path / "no-folder" / "network.json", NETWORK)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "version: must be 1"),
        ({"version": "1"}, "version: must be 1"),
        ({"url": None}, "url: must be a text"),
        ({"operators": [{"name": SECRET}]}, "operators.0.token: is required"),
        ({"operators": [{"name": "ada", "token": 5}]}, "operators.0.token: must be a text"),
        ({"operators": [SECRET]}, "operators.0: must be a JSON object"),
        (
            {"operators": [{"name": "ada", "token": SECRET, "email": SECRET}]},
            "operators.0.email: is not a field of a network file",
        ),
        ({"traders": SECRET}, "traders: must be a JSON array"),
        ({"bank": SECRET}, "bank: is not a field of a network file"),
    ],
)
def test_wrong_field_is_named_without_its_value(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "network.json"
    write_network(path, NETWORK)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(NetworkFileError) as error:
        read_network(path)
    assert str(error.value) == f"{path} is not a network file: {said}."


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"amountUnit": SECRET}, "exchanges.0.amountUnit: must be 'base' or 'decimal'"),
        ({"callbackUrl": 5}, "exchanges.0.callbackUrl: must be a text"),
        ({"currencies": []}, "exchanges.0.currencies: must be a JSON object"),
        ({"currencies": {"BTC": 1}}, "exchanges.0.currencies.BTC: must be a text"),
        (
            {"xprv": None, "amountUnit": SECRET},
            "exchanges.0.xprv: must be a text; exchanges.0.amountUnit: must be 'base' or 'decimal'",
        ),
    ],
)
def test_wrong_field_of_an_exchange_is_named_without_its_value(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    path = tmp_path / "network.json"
    write_network(path, NETWORK)
    content = json.loads(path.read_text())
    content["exchanges"][0] |= change
    path.write_text(json.dumps(content))
    with pytest.raises(NetworkFileError) as error:
        read_network(path)
    assert str(error.value) == f"{path} is not a network file: {said}."


def test_half_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    write_network(path, NETWORK)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(
        NetworkFileError,
        match=r"is not a network file: the file: is not valid JSON \(EOF while parsing an object at line",
    ) as error:
        read_network(path)
    assert SECRET not in str(error.value)
    assert error.value.__cause__ is None


def test_a_file_that_cannot_be_replaced_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "network.json"
    write_network(path, NETWORK)
    before = path.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(NetworkFileError, match="cannot be written: No space left on device"):
        write_network(path, Network(NETWORK.url, (), (), ()))
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["network.json"]
