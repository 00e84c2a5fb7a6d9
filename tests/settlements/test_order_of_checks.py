"""If two things are wrong with a request, the earlier check answers. Protocol §2."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from clearwindow.signing.keys import PrivateKey
from tests.support.http import loopback_client
from tests.support.networks import Json, sign_body
from tests.support.operators import READ, make_key
from tests.support.refusals import Staging, nothing_written, staging
from tests.support.settlements import Testbed


@dataclass
class Call:
    """A request: ``fields`` are signed, then ``unsigned`` overwrites some of the body."""

    enterprise: str
    token: str
    key: PrivateKey
    fields: Json
    unsigned: Json = field(default_factory=dict)
    version: int = 2

    def send(self, http: httpx2.Client) -> httpx2.Response:
        return http.post(
            f"/api/network/v{self.version}/enterprises/{self.enterprise}/partners/settlements",
            headers={"Authorization": f"Bearer {self.token}"},
            json={**sign_body(self.fields, self.key), **self.unsigned},
        )


class Scenario:
    """One partner whose licence and settings the operator changes and restores."""

    version = 2
    window: float | None = 10

    def __init__(self, testbed: Testbed) -> None:
        self.testbed = testbed
        self.desk: Staging = staging(testbed)
        self.taken = self.desk.accepts()
        self.restore()
        enterprise = self.desk.partner.enterprise.id
        self.token = testbed.operator.user_token(enterprise)
        self.reading = testbed.operator.user_token(enterprise, scopes=[READ])
        self.unknown = str(uuid4())

    def call(self) -> Call:
        enterprise = self.desk.partner.enterprise
        fields = {**self.desk.fields, "externalId": uuid4().hex, "nonce": uuid4().hex}
        fields["settlementAmounts"] = {self.desk.connection.id: {"BTC": "-7"}}
        return Call(enterprise.id, self.token, enterprise.account.key, fields, version=self.version)

    def license(self, *, licensed: bool) -> None:
        answer = self.testbed.operator.patch(
            f"/enterprises/{self.desk.partner.enterprise.id}", {"licensed": licensed}
        )
        assert answer.status_code == 200, answer.text

    def patch_partner(self, **changes: object) -> None:
        answer = self.testbed.operator.patch(f"/partners/{self.desk.partner.id}", changes)
        assert answer.status_code == 200, answer.text

    def restore(self) -> None:
        self.license(licensed=True)
        self.patch_partner(active=True, clientDisputeWindowMinutes=self.window)


@dataclass(frozen=True)
class Defect:
    """One thing wrong with a call, and its error. ``step`` is the number of the check in protocol §2."""

    step: int
    status: int
    name: str
    apply: Callable[[Scenario, Call], Any]


def _amounts(call: Call, amounts: Json) -> None:
    call.fields["settlementAmounts"] = {**call.fields["settlementAmounts"], **amounts}


DEFECTS = [
    Defect(1, 401, "token_invalid", lambda _, call: setattr(call, "token", "unknown")),
    Defect(2, 401, "not_a_member", lambda _, call: setattr(call, "enterprise", "another")),
    Defect(3, 403, "no_licence", lambda scenario, _: scenario.license(licensed=False)),
    Defect(3, 403, "scope_missing", lambda scenario, call: setattr(call, "token", scenario.reading)),
    Defect(4, 400, "request_invalid", lambda _, call: call.unsigned.update(unknown=1)),
    Defect(5, 400, "payload_differs", lambda _, call: call.unsigned.update(notes="other notes")),
    Defect(6, 403, "partner_inactive", lambda scenario, _: scenario.patch_partner(active=False)),
    Defect(
        6, 403, "disputes_not_enabled", lambda scenario, _: scenario.patch_partner(clientDisputeWindowMinutes=None)
    ),
    Defect(7, 400, "connection_unknown", lambda scenario, call: _amounts(call, {scenario.unknown: {"BTC": "1"}})),
    Defect(
        7,
        400,
        "currency_unmapped",
        lambda scenario, call: _amounts(call, {scenario.desk.connection.id: {"XYZ": "1"}}),
    ),
    Defect(8, 401, "signature_invalid", lambda _, call: setattr(call, "key", make_key(987))),
    Defect(
        9,
        409,
        "external_id_taken",
        lambda scenario, call: call.fields.update(externalId=scenario.taken["externalId"], notes="others"),
    ),
    Defect(10, 409, "nonce_used", lambda scenario, call: call.fields.update(nonce=scenario.desk.fields["nonce"])),
    Defect(
        11,
        422,
        "liabilities_exceed_balance",
        lambda scenario, call: _amounts(call, {scenario.desk.connection.id: {"BTC": "-5000"}}),
    ),
]


@pytest.fixture
def http(base_url: str) -> Iterator[httpx2.Client]:
    with loopback_client(base_url=base_url) as http:
        yield http


def test_each_single_defect_has_its_error(testbed: Testbed, http: httpx2.Client) -> None:
    scenario = Scenario(testbed)
    for defect in DEFECTS:
        call = scenario.call()
        defect.apply(scenario, call)
        with nothing_written(testbed.runtime):
            response = call.send(http)
        assert (response.status_code, response.json()["name"]) == (defect.status, defect.name), response.text
        scenario.restore()
    assert scenario.call().send(http).status_code == 200


class AtOnceScene(Scenario):
    """The same without a dispute window, asking for version 1."""

    version = 1
    window = None


AT_ONCE_DEFECTS = [
    Defect(6, 403, "disputes_enabled", lambda scenario, _: scenario.patch_partner(clientDisputeWindowMinutes=0))
    if defect.name == "disputes_not_enabled"
    else replace(defect, status=401, name="settlement_not_covered")
    if defect.name == "liabilities_exceed_balance"
    else defect
    for defect in DEFECTS
]


@pytest.mark.parametrize(("kind", "defects"), [(Scenario, DEFECTS), (AtOnceScene, AT_ONCE_DEFECTS)])
def test_of_two_defects_the_earlier_check_answers(
    testbed: Testbed, http: httpx2.Client, kind: type[Scenario], defects: list[Defect]
) -> None:
    scenario = kind(testbed)
    tried = 0
    for earlier, later in combinations(defects, 2):
        if earlier.step == later.step:
            continue
        call = scenario.call()
        later.apply(scenario, call)
        earlier.apply(scenario, call)
        response = call.send(http)
        expected = (earlier.status, earlier.name)
        assert (response.status_code, response.json()["name"]) == expected, (
            earlier.name,
            later.name,
            response.text,
        )
        if {3, 6} & {earlier.step, later.step}:
            scenario.restore()
        tried += 1
    assert tried == 88
    assert scenario.call().send(http).status_code == 200
    testbed.assert_proven()
