"""What "the same request" is, for each way to settle, and what its repeats may do. Protocol §2."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import permutations

import httpx2
import pytest

from clearwindow.signing.message import sign_message
from tests.support.chains import PATH as ONCHAIN_PATH
from tests.support.chains import ChainDesk
from tests.support.networks import ConnectionHandle, Json, NetworkClient, PartnerHandle, new_nonce, ok, sign_body
from tests.support.operators import READ, make_key
from tests.support.races import at_once
from tests.support.refusals import nothing_written
from tests.support.settlements import CUTOFF, Testbed, fields_of

WAYS = ("staged", "at once", "onchain")
PATHS = {"staged": "/partners/settlements", "at once": "/partners/settlements", "onchain": ONCHAIN_PATH}
ACCEPTED = {"staged": 200, "at once": 200, "onchain": 202}


@dataclass
class Desk:
    """A partner with decimal amounts (on chain: base units), one connection, and one way to settle."""

    testbed: Testbed
    way: str
    partner: PartnerHandle
    connection: ConnectionHandle

    @property
    def api(self) -> NetworkClient:
        return self.partner.api

    def fields(self, amount: str = "-7", **more: object) -> Json:
        fields = fields_of({self.connection.id: {"BTC": amount}}, notes="of the fifth of January")
        if self.way == "onchain":
            del fields["cutoffAt"]
        return {**fields, **more}

    def sign(self, fields: Json) -> Json:
        return self.partner.enterprise.sign(fields)

    def post(self, body: Json, *, way: str | None = None, api: NetworkClient | None = None) -> httpx2.Response:
        chosen = way or self.way
        return (api or self.api).post(PATHS[chosen], body, version=2 if chosen == "staged" else 1)

    def accept(self, body: Json) -> httpx2.Response:
        answer = self.post(body)
        assert answer.status_code == ACCEPTED[self.way], answer.text
        assert "Idempotent-Replayed" not in answer.headers
        return answer

    def refuses(self, body: Json, status: int, name: str, *, way: str | None = None) -> Json:
        with nothing_written(self.testbed.runtime):
            answer = self.post(body, way=way)
        assert (answer.status_code, answer.json().get("name")) == (status, name), answer.text
        error: Json = answer.json()
        return error

    def assert_replay(self, first: httpx2.Response, again: httpx2.Response) -> None:
        assert (again.status_code, again.headers.get("Idempotent-Replayed")) == (first.status_code, "true"), (
            again.text
        )
        assert again.content == first.content
        self.testbed.assert_proven()

    def assert_repeats(self, first: httpx2.Response, body: Json, api: NetworkClient | None = None) -> None:
        """Asserts that a byte-identical repeat gets the first answer and only reads."""
        with nothing_written(self.testbed.runtime):
            again = self.post(body, api=api)
        self.assert_replay(first, again)

    def patch_partner(self, **changes: object) -> None:
        ok(self.testbed.operator.patch(f"/partners/{self.partner.id}", changes))

    def revoke_key(self) -> None:
        """Revokes the partner's key. The account has another one, which no test signs with."""
        account = self.partner.enterprise.account
        ok(self.testbed.operator.post(f"/go-accounts/{account.id}/keys", {"pub": make_key(4_321).xpub}))
        assert self.testbed.operator.delete(f"/go-accounts/{account.id}/keys/{account.key_id}").status_code == 204

    def state(self, answer: httpx2.Response) -> str:
        return self.testbed.state(answer.json()["settlement"]["id"])


@pytest.fixture(params=WAYS)
def desk(request: pytest.FixtureRequest, testbed: Testbed) -> Desk:
    return desk_for(testbed, request.param)


def desk_for(testbed: Testbed, way: str, **settings: object) -> Desk:
    window = None if way == "at once" else 10
    partner = testbed.network.partner(dispute_window=window, onchainEnabled=True, **settings)  # type: ignore[arg-type]
    return Desk(testbed, way, partner, testbed.network.funded(partner, {"ofcbtc": 1_000}))


