"""The published JavaScript SDK works unmodified against this server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from clearwindow.signing.keys import parse_public_key
from clearwindow.signing.message import verify_message
from tests.sdk.driver import Desk, Sdk, SdkError, installed_modules, run_documented, running_sdk
from tests.support.networks import Network, PartnerHandle, ok
from tests.support.settlements import Testbed, stage

PASSPHRASE = "correct horse battery staple"
KINDS = {"bearer": ("bearer", 2), "v2x version 2": ("v2x", 2), "v2x version 3": ("v2x", 3)}
Json = dict[str, Any]


@pytest.fixture
def sdk(base_url: str) -> Iterator[Sdk]:
    with running_sdk(installed_modules(), base_url) as sdk:
        yield sdk


def test_documented_program_runs(sdk: Sdk, network: Network) -> None:
    exchange = network.partner("exchange")
    wallet = open_wallet(sdk, network)
    token = network.operator.user_token("trader")
    connection = connect(sdk.open(wallet["id"], token), exchange.id, "main")
    given = {
        "TOKEN": token,
        "GO_ACCOUNT": wallet["id"],
        "PASSPHRASE": PASSPHRASE,
        "CONNECTION": connection,
    }
    assert run_documented(network.operator.base_url, given) == "{ ofcbtc: { available: '10000000', held: '0' } }\n"


def test_published_sdk_works_unmodified(sdk: Sdk, testbed: Testbed) -> None:
    network = testbed.network
    exchange = network.partner("exchange", deposits={"ofcbtc": 1_000_000})
    wallet = open_wallet(sdk, network)
    for kind, (token_kind, version) in KINDS.items():
        token = network.operator.user_token("trader", kind=token_kind)
        desk = sdk.open(wallet["id"], token, version)
        assert (desk.opened["id"], desk.opened["constants"]) == (wallet["id"], {}), kind
        connection = connect(desk, exchange.id, kind)
        read_the_network(desk, exchange.id, connection, kind)
        allocate_and_back(desk, connection)
        settle(desk, testbed, exchange, connection)
        refused(desk, connection)
        sign(desk, wallet)
    stranger = "v2x" + "0" * 64
    with pytest.raises(SdkError, match="unknown, expired or revoked") as thrown:
        sdk.open(wallet["id"], stranger)
    assert thrown.value.status == 401
    testbed.assert_proven()


def open_wallet(sdk: Sdk, network: Network) -> Json:
    """Makes a client with a key that the SDK made and a custodian key."""
    network.operator.enterprise("trader", trustOrg="BitGo Trust")
    asked = {"label": "desk", "keys": [sdk.make_key(PASSPHRASE)], "custodianKey": True}
    account: Json = ok(network.operator.post("/enterprises/trader/go-accounts", asked))["goAccount"]
    ok(network.member("trader").post("/clients"))
    network.operator.deposit(account["id"], "ofcbtc", 10_000_000)
    return account


def connect(desk: Desk, partner_id: str, name: str) -> str:
    key = {"schema": "token", "connectionToken": "the-secret"}
    fields = {"partnerId": partner_id, "name": name, "connectionKey": key, "nonce": uuid4().hex}
    payload = json.dumps(fields)
    signature = desk.ask("signPayload", payload=payload, passphrase=PASSPHRASE)
    made = desk.network("createConnection", {**fields, "payload": payload, "signature": signature})["connection"]
    renamed = desk.network("updateConnection", {"connectionId": made["id"], "name": f"{name} renamed"})
    assert renamed["connection"]["name"] == f"{name} renamed"
    return str(made["id"])


def read_the_network(desk: Desk, partner_id: str, connection: str, name: str) -> None:
    """Checks filters, which the SDK sends as a JSON body of the GET."""
    partners = desk.network("getPartners")["partners"]
    assert [partner["id"] for partner in partners] == [partner_id]
    assert desk.network("getPartners", {"names": ["nobody"], "active": True})["partners"] == []
    currencies = desk.network("getSupportedCurrencies", {"partnerIds": [partner_id]})
    assert "ofcbtc" in json.dumps(currencies)
    found = desk.network("getConnections", {"names": [f"{name} renamed"], "pageSize": 1})["connections"]
    assert [one["id"] for one in found] == [connection]
    assert desk.network("getConnectionById", {"connectionId": connection})["connection"]["active"] is True
    balances = desk.network("getBalances", {"connectionIds": [connection]})
    assert set(balances["networkBalances"]) == {connection}
    assert "ofcbtc" in desk.network("getBalances")["balances"]


def allocate_and_back(desk: Desk, connection: str) -> None:
    allocation = allocate(desk, "createAllocation", connection, 100)
    assert allocation["status"] == "cleared"
    back = allocate(desk, "createDeallocation", connection, 30)
    assert back["status"] == "cleared"
    found = desk.network("getAllocations", {"connectionIds": [connection], "types": ["deallocation"]})[
        "allocations"
    ]
    assert [one["id"] for one in found] == [back["id"]]
    by_id = desk.network("getAllocationById", {"allocationId": allocation["id"]})["allocation"]
    assert by_id["amount"] == {"currency": "ofcbtc", "quantity": "100"}
    assert available(desk, connection) == "70"


def allocate(desk: Desk, method: str, connection: str, quantity: int) -> Json:
    asked = {
        "walletPassphrase": PASSPHRASE,
        "connectionId": connection,
        "amount": {"currency": "ofcbtc", "quantity": str(quantity)},
        "notes": "by the SDK",
    }
    answer: Json = desk.network(method, desk.network("prepareAllocation", asked))
    made: Json = answer["deallocation" if method == "createDeallocation" else "allocation"]
    return made


def available(desk: Desk, connection: str) -> str:
    balances = desk.network("getBalances", {"connectionIds": [connection]})
    return str(balances["networkBalances"][connection]["balances"]["ofcbtc"]["available"])


def settle(desk: Desk, testbed: Testbed, exchange: PartnerHandle, connection: str) -> None:
    staged = stage(exchange, {connection: {"BTC": "-20"}})
    mine = {"partyConnectionIds": [connection], "statuses": ["pending"]}
    assert [one["id"] for one in desk.network("getSettlements", mine)["settlements"]] == [staged["id"]]
    testbed.pass_minutes(10)
    testbed.pass_minutes(10)
    done = desk.network("getSettlementById", {"settlementId": staged["id"]})["settlement"]
    assert done["status"] == "completed"
    wanted = {"settlementIds": [staged["id"]], "currencies": ["ofcbtc"], "pageSize": 10}
    transfers = desk.network("getSettlementTransfers", wanted)["settlementTransfers"]
    assert [transfer["status"] for transfer in transfers] == ["completed"]
    assert available(desk, connection) == "50"


def refused(desk: Desk, connection: str) -> None:
    """Checks that the user of the SDK gets the error text."""
    with pytest.raises(SdkError) as thrown:
        allocate(desk, "createAllocation", connection, 100_000_000)
    assert thrown.value.status == 422
    with pytest.raises(SdkError, match=r"no allocation|no such|there is no|has no") as thrown:
        desk.network("getAllocationById", {"allocationId": str(uuid4())})
    assert thrown.value.status == 404
    with pytest.raises(SdkError, match=r"password error|decrypting"):
        desk.ask("signPayload", payload="{}", passphrase="wrong")


def sign(desk: Desk, wallet: Json) -> None:
    """Signs with the owner's key, which the passphrase decrypts, and with the custodian key."""
    own, custodian = desk.ask("listKeys")
    assert [own["pub"], custodian["pub"]] == [key["pub"] for key in wallet["keys"]]
    assert "encryptedPrv" not in custodian
    payload = '{"notes":"we were wrong","nonce":"n"}'
    for key, signature in (
        (own, desk.ask("signPayload", payload=payload, passphrase=PASSPHRASE)),
        (custodian, desk.ask("custodianSigns", payload=payload)),
    ):
        assert verify_message([parse_public_key(key["pub"])], payload, signature) is not None
