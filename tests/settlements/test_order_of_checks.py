"""Of two things wrong with a request, the one that is checked first answers. Protocol §2."""

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
from tests.support.refusing import Staging, nothing_written, staging
from tests.support.settling import Floor


@dataclass
class Call:
    """A request about to be sent: fields are signed, then ``unsigned`` overwrites some of the body."""

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


class Scene:
    """One partner, whose standing the operator can spoil and mend."""

    version = 2
    window: float | None = 10

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.desk: Staging = staging(floor)
        self.taken = self.desk.accepts()
        self.mend()
        enterprise = self.desk.partner.enterprise.id
        self.token = floor.operator.user_token(enterprise)
        self.reading = floor.operator.user_token(enterprise, scopes=[READ])
        self.unknown = str(uuid4())

    def call(self) -> Call:
        enterprise = self.desk.partner.enterprise
        fields = {**self.desk.fields, "externalId": uuid4().hex, "nonce": uuid4().hex}
        fields["settlementAmounts"] = {self.desk.connection.id: {"BTC": "-7"}}
        return Call(enterprise.id, self.token, enterprise.account.key, fields, version=self.version)

    def license(self, *, licensed: bool) -> None:
        answer = self.floor.operator.patch(
            f"/enterprises/{self.desk.partner.enterprise.id}", {"licensed": licensed}
        )
        assert answer.status_code == 200, answer.text

    def patch_partner(self, **changes: object) -> None:
        answer = self.floor.operator.patch(f"/partners/{self.desk.partner.id}", changes)
        assert answer.status_code == 200, answer.text

    def mend(self) -> None:
        self.license(licensed=True)
        self.patch_partner(active=True, clientDisputeWindowMinutes=self.window)


@dataclass(frozen=True)
class Defect:
    """Something wrong with a call, and the answer it gets. ``step`` counts the checks of protocol §2."""

    step: int
    status: int
    name: str
    spoil: Callable[[Scene, Call], Any]


def _amounts(call: Call, amounts: Json) -> None:
    call.fields["settlementAmounts"] = {**call.fields["settlementAmounts"], **amounts}


DEFECTS = [
    Defect(1, 401, "token_invalid", lambda _, call: setattr(call, "token", "unknown")),
    Defect(2, 401, "not_a_member", lambda _, call: setattr(call, "enterprise", "another")),
    Defect(3, 403, "no_licence", lambda scene, _: scene.license(licensed=False)),
    Defect(3, 403, "scope_missing", lambda scene, call: setattr(call, "token", scene.reading)),
    Defect(4, 400, "request_invalid", lambda _, call: call.unsigned.update(unknown=1)),
    Defect(5, 403, "partner_inactive", lambda scene, _: scene.patch_partner(active=False)),
    Defect(5, 403, "disputes_not_enabled", lambda scene, _: scene.patch_partner(clientDisputeWindowMinutes=None)),
    Defect(6, 400, "connection_unknown", lambda scene, call: _amounts(call, {scene.unknown: {"BTC": "1"}})),
    Defect(
        6, 400, "currency_unmapped", lambda scene, call: _amounts(call, {scene.desk.connection.id: {"XYZ": "1"}})
    ),
    Defect(7, 400, "payload_differs", lambda _, call: call.unsigned.update(notes="other notes")),
    Defect(8, 401, "signature_invalid", lambda _, call: setattr(call, "key", make_key(987))),
    Defect(
        9, 409, "external_id_taken", lambda scene, call: call.fields.update(externalId=scene.taken["externalId"])
    ),
    Defect(9, 409, "nonce_used", lambda scene, call: call.fields.update(nonce=scene.desk.fields["nonce"])),
    Defect(
        10,
        422,
        "liabilities_exceed_balance",
        lambda scene, call: _amounts(call, {scene.desk.connection.id: {"BTC": "-5000"}}),
    ),
]


@pytest.fixture
def http(base_url: str) -> Iterator[httpx2.Client]:
    with loopback_client(base_url=base_url) as http:
        yield http


def test_each_defect_alone_has_its_answer(floor: Floor, http: httpx2.Client) -> None:
    scene = Scene(floor)
    for defect in DEFECTS:
        call = scene.call()
        defect.spoil(scene, call)
        with nothing_written(floor.runtime):
            response = call.send(http)
        assert (response.status_code, response.json()["name"]) == (defect.status, defect.name), response.text
        scene.mend()
    assert scene.call().send(http).status_code == 200


class AtOnceScene(Scene):
    """The same without a dispute window, asking for version 1."""

    version = 1
    window = None


AT_ONCE_DEFECTS = [
    Defect(5, 403, "disputes_enabled", lambda scene, _: scene.patch_partner(clientDisputeWindowMinutes=0))
    if defect.name == "disputes_not_enabled"
    else replace(defect, status=401, name="settlement_not_covered")
    if defect.name == "liabilities_exceed_balance"
    else defect
    for defect in DEFECTS
]


@pytest.mark.parametrize(("kind", "defects"), [(Scene, DEFECTS), (AtOnceScene, AT_ONCE_DEFECTS)])
def test_of_two_defects_the_earlier_answers(
    floor: Floor, http: httpx2.Client, kind: type[Scene], defects: list[Defect]
) -> None:
    scene = kind(floor)
    tried = 0
    for earlier, later in combinations(defects, 2):
        if earlier.step == later.step:
            continue
        call = scene.call()
        later.spoil(scene, call)
        earlier.spoil(scene, call)
        response = call.send(http)
        expected = (earlier.status, earlier.name)
        assert (response.status_code, response.json()["name"]) == expected, (
            earlier.name,
            later.name,
            response.text,
        )
        if {3, 5} & {earlier.step, later.step}:
            scene.mend()
        tried += 1
    assert tried == 87
    assert scene.call().send(http).status_code == 200
    floor.assert_proven()