def spelled_anew(fields: Json, desk: Desk) -> Json:
    """Returns the same request with another nonce, order of keys and white space, and so another signature."""
    anew = {**dict(reversed(fields.items())), "nonce": new_nonce()}
    payload = json.dumps(anew, indent=3)
    return {**anew, "payload": payload, "signature": sign_message(desk.partner.enterprise.account.key, payload)}


def test_repeat_is_answered_whatever_has_changed_since(desk: Desk) -> None:
    body = desk.sign(desk.fields())
    first = desk.accept(body)
    new = desk.sign(desk.fields())
    changes: list[Callable[[], object]] = [
        partial(desk.patch_partner, active=False),
        partial(desk.patch_partner, clientDisputeWindowMinutes=10 if desk.way == "at once" else None),
        partial(desk.testbed.network.configure, "exchange", currencies={"ETH": "ofceth"}, onchainEnabled=False),
        desk.revoke_key,
    ]
    for change in changes:
        change()
        desk.assert_repeats(first, body)
    assert desk.post(new).status_code in {401, 403}
    desk.patch_partner(active=True, clientDisputeWindowMinutes=None if desk.way == "at once" else 10)
    desk.testbed.network.configure("exchange", onchainEnabled=True)
    desk.assert_repeats(first, body)
    desk.refuses(new, 401, "signature_invalid")
    desk.refuses(spelled_anew(desk.fields(), desk), 401, "signature_invalid")


def test_repeat_with_a_bent_signature_learns_nothing(desk: Desk) -> None:
    body = desk.sign(desk.fields())
    desk.accept(body)
    signature = str(body["signature"])
    bent = f"{signature[:-1]}{'0' if signature[-1] != '0' else '1'}"
    refused = desk.refuses({**body, "signature": bent}, 401, "signature_invalid")
    never_sent = desk.fields()
    other = sign_body(never_sent, make_key(5))
    unknown = desk.refuses(other, 401, "signature_invalid")
    for error in (refused, unknown):
        del error["requestId"]
    assert refused == unknown
    different = desk.fields(externalId=json.loads(str(body["payload"]))["externalId"], notes="other")
    known = desk.refuses(sign_body(different, make_key(5)), 401, "signature_invalid")
    del known["requestId"]
    assert known == unknown


def test_repeat_by_another_member_of_the_enterprise_is_answered(desk: Desk) -> None:
    body = desk.sign(desk.fields())
    first = desk.accept(body)
    enterprise = desk.partner.enterprise.id
    token = desk.testbed.operator.user_token(enterprise, "second-user")
    with NetworkClient(desk.testbed.operator.base_url, token, enterprise) as second:
        desk.assert_repeats(first, body, second)
    ok(desk.testbed.operator.patch(f"/enterprises/{enterprise}", {"licensed": False}))
    assert desk.post(body).json()["name"] == "no_licence"


def test_repeat_with_a_token_that_may_only_read_is_refused(desk: Desk) -> None:
    body = desk.sign(desk.fields())
    desk.accept(body)
    reader = desk.testbed.network.member(desk.partner.enterprise.id, scopes=[READ])
    with nothing_written(desk.testbed.runtime):
        refused = desk.post(body, api=reader)
    assert (refused.status_code, refused.json()["name"]) == (403, "scope_missing")


def test_repeat_by_another_enterprise_is_a_request_of_its_own(desk: Desk) -> None:
    body = desk.sign(desk.fields())
    desk.accept(body)
    window = None if desk.way == "at once" else 10
    rival = desk.testbed.network.partner("rival", dispute_window=window, onchainEnabled=True)
    with nothing_written(desk.testbed.runtime):
        refused = desk.post(body, api=rival.api)
    assert (refused.status_code, refused.json()["name"]) == (400, "connection_unknown")
    named = desk.sign(desk.fields(enterpriseId=desk.partner.enterprise.id))
    desk.accept(named)
    with nothing_written(desk.testbed.runtime):
        refused = desk.post(named, api=rival.api)
    assert (refused.status_code, refused.json()["name"]) == (400, "payload_differs")


