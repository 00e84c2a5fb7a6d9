"""Enterprises become clients or partners. Operators configure and change them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from clearwindow.core.clock import ManualClock
from tests.support.networks import CURRENCIES, Network, ok
from tests.support.operators import READ, OperatorClient

WANTED = {
    "name": "Exchange",
    "broker": False,
    "institutionIdentifier": "EXCH",
    "connectionKeySchema": "token",
    "clientDisputeWindowMinutes": 1.5,
}


def test_an_enterprise_becomes_one_client(network: Network) -> None:
    enterprise = network.enterprise("trader")
    first = ok(enterprise.api.post("/clients"))["client"]
    assert first["enterpriseId"] == "trader"
    assert first["walletId"] == enterprise.account.id
    assert first["trustOrg"] == "BitGo Trust"
    assert ok(enterprise.api.post("/clients", {}))["client"] == first
    assert len(network.operator.audit_log(action="client.created")) == 1


def test_concurrent_requests_create_one_client(network: Network) -> None:
    enterprise = network.enterprise("trader")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ok(enterprise.api.post("/clients")), range(8)))
    assert len({answer["client"]["id"] for answer in answers}) == 1


def test_a_client_needs_a_go_account(network: Network) -> None:
    network.operator.enterprise("bare", trustOrg="BitGo Trust")
    refused = network.member("bare").post("/clients")
    assert (refused.status_code, refused.json()["name"]) == (400, "go_account_missing")


def test_client_request_with_fields_is_rejected(network: Network) -> None:
    assert network.enterprise("trader").api.post("/clients", {"active": True}).status_code == 400


def test_enterprise_becomes_a_partner_only_after_configuration(network: Network) -> None:
    enterprise = network.enterprise("exchange")
    refused = enterprise.api.post("/partners", WANTED)
    assert (refused.status_code, refused.json()["name"]) == (403, "partner_configuration_missing")

    network.configure("exchange")
    partner = ok(enterprise.api.post("/partners", WANTED))["partner"]
    assert partner["clientDisputeWindowMinutes"] == 1.5
    assert "topUpWindowMinutes" not in partner
    assert partner["active"] is True
    assert partner["clientId"] == ok(enterprise.api.post("/clients"))["client"]["id"]


def test_null_windows_mean_none_and_policies_are_off_by_default(network: Network) -> None:
    enterprise = network.enterprise("exchange")
    network.configure("exchange")
    wanted = {name: value for name, value in WANTED.items() if name != "allocationPoliciesEnabled"}
    windows = {"clientDisputeWindowMinutes": None, "topUpWindowMinutes": None}
    partner = ok(enterprise.api.post("/partners", wanted | windows))["partner"]
    assert partner["allocationPoliciesEnabled"] is False
    assert not {"clientDisputeWindowMinutes", "topUpWindowMinutes", "publicKey"} & partner.keys()
    assert enterprise.api.post("/partners", wanted | {"institutionId": None}).status_code == 400


def test_repeat_returns_the_same_partner_and_other_values_are_rejected(network: Network) -> None:
    enterprise = network.enterprise("exchange")
    network.configure("exchange")
    first = ok(enterprise.api.post("/partners", WANTED))["partner"]
    # The operator may change the windows. A repeat of the first request still counts as the same.
    ok(network.operator.patch(f"/partners/{first['id']}", {"clientDisputeWindowMinutes": 7}))
    again = ok(enterprise.api.post("/partners", WANTED | {"allocationPoliciesEnabled": False}))["partner"]
    assert (again["id"], again["clientDisputeWindowMinutes"]) == (first["id"], 7)
    for change in ({"name": "Other"}, {"broker": True}, {"clientDisputeWindowMinutes": 2}):
        refused = enterprise.api.post("/partners", WANTED | change)
        assert (refused.status_code, refused.json()["name"]) == (422, "partner_differs")


WRONG_FIELDS: list[dict[str, object]] = [
    {"clientDisputeWindowMinutes": -1},
    {"clientDisputeWindowMinutes": 525_601},
    {"clientDisputeWindowMinutes": "5"},
    {"clientDisputeWindowMinutes": 0.0000001},
    {"topUpWindowMinutes": True},
    {"connectionKeySchema": "password"},
    {"institutionId": "not-a-uuid"},
    {"name": ""},
    {"broker": "false"},
    {"unknown": 1},
]


def test_invalid_partner_request_is_rejected(network: Network, subtests: pytest.Subtests) -> None:
    enterprise = network.enterprise("exchange")
    network.configure("exchange")
    for change in WRONG_FIELDS:
        with subtests.test(change=repr(change)):
            refused = enterprise.api.post("/partners", WANTED | change)
            assert (refused.status_code, refused.json()["name"]) == (400, "request_invalid")


def test_number_with_a_huge_exponent_is_rejected(network: Network) -> None:
    api = network.enterprise("exchange").api
    body = b'{"name":"E","broker":false,"institutionIdentifier":"E","connectionKeySchema":"token",'
    refused = api.post_raw("/partners", body + b'"topUpWindowMinutes":1e99999999999999999999}')
    assert refused.status_code == 400


def test_a_configuration_is_replaced_as_a_whole(network: Network) -> None:
    network.enterprise("exchange")
    path = "/enterprises/exchange/partner-configuration"
    first = {"currencies": {"XBT": "btc", "BTC": "ofcbtc"}, "amountUnit": "decimal", "executeWhenFunded": True}
    made = ok(network.operator.put(path, first))["partnerConfiguration"]
    assert made == {
        "enterpriseId": "exchange",
        "currencies": {"XBT": "ofcbtc", "BTC": "ofcbtc"},
        "amountUnit": "decimal",
        "executeWhenFunded": True,
        "autoApproveClientClosures": False,
        "onchainEnabled": False,
        "callbackPaths": {},
        "asyncAllocations": False,
    }
    assert ok(network.operator.put(path, first))["partnerConfiguration"] == made
    assert len(network.operator.audit_log(action="partner_configuration.replaced")) == 1
    second = {"currencies": {"ETH": "ofceth"}, "amountUnit": "base"}
    replaced = ok(network.operator.put(path, second))["partnerConfiguration"]
    assert (replaced["currencies"], replaced["executeWhenFunded"]) == ({"ETH": "ofceth"}, False)


WRONG_CONFIGURATIONS: list[dict[str, object]] = [
    {"currencies": {}, "amountUnit": "base"},
    {"currencies": {"BTC": "ofcnone"}, "amountUnit": "base"},
    {"currencies": {"": "ofcbtc"}, "amountUnit": "base"},
    {"currencies": {"BTC": 5}, "amountUnit": "base"},
    {"currencies": CURRENCIES, "amountUnit": "cents"},
    {"currencies": CURRENCIES},
    {"currencies": CURRENCIES, "amountUnit": "base", "callbackUrl": "example.org"},
]


def test_invalid_configuration_is_rejected(network: Network, subtests: pytest.Subtests) -> None:
    network.enterprise("exchange")
    for body in WRONG_CONFIGURATIONS:
        with subtests.test(body=repr(body)):
            assert network.operator.put("/enterprises/exchange/partner-configuration", body).status_code == 400


def test_unknown_enterprise_partner_or_client_is_not_found(operator: OperatorClient) -> None:
    body = {"currencies": CURRENCIES, "amountUnit": "base"}
    assert operator.put("/enterprises/nobody/partner-configuration", body).status_code == 404
    for noun in ("partners", "clients"):
        for id_ in ("7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39", "nonsense", "00000000-0000-0000-0000-000000000000"):
            assert operator.patch(f"/{noun}/{id_}", {"active": False}).status_code == 404


def test_members_cannot_call_operator_routes(network: Network) -> None:
    partner = network.partner()
    with OperatorClient(network.operator.base_url, network.operator.user_token("exchange")) as member:
        assert member.patch(f"/partners/{partner.id}", {"active": False}).status_code == 401
        assert member.put("/enterprises/exchange/partner-configuration", {}).status_code == 401
        assert member.patch(f"/clients/{partner.client_id}", {"active": False}).status_code == 401


def test_patch_changes_given_fields_and_null_removes_a_window(network: Network) -> None:
    partner = network.partner(dispute_window=10, top_up_window=0.25)
    path = f"/partners/{partner.id}"

    def patched(**changes: object) -> dict[str, Any]:
        answer: dict[str, Any] = ok(network.operator.patch(path, changes))["partner"]
        return answer

    assert patched(stablePartner=True)["clientDisputeWindowMinutes"] == 10
    taken = patched(clientDisputeWindowMinutes=None)
    assert (taken["clientDisputeWindowMinutes"], taken["topUpWindowMinutes"]) == (None, 0.25)
    assert taken["stablePartner"] is True
    assert patched(active=False)["active"] is False
    before = len(network.operator.audit_log(action="partner.changed"))
    assert patched(active=False)["active"] is False
    assert patched()["active"] is False
    assert len(network.operator.audit_log(action="partner.changed")) == before
    for wrong in ({"active": None}, {"topUpWindowMinutes": "1"}, {"clientDisputeWindowMinutes": -0.1}, {"x": 1}):
        assert network.operator.patch(path, wrong).status_code == 400


def test_licensed_enterprise_lists_and_filters_all_partners(network: Network, clock: ManualClock) -> None:
    first = network.partner("first")
    clock.advance(minutes=1)
    second = network.partner("second")
    ok(network.operator.patch(f"/partners/{second.id}", {"active": False}))
    network.enterprise("elsewhere", trustOrg="BitGo Germany")
    reader = network.member("elsewhere", scopes=[READ])

    def seen(**filters: object) -> list[str]:
        return [partner["name"] for partner in ok(reader.get("/partners", **filters))["partners"]]

    assert seen() == ["first", "second"]
    assert seen(active="true") == ["first"]
    assert seen(ids=second.id) == ["second"]
    assert seen(names="first,second", active="false") == ["second"]
    assert seen(institutionIdentifiers="first") == ["first"]
    assert seen(institutionIds=first.id) == []
    assert seen(filterByTrustOrg="true") == []
    assert seen(allocationPoliciesEnabled="false") == ["first", "second"]
    page = reader.get("/partners", pageSize=1, pageNumber=1)
    assert ([one["name"] for one in page.json()["partners"]], page.headers["X-Total-Count"]) == (["second"], "2")
    past = reader.get("/partners", pageSize=1, pageNumber=7)
    assert (past.json()["partners"], past.headers["X-Total-Count"]) == ([], "2")
    body = reader.get("/partners", body={"names": ["first"], "pageSize": 5})
    assert [one["name"] for one in body.json()["partners"]] == ["first"]
    assert reader.get("/partners", body={"names": ["first,second"]}).json()["partners"] == []
    assert all("enterpriseId" not in one for one in ok(reader.get("/partners"))["partners"])
    own = {one["name"]: one.get("enterpriseId") for one in ok(first.api.get("/partners"))["partners"]}
    assert own == {"first": "first", "second": None}


def test_filter_with_a_nul_character_is_rejected(network: Network) -> None:
    assert network.enterprise("trader").api.get("/partners", names="a\0b").status_code == 400


def test_supported_currencies_are_given_per_partner(network: Network) -> None:
    one = network.partner("one", currencies={"XBT": "ofcbtc", "BTC": "ofcbtc"})
    two = network.partner("two", currencies={"USDC": "ofcusdc"})
    answer = ok(one.api.get("/supportedCurrencies", partnerIds=[one.id, two.id]))
    assert answer["supportedCurrencies"] == {
        one.id: [{"ofcCurrency": "ofcbtc", "backingCurrency": "btc", "partnerNames": ["BTC", "XBT"]}],
        two.id: [{"ofcCurrency": "ofcusdc", "backingCurrency": "usdc", "partnerNames": ["USDC"]}],
    }
    assert answer["domain"] == "bitgo-network"
    assert one.api.get("/supportedCurrencies").status_code == 400
    assert one.api.get("/supportedCurrencies", partnerIds="[]").status_code == 400
    unknown = one.api.get("/supportedCurrencies", partnerIds="7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39")
    assert (unknown.status_code, unknown.json()["name"]) == (400, "partner_unknown")


def test_enterprise_that_is_neither_client_nor_partner_is_rejected(network: Network) -> None:
    api = network.enterprise("bystander").api
    for path in ("/clients/connections", "/clients/balances", "/clients/allocations"):
        assert (api.get(path).status_code, api.get(path).json()["name"]) == (403, "not_a_client")
    for path in ("/partners/connections", "/partners/balances", "/partners/allocations"):
        assert (api.get(path).status_code, api.get(path).json()["name"]) == (403, "not_a_partner")


def test_scope_membership_and_licence_are_checked_first(network: Network) -> None:
    network.partner()
    reader = network.member("exchange", scopes=[READ])
    for path in ("/clients", "/partners", "/clients/connections"):
        refused = reader.post(path, {"anything": 1})
        assert (refused.status_code, refused.json()["name"]) == (403, "scope_missing")
    network.operator.enterprise("other", trustOrg="BitGo Trust")
    stranger = network.member("other")
    stranger.enterprise_id = "exchange"
    assert stranger.get("/partners").status_code == 401
    network.operator.patch("/enterprises/exchange", {"licensed": False})
    assert (reader.get("/partners").status_code, reader.get("/partners").json()["name"]) == (403, "no_licence")
