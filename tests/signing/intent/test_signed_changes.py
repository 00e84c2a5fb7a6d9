"""Changes of connections and webhook endpoints are signed if the account requires intent. Protocol §3."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import httpx2
import pytest
from typer.testing import CliRunner

from clearwindow.cli.keys import XPRV_VARIABLE
from clearwindow.cli.main import app
from clearwindow.ledger.check.signatures.service import check_signatures
from clearwindow.signing.message import sign_message
from tests.signing.intent.scenes import LATER, require_intent, with_intent
from tests.support.networks import ConnectionHandle, EnterpriseHandle, Json, new_nonce, ok
from tests.support.operators import make_key
from tests.support.races import at_once
from tests.support.refusals import nothing_written
from tests.support.settlements import Testbed

URL: Final = "https://trader.example/hook"
ENDPOINTS: Final = "/webhook-endpoints"


@dataclass(frozen=True)
class Change:
    """One change before it is signed. ``wanted``: what it changes, without the nonce. ``answer``: its status."""

    owner: EnterpriseHandle
    operation: str
    send: Callable[[Json | None], httpx2.Response]
    ids: Mapping[str, str] = field(default_factory=dict)
    wanted: Json = field(default_factory=dict)
    answer: int = 200

    def intended(self, **more: object) -> Json:
        fields = {**self.wanted, "nonce": new_nonce()}
        return with_intent(fields, self.owner, self.operation, self.ids, **more)


def endpoint_of(owner: EnterpriseHandle, **more: object) -> str:
    fields = {"url": URL, "nonce": new_nonce(), **more}
    body = with_intent(fields, owner, "webhook_endpoint.create", {})
    return str(ok(owner.api.post(ENDPOINTS, body))["webhookEndpoint"]["id"])


def connection_update(connection: ConnectionHandle) -> Change:
    owner = connection.client.enterprise
    send = partial(owner.api.put, connection.path)
    return Change(owner, "connection.update", send, {"connectionId": connection.id}, {"active": False})


def endpoint_create(connection: ConnectionHandle) -> Change:
    owner = connection.client.enterprise
    return Change(
        owner,
        "webhook_endpoint.create",
        partial(owner.api.post, ENDPOINTS),
        wanted={"url": URL, "eventTypes": None},
    )


def endpoint_update(connection: ConnectionHandle) -> Change:
    owner = connection.client.enterprise
    made = endpoint_of(owner)
    send = partial(owner.api.patch, f"{ENDPOINTS}/{made}")
    return Change(owner, "webhook_endpoint.update", send, {"endpointId": made}, {"enabled": False})


def endpoint_delete(connection: ConnectionHandle) -> Change:
    owner = connection.client.enterprise
    made = endpoint_of(owner)
    send = partial(owner.api.delete, f"{ENDPOINTS}/{made}")
    return Change(owner, "webhook_endpoint.delete", send, {"endpointId": made}, answer=204)


def secret_rotation(connection: ConnectionHandle) -> Change:
    owner = connection.client.enterprise
    made = endpoint_of(owner)
    send = partial(owner.api.post, f"{ENDPOINTS}/{made}/rotate-secret")
    return Change(owner, "webhook_endpoint.rotate_secret", send, {"endpointId": made})


def loss_limits_change(connection: ConnectionHandle) -> Change:
    owner, wanted = connection.client.enterprise, {"lossLimits": {"ofcbtc": {"perSettlement": "5", "perDay": None}}}
    send = partial(owner.api.put, f"{connection.path}/loss-limits")
    return Change(owner, "loss_limits.change", send, {"connectionId": connection.id}, wanted)


def _thresholds_change(connection: ConnectionHandle, what: str, path: str) -> Change:
    owner = connection.client.enterprise
    return Change(owner, what, partial(owner.api.put, path), wanted={"thresholds": {"ofcbtc": "5"}})


def thresholds_change(connection: ConnectionHandle) -> Change:
    return _thresholds_change(connection, "approval_thresholds.change", "/clients/approval-thresholds")


def daily_thresholds_change(connection: ConnectionHandle) -> Change:
    return _thresholds_change(connection, "daily_approval_thresholds.change", "/clients/daily-approval-thresholds")


def custodian_limits_change(connection: ConnectionHandle) -> Change:
    return _thresholds_change(connection, "custodian_limits.change", "/custodian-limits")


Scene = Callable[[ConnectionHandle], Change]
WITHOUT_SECRET: Final[tuple[Scene, ...]] = (
    connection_update,
    loss_limits_change,
    thresholds_change,
    daily_thresholds_change,
    custodian_limits_change,
    endpoint_update,
    endpoint_delete,
)
WITH_SECRET: Final[tuple[Scene, ...]] = (endpoint_create, secret_rotation)
CHANGES: Final = WITHOUT_SECRET + WITH_SECRET
each_change = pytest.mark.parametrize("scene", CHANGES, ids=lambda scene: scene.__name__)


@pytest.fixture
def connection(testbed: Testbed) -> ConnectionHandle:
    return testbed.network.funded(testbed.network.partner(), {"ofcbtc": 1_000})


def refusal(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["name"]


@each_change
def test_unsigned_change_is_refused_once_the_account_requires_intent(
    testbed: Testbed, connection: ConnectionHandle, scene: Scene
) -> None:
    change = scene(connection)
    ok(require_intent(change.owner))
    with nothing_written(testbed.runtime):
        assert refusal(change.send(change.wanted)) == (400, "signature_required")
    signed = change.intended()
    assert change.send(signed).status_code == change.answer
    (evidence,) = ok(change.owner.api.get("/signed-requests", operations=change.operation, nonces=signed["nonce"]))[
        "signedRequests"
    ]
    shown = ok(change.owner.api.get(f"/signed-requests/{evidence['id']}"))["signedRequest"]
    assert (shown["payload"], shown["signature"]) == (signed["payload"], signed["signature"])
    assert shown["pathIds"] == {"enterpriseId": change.owner.id, **change.ids}
    with testbed.runtime.transaction() as tx:
        assert check_signatures(tx, testbed.runtime.vault, lambda *_: None).findings == []


@each_change
def test_text_that_the_command_signs_is_accepted(connection: ConnectionHandle, scene: Scene) -> None:
    change = scene(connection)
    ok(require_intent(change.owner))
    wanted = {**change.wanted, "nonce": new_nonce()}
    ids = {"enterpriseId": change.owner.id, **change.ids}
    arguments = ["sign", "--json", "--operation", change.operation]
    arguments += [part for name, value in ids.items() for part in ("--id", f"{name}={value}")]
    # The command reads the machine's clock, and the server that of the tests.
    text = json.dumps({**wanted, "expiresAt": LATER})
    signed = CliRunner().invoke(app, arguments, input=text, env={XPRV_VARIABLE: change.owner.account.key.xprv})
    assert signed.exit_code == 0, signed.output
    assert change.send({**wanted, **json.loads(signed.stdout)}).status_code == change.answer


@each_change
def test_without_the_requirement_a_change_is_unsigned_or_signed(connection: ConnectionHandle, scene: Scene) -> None:
    for signed in (False, True):
        change = scene(connection)
        body = change.intended() if signed else change.wanted
        assert change.send(body).status_code == change.answer


@each_change
def test_signature_that_is_not_of_this_change_is_refused(
    testbed: Testbed, connection: ConnectionHandle, scene: Scene
) -> None:
    change = scene(connection)
    ok(require_intent(change.owner))
    good = change.intended()
    stranger = testbed.network.enterprise("stranger")
    forged, theirs = (sign_message(key, str(good["payload"])) for key in (make_key(99), stranger.account.key))
    with nothing_written(testbed.runtime):
        refused = {
            "no intent": (change.owner.sign(change.wanted), (400, "intent_missing")),
            "another operation": (change.intended(operation="allocation"), (400, "intent_wrong")),
            "another enterprise": (change.intended(enterpriseId="stranger"), (400, "payload_differs")),
            "expired": (change.intended(expiresAt="2020-01-01T00:00:00Z"), (400, "intent_expired")),
            "another field": ({**good, "nonce": new_nonce()}, (400, "payload_differs")),
            "half a signature": (
                {name: value for name, value in good.items() if name != "signature"},
                (400, "request_invalid"),
            ),
            "no nonce": (
                {name: value for name, value in good.items() if name != "nonce"},
                (400, "request_invalid"),
            ),
            "malformed": ({**good, "signature": "00"}, (400, "signature_malformed")),
            "a stranger's key": (
                {**good, "signature": theirs},
                (401, "signature_invalid"),
            ),
            "forged": ({**good, "signature": forged}, (401, "signature_invalid")),
        }
        for name in change.ids:
            refused[f"another {name}"] = (change.intended(**{name: new_nonce()}), (400, "payload_differs"))
        answers = {why: refusal(change.send(body)) for why, (body, _) in refused.items()}
    assert answers == {why: expected for why, (_, expected) in refused.items()}
    assert change.send(good).status_code == change.answer


@pytest.mark.parametrize("scene", WITHOUT_SECRET, ids=lambda scene: scene.__name__)
def test_byte_identical_repeat_changes_nothing_any_more(
    testbed: Testbed, connection: ConnectionHandle, scene: Scene
) -> None:
    change = scene(connection)
    ok(require_intent(change.owner))
    body = change.intended()
    first = change.send(body)
    assert first.status_code == change.answer
    with nothing_written(testbed.runtime):
        assert change.send(body).status_code == change.answer
    used = change.send({**change.intended(), "nonce": body["nonce"]})
    assert used.status_code in {400, 404}


def test_repeat_does_not_undo_what_came_later(connection: ConnectionHandle) -> None:
    owner, path, ids = connection.client.enterprise, connection.path, {"connectionId": connection.id}
    ok(require_intent(owner))
    stop = with_intent({"active": False, "nonce": new_nonce()}, owner, "connection.update", ids)
    start = with_intent({"active": True, "nonce": new_nonce()}, owner, "connection.update", ids)
    assert not ok(owner.api.put(path, stop))["connection"]["active"]
    assert ok(owner.api.put(path, start))["connection"]["active"]
    repeated = owner.api.put(path, stop)
    assert ok(repeated)["connection"]["active"]
    assert repeated.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("scene", WITH_SECRET, ids=lambda scene: scene.__name__)
def test_no_secret_is_shown_twice(testbed: Testbed, connection: ConnectionHandle, scene: Scene) -> None:
    change = scene(connection)
    body = change.intended()
    ok(change.send(body))
    with nothing_written(testbed.runtime):
        assert refusal(change.send(body)) == (409, "text_already_used")


@each_change
def test_same_request_at_the_same_instant_changes_once(connection: ConnectionHandle, scene: Scene) -> None:
    change = scene(connection)
    ok(require_intent(change.owner))
    answers = at_once([partial(change.send, change.intended())] * 8)
    expected = [409] * 7 if scene in WITH_SECRET else [change.answer] * 7
    assert sorted(answer.status_code for answer in answers) == sorted([change.answer, *expected])


def test_text_of_one_change_serves_no_other(testbed: Testbed, connection: ConnectionHandle) -> None:
    """Deletion and rotation have the same fields, and two endpoints differ in the path alone."""
    owner = connection.client.enterprise
    one, other = endpoint_of(owner), endpoint_of(owner)
    ids = {"endpointId": one}
    rotation = with_intent({"nonce": new_nonce()}, owner, "webhook_endpoint.rotate_secret", ids)
    with nothing_written(testbed.runtime):
        assert refusal(owner.api.delete(f"{ENDPOINTS}/{one}", rotation)) == (400, "intent_wrong")
        wrong = owner.api.post(f"{ENDPOINTS}/{other}/rotate-secret", rotation)
        assert refusal(wrong) == (400, "payload_differs")
    ok(owner.api.post(f"{ENDPOINTS}/{one}/rotate-secret", rotation))
    with nothing_written(testbed.runtime):
        assert refusal(owner.api.delete(f"{ENDPOINTS}/{one}", rotation)) == (400, "intent_wrong")
    deletion = with_intent({"nonce": new_nonce()}, owner, "webhook_endpoint.delete", ids)
    assert owner.api.delete(f"{ENDPOINTS}/{one}", deletion).status_code == 204
    assert refusal(owner.api.delete(f"{ENDPOINTS}/{one}", rotation)) == (400, "intent_wrong")


def test_nonce_of_another_request_is_refused(connection: ConnectionHandle) -> None:
    owner, ids = connection.client.enterprise, {"connectionId": connection.id}
    used = new_nonce()
    ok(connection.deallocate("ofcbtc", 1, nonce=used))
    body = with_intent({"name": "b", "nonce": used}, owner, "connection.update", ids)
    assert refusal(owner.api.put(connection.path, body)) == (400, "nonce_used")
    created = with_intent({"url": URL, "nonce": used}, owner, "webhook_endpoint.create", {})
    assert refusal(owner.api.post(ENDPOINTS, created)) == (409, "nonce_used")


def test_an_unknown_endpoint_is_unknown_before_its_signature_counts(connection: ConnectionHandle) -> None:
    owner = connection.client.enterprise
    ok(require_intent(owner))
    nothing = "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39"
    for body in (
        None,
        with_intent({"nonce": new_nonce()}, owner, "webhook_endpoint.delete", {"endpointId": nothing}),
    ):
        assert refusal(owner.api.delete(f"{ENDPOINTS}/{nothing}", body)) == (404, "webhook_endpoint_unknown")


def test_an_enterprise_without_an_account_has_nothing_to_sign_with(testbed: Testbed) -> None:
    testbed.operator.enterprise("bare")
    api = testbed.network.member("bare")
    stranger = testbed.network.enterprise("stranger")
    fields = {"url": URL, "nonce": new_nonce()}
    body = with_intent(fields, stranger, "webhook_endpoint.create", {}, enterpriseId="bare")
    assert refusal(api.post(ENDPOINTS, body)) == (401, "signature_invalid")
    ok(api.post(ENDPOINTS, {"url": URL}))