@pytest.mark.parametrize(("first_way", "second_way"), list(permutations(WAYS, 2)))
def test_same_text_at_another_endpoint_is_no_repeat(testbed: Testbed, first_way: str, second_way: str) -> None:
    desk = desk_for(testbed, first_way)
    fields = desk.fields()
    if "onchain" in {first_way, second_way}:
        fields.pop("cutoffAt", None)
        if "staged" in {first_way, second_way}:
            # Version 2 requires a cutoff, and on chain there is none: no text fits both.
            body = desk.sign(fields if first_way == "onchain" else {**fields, "cutoffAt": CUTOFF})
            desk.accept(body)
            desk.refuses(body, 400, "request_invalid", way=second_way)
            return
    body = desk.sign(fields)
    desk.accept(body)
    if "onchain" in {first_way, second_way}:
        desk.patch_partner(clientDisputeWindowMinutes=None)
    else:
        desk.patch_partner(clientDisputeWindowMinutes=None if second_way == "at once" else 10)
    refused = desk.refuses(body, 409, "external_id_taken", way=second_way)
    assert refused["details"]["fields"] == ["operation"]


def test_same_request_signed_anew_is_a_repeat(desk: Desk) -> None:
    fields = desk.fields()
    first = desk.accept(desk.sign(fields))
    anew = spelled_anew(fields, desk)
    again = desk.post(anew)
    desk.assert_replay(first, again)
    # Its own repeat only reads, and is answered whatever has changed since.
    desk.patch_partner(active=False)
    desk.assert_repeats(first, anew)
    desk.patch_partner(active=True)
    # Its nonce is used up.
    other = desk.sign(desk.fields(nonce=anew["nonce"]))
    desk.refuses(other, 409, "nonce_used")


def test_same_request_with_the_nonce_of_another_is_refused(desk: Desk) -> None:
    fields, other = desk.fields(), desk.fields(amount="-1")
    desk.accept(desk.sign(fields))
    desk.accept(desk.sign(other))
    desk.refuses(desk.sign({**fields, "nonce": other["nonce"]}), 409, "nonce_used")


def test_request_that_differs_is_a_conflict_that_names_the_fields(desk: Desk) -> None:
    fields = desk.fields()
    first = desk.accept(desk.sign(fields))
    settlement_id = first.json()["settlement"]["id"]
    ours = desk.connection.id
    other = desk.testbed.network.connect(desk.connection.client, desk.partner, "other").id
    changes: list[tuple[list[str], Json]] = [
        (["notes"], {"notes": "of the sixth of January"}),
        (["settlementAmounts"], {"settlementAmounts": {ours: {"BTC": "-8"}}}),
        (["settlementAmounts"], {"settlementAmounts": {ours: {"BTC": "7"}}}),
        (["settlementAmounts"], {"settlementAmounts": {ours: {"ETH": "-7"}}}),
        (["settlementAmounts"], {"settlementAmounts": {ours: {"BTC": "-7", "ETH": "1"}}}),
        (["settlementAmounts"], {"settlementAmounts": {ours: {"BTC": "-7"}, other: {"BTC": "1"}}}),
        (["settlementAmounts"], {"settlementAmounts": {other: {"BTC": "-7"}}}),
        (["notes", "settlementAmounts"], {"notes": "-", "settlementAmounts": {ours: {"BTC": "-8"}}}),
    ]
    if desk.way != "onchain":
        changes.append((["cutoffAt"], {"cutoffAt": "2026-01-05T11:58:59.999Z"}))
    for expected, changed in changes:
        body = desk.sign({**fields, **changed, "nonce": new_nonce()})
        refused = desk.refuses(body, 409, "external_id_taken")
        assert sorted(refused["details"]["fields"]) == expected
        assert refused["details"]["settlementId"] == settlement_id
        assert "new externalId" not in refused["error"]
        for name in expected:
            assert name in refused["error"]
    without = {name: value for name, value in fields.items() if name != "notes"}
    assert desk.refuses(desk.sign(without), 409, "external_id_taken")["details"]["fields"] == ["notes"]
    desk.assert_repeats(first, desk.sign(fields))


@pytest.mark.parametrize("way", ["staged", "at once"])
def test_cutoff_is_compared_as_a_moment(testbed: Testbed, way: str) -> None:
    desk = desk_for(testbed, way)
    fields = desk.fields()
    first = desk.accept(desk.sign(fields))
    for written in ("2026-01-05T12:59:00+01:00", "2026-01-05T11:59:00.0004Z"):
        again = desk.post(desk.sign({**fields, "cutoffAt": written, "nonce": new_nonce()}))
        desk.assert_replay(first, again)


def test_amounts_are_scaled_with_the_currency_map_of_the_record(desk: Desk) -> None:
    fields = desk.fields()
    first = desk.accept(desk.sign(fields))
    desk.testbed.network.configure(
        "exchange", currencies={"BTC": "ofceth", "XBT": "ofcbtc"}, amountUnit="decimal", onchainEnabled=True
    )
    desk.assert_replay(first, desk.post(desk.sign({**fields, "nonce": new_nonce()})))
    other = desk.sign({**fields, "settlementAmounts": {desk.connection.id: {"XBT": "-7"}}, "nonce": new_nonce()})
    assert desk.refuses(other, 409, "external_id_taken")["details"]["fields"] == ["settlementAmounts"]


def test_decimal_amounts_are_compared_as_numbers(testbed: Testbed) -> None:
    for way in ("staged", "at once"):
        name = way.replace(" ", "-")
        partner = testbed.network.partner(
            name, dispute_window=None if way == "at once" else 10, amountUnit="decimal", deposits={"ofcbtc": 10**9}
        )
        desk = Desk(testbed, way, partner, testbed.network.connect(testbed.network.client(f"of-{name}"), partner))
        fields = desk.fields(amount="1.5")
        first = desk.accept(desk.sign(fields))
        for written in ("1.50", "1.50000000"):
            amounts = {desk.connection.id: {"BTC": written}}
            again = desk.post(desk.sign({**fields, "settlementAmounts": amounts, "nonce": new_nonce()}))
            desk.assert_replay(first, again)
        amounts = {desk.connection.id: {"BTC": "1.51"}}
        desk.refuses(
            desk.sign({**fields, "settlementAmounts": amounts, "nonce": new_nonce()}), 409, "external_id_taken"
        )


def test_identical_requests_at_the_same_instant_make_one_record(desk: Desk) -> None:
    fields = desk.fields()
    body = desk.sign(fields)
    calls = [partial(desk.post, body), *(partial(desk.post, spelled_anew(fields, desk)) for _ in range(3))] * 6
    answers = at_once(calls)
    assert {answer.status_code for answer in answers} == {ACCEPTED[desk.way]}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert len(ok(desk.api.get("/partners/settlements"))["settlements"]) == 1
    desk.testbed.assert_proven()


@contextmanager
def locked_partner(desk: Desk) -> Iterator[None]:
    """Holds the partner's lock as a staging of the same partner does."""
    with desk.testbed.runtime.transaction() as tx:
        tx.run("SELECT FROM partner WHERE id = %(id)s FOR UPDATE", id=desk.partner.id)
        yield


def test_repeat_does_not_wait_for_the_partners_lock(desk: Desk) -> None:
    fields = desk.fields()
    body = desk.sign(fields)
    first = desk.accept(body)
    with locked_partner(desk):
        desk.assert_repeats(first, body)
        desk.assert_replay(first, desk.post(spelled_anew(fields, desk)))
        other = desk.sign({**fields, "notes": "other", "nonce": new_nonce()})
        desk.refuses(other, 409, "external_id_taken")


def failed(desk: Desk, body: Json) -> httpx2.Response:
    """Sends a request that ends as a failed settlement. Returns its first answer."""
    answer = desk.post(body)
    if desk.way == "onchain":
        assert answer.status_code == 202, answer.text
        ChainDesk(desk.testbed, desk.partner, desk.connection, desk.connection).fail_to_the_end()
    elif desk.way == "staged":
        assert answer.status_code == 200, answer.text
        desk.testbed.pass_minutes(20)
    else:
        assert answer.status_code == 401, answer.text
    assert desk.state(answer) == "failed"
    return answer


def failing_fields(desk: Desk) -> Json:
    # A gain that the partner cannot pay. On chain, the payment of a loss fails.
    return desk.fields(amount="-7" if desk.way == "onchain" else "70")


def assert_not_tried(desk: Desk, first: httpx2.Response, again: httpx2.Response) -> None:
    if desk.way != "at once":
        desk.assert_replay(first, again)
    else:
        assert (again.status_code, again.headers["Idempotent-Replayed"]) == (401, "true")
        answer = again.json()
        assert answer["settlement"] == first.json()["settlement"]
        assert answer["name"] == "settlement_not_covered"
    assert desk.state(first) == "failed"


@pytest.mark.parametrize("obstacle", ["partner_inactive", "window", "currency_unmapped", "signature_invalid"])
def test_repeat_of_a_failed_settlement_tries_it_only_if_a_new_request_would_pass(desk: Desk, obstacle: str) -> None:
    body = desk.sign(failing_fields(desk))
    first = failed(desk, body)
    # Now there is money for it: only the obstacle keeps it from moving.
    desk.testbed.operator.deposit(desk.partner.enterprise.account.id, "ofcbtc", 100)
    if desk.way == "staged":
        desk.testbed.operator.withdraw(desk.partner.enterprise.account.id, "ofcbtc", 100)
        desk.testbed.run_due()
    if obstacle == "partner_inactive":
        desk.patch_partner(active=False)
    elif obstacle == "window" and desk.way == "onchain":
        desk.testbed.network.configure("exchange", onchainEnabled=False)
    elif obstacle == "window":
        desk.patch_partner(clientDisputeWindowMinutes=10 if desk.way == "at once" else None)
    elif obstacle == "currency_unmapped":
        desk.testbed.network.configure("exchange", currencies={"ETH": "ofceth"}, onchainEnabled=True)
    else:
        desk.revoke_key()
    before = desk.connection.balances(), desk.testbed.operator.balances(desk.partner.enterprise.account.id)
    with nothing_written(desk.testbed.runtime):
        again = desk.post(body)
    assert_not_tried(desk, first, again)
    assert (
        desk.connection.balances(),
        desk.testbed.operator.balances(desk.partner.enterprise.account.id),
    ) == before
    desk.testbed.assert_proven()


def test_failed_settlement_is_tried_again_by_the_same_request_signed_anew(desk: Desk) -> None:
    fields = failing_fields(desk)
    first = failed(desk, desk.sign(fields))
    again = desk.post(spelled_anew(fields, desk))
    if desk.way == "at once":
        assert again.status_code == 401, again.text
        desk.testbed.operator.deposit(desk.partner.enterprise.account.id, "ofcbtc", 100)
        done = desk.post(spelled_anew(fields, desk))
        assert (done.status_code, desk.state(first)) == (200, "completed"), done.text
    else:
        assert (again.status_code, again.headers["Idempotent-Replayed"]) == (first.status_code, "true"), again.text
        assert again.json()["settlement"]["id"] == first.json()["settlement"]["id"]
        assert desk.state(first) in {"top_up_window", "onchain"}
    desk.testbed.assert_proven()


def test_record_of_an_older_version_is_compared_by_bytes(desk: Desk) -> None:
    fields = desk.fields()
    body = desk.sign(fields)
    first = desk.accept(body)
    with desk.testbed.runtime.transaction() as tx:
        tx.run("UPDATE settlement SET amount_scale = NULL")
        tx.run("UPDATE nonce SET record_id = NULL")
    desk.assert_repeats(first, body)
    refused = desk.refuses(spelled_anew(fields, desk), 409, "external_id_taken")
    assert refused["details"] == {"fields": [], "settlementId": first.json()["settlement"]["id"]}
