"""Every accepted signed request is kept, and shown to its signer and to operators. Protocol §3."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql

from clearwindow.ledger.check.signatures.service import check_signatures
from clearwindow.signing.message import sign_message
from clearwindow.signing.payload import payload_text
from tests.signing.evidence.acts import ALL_OPERATIONS, act
from tests.support.networks import ConnectionHandle, EnterpriseHandle, Json, new_nonce, ok, sign_body
from tests.support.operators import make_key
from tests.support.races import at_once
from tests.support.refusals import nothing_written
from tests.support.settlements import Testbed, dispute, fields_of, post, stage


def kept(enterprise: EnterpriseHandle, **filters: Any) -> list[Json]:  # noqa: ANN401 - a query
    found: list[Json] = ok(enterprise.api.get("/signed-requests", **filters))["signedRequests"]
    return found


def full(enterprise: EnterpriseHandle, evidence: Json) -> Json:
    found: Json = ok(enterprise.api.get(f"/signed-requests/{evidence['id']}"))["signedRequest"]
    return found


@pytest.fixture
def connection(testbed: Testbed) -> ConnectionHandle:
    return testbed.network.funded(testbed.network.partner(), {"ofcbtc": 1_000})


def test_every_operation_keeps_its_evidence_with_its_record(testbed: Testbed) -> None:
    acted = act(testbed)
    listed = ok(testbed.operator.get("/signed-requests", pageSize=500))["signedRequests"]
    assert {evidence["operation"] for evidence in listed} == ALL_OPERATIONS
    subjects = {(evidence["operation"], evidence["subjectId"]) for evidence in listed}
    assert set(acted.subjects.items()) <= subjects
    for evidence in listed:
        seen = ok(testbed.operator.get(f"/signed-requests/{evidence['id']}"))["signedRequest"]
        assert seen["publicKey"] in seen["activeKeys"]
        if evidence["operation"] == "connection.create":
            assert "payload" not in seen
        else:
            assert hashlib.sha256(seen["payload"].encode()).hexdigest() == evidence["payloadSha256"]
    with testbed.runtime.transaction() as tx:
        report = check_signatures(tx, testbed.runtime.vault, lambda *_: None)
    assert (report.findings, report.verified, report.before_evidence) == ([], len(listed), {})


def test_payload_signature_keys_and_path_are_kept_as_they_came(connection: ConnectionHandle) -> None:
    client = connection.client.enterprise
    fields = connection.allocation_fields("btc", 5, notes="naïve 雪")
    body = sign_body(fields, client.account.key)
    made = ok(client.api.post(f"{connection.path}/deallocations", body))["deallocation"]
    (evidence,) = kept(client, subjectIds=made["id"])
    own = client.account.key.public_key.hex
    assert full(client, evidence) == {
        "id": evidence["id"],
        "operation": "deallocation",
        "enterpriseId": "trader",
        "goAccountId": client.account.id,
        "subjectId": made["id"],
        "pathIds": {"enterpriseId": "trader", "connectionId": connection.id},
        "nonce": fields["nonce"],
        "payload": body["payload"],
        "payloadBytes": len(body["payload"].encode()),
        "payloadSha256": hashlib.sha256(body["payload"].encode()).hexdigest(),
        "signature": body["signature"],
        "publicKey": own,
        "activeKeys": [own],
        "receivedAt": evidence["receivedAt"],
    }


def test_keys_are_those_of_the_time_of_the_request(testbed: Testbed, connection: ConnectionHandle) -> None:
    client, operator = connection.client.enterprise, testbed.operator
    old, new = client.account.key, make_key(99)
    keys = f"/go-accounts/{client.account.id}/keys"
    before = ok(connection.deallocate("ofcbtc", 1))["deallocation"]["id"]
    ok(operator.post(keys, {"pub": new.xpub}))
    between = ok(connection.deallocate("ofcbtc", 1))["deallocation"]["id"]
    assert operator.delete(f"{keys}/{client.account.key_id}").status_code == 204
    body = sign_body(connection.allocation_fields("ofcbtc", 1), new)
    after = ok(client.api.post(f"{connection.path}/deallocations", body))["deallocation"]["id"]
    seen = [full(client, kept(client, subjectIds=made)[0]) for made in (before, between, after)]
    assert [(one["publicKey"], one["activeKeys"]) for one in seen] == [
        (old.public_key.hex, [old.public_key.hex]),
        (old.public_key.hex, sorted([old.public_key.hex, new.public_key.hex])),
        (new.public_key.hex, [new.public_key.hex]),
    ]
    with testbed.runtime.transaction() as tx:
        assert tx.scalars(int, "SELECT count(*) FROM key_set") == [3]


def test_only_the_signer_and_operators_see_it(testbed: Testbed, connection: ConnectionHandle) -> None:
    partner, client = connection.partner.enterprise, connection.client.enterprise
    settlement = stage(connection.partner, {connection.id: {"BTC": "-1"}})
    raised = ok(dispute(connection, settlement["id"]))["dispute"]
    (of_partner,) = kept(partner, operations="settlement.stage")
    (of_client,) = kept(client, operations="dispute.raise", subjectIds=raised["id"])
    assert [one["operation"] for one in kept(partner)] == ["settlement.stage"]
    assert {one["operation"] for one in kept(client)} == {"dispute.raise", "allocation", "connection.create"}
    for stranger, evidence in ((client, of_partner), (partner, of_client)):
        answer = stranger.api.get(f"/signed-requests/{evidence['id']}")
        assert (answer.status_code, answer.json()["name"]) == (404, "signed_request_unknown")
        assert kept(stranger, subjectIds=evidence["subjectId"], nonces=evidence["nonce"]) == []
    seen = ok(testbed.operator.get(f"/signed-requests/{of_client['id']}"))["signedRequest"]
    assert seen == full(client, of_client)
    assert testbed.operator.get("/signed-requests/nothing").status_code == 404


def test_list_is_filtered_and_paged(testbed: Testbed, connection: ConnectionHandle) -> None:
    client = connection.client.enterprise
    made = []
    for _ in range(3):
        testbed.clock.advance(minutes=1)
        made.append(ok(connection.deallocate("ofcbtc", 1))["deallocation"]["id"])
    newest, middle, oldest = kept(client, operations="deallocation")
    assert [newest["subjectId"], middle["subjectId"], oldest["subjectId"]] == list(reversed(made))
    assert kept(client, receivedOnOrAfter=middle["receivedAt"], operations="deallocation") == [newest, middle]
    assert kept(client, receivedBefore=middle["receivedAt"], operations="deallocation,dispute.raise") == [oldest]
    assert kept(client, nonces=f"{oldest['nonce']},{newest['nonce']}") == [newest, oldest]
    page = client.api.get("/signed-requests", operations="deallocation", pageSize=1, pageNumber=1)
    assert (ok(page)["signedRequests"], page.headers["X-Total-Count"]) == ([middle], "3")
    by_operator = testbed.operator.get("/signed-requests", enterpriseId="trader", pageSize=1)
    assert (ok(by_operator)["signedRequests"], by_operator.headers["X-Total-Count"]) == ([newest], "5")
    assert client.api.get("/signed-requests", operations="transfer").status_code == 400


def test_refused_request_and_byte_identical_repeat_leave_nothing(
    testbed: Testbed, connection: ConnectionHandle
) -> None:
    partner = connection.partner
    fields = fields_of({connection.id: {"BTC": "-7"}})
    accepted = partner.enterprise.sign(fields)
    ok(post(partner, accepted))
    too_much = partner.enterprise.sign(fields_of({connection.id: {"BTC": "-5000"}}))
    forged = sign_body(fields_of({connection.id: {"BTC": "-7"}}), make_key(77))
    other = partner.enterprise.sign({**fields, "nonce": new_nonce(), "notes": "other"})
    nonce_again = partner.enterprise.sign(fields_of({connection.id: {"BTC": "-7"}}, nonce=fields["nonce"]))
    with nothing_written(testbed.runtime):
        statuses = [post(partner, body).status_code for body in (too_much, forged, other, nonce_again, accepted)]
    assert statuses == [422, 401, 409, 409, 200]
    assert len(kept(partner.enterprise)) == 1


def test_request_signed_anew_keeps_each_of_its_texts_once(connection: ConnectionHandle) -> None:
    partner = connection.partner
    fields = fields_of({connection.id: {"BTC": "-7"}})
    first = partner.enterprise.sign(fields)
    same_nonce = partner.enterprise.sign(dict(reversed(fields.items())))
    new = partner.enterprise.sign({**fields, "nonce": new_nonce()})
    settlement_id = ok(post(partner, first))["settlement"]["id"]
    for body in (same_nonce, new, same_nonce, new, first):
        assert ok(post(partner, body))["settlement"]["id"] == settlement_id
    seen = [full(partner.enterprise, one) for one in kept(partner.enterprise, subjectIds=settlement_id)]
    assert [one["payload"] for one in seen] == [new["payload"], same_nonce["payload"], first["payload"]]


@pytest.mark.parametrize("what", ["allocations", "deallocations"])
def test_requests_at_one_instant_keep_one_text_each(
    testbed: Testbed, connection: ConnectionHandle, what: str
) -> None:
    client = connection.client.enterprise
    fields = connection.allocation_fields("ofcbtc", 1)
    testbed.operator.deposit(client.account.id, "ofcbtc", 10)
    bodies = [sign_body({**fields, "nonce": nonce}, client.account.key) for nonce in ("one", "two", "one")]
    answers = at_once([partial(client.api.post, f"{connection.path}/{what}", body) for body in bodies])
    assert {answer.status_code for answer in answers} == {200}
    (made,) = {answer.json()[what.removesuffix("s")]["id"] for answer in answers}
    assert sorted(one["nonce"] for one in kept(client, subjectIds=made)) == ["one", "two"]
    testbed.assert_proven()


def test_deposits_signed_twice_keep_both_texts(testbed: Testbed) -> None:
    partner = testbed.network.partner(onchainEnabled=True)
    given = [{"currency": "BTC", "onChainTxId": "tx"}]
    fields = {"externalSettlementId": "later", "deposits": given}
    texts = [fields, dict(reversed(fields.items()))]
    for text in (*texts, *texts):
        answer = partner.api.post(
            "/partners/settlements/onchain/deposits", sign_body(text, partner.enterprise.account.key)
        )
        assert answer.status_code == 201, answer.text
    assert len(kept(partner.enterprise, operations="settlement.deposits")) == 2


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 413)])
def test_payload_that_is_no_settlement_has_at_most_64_kibibytes(
    connection: ConnectionHandle, more: int, status: int
) -> None:
    client = connection.client.enterprise
    fields = connection.allocation_fields("ofcbtc", 1)
    text = payload_text(fields)
    # White space outside the values is part of what is signed.
    payload = text[:-1] + " " * (65_536 - len(text) + more) + "}"
    body = {**fields, "payload": payload, "signature": sign_message(client.account.key, payload)}
    answer = client.api.post(f"{connection.path}/deallocations", body)
    assert (answer.status_code, answer.json().get("name")) == (status, "payload_too_large" if more else None)


def test_key_of_a_connection_is_stored_encrypted_only(dsn: str, connection: ConnectionHandle) -> None:
    (evidence,) = kept(connection.client.enterprise, operations="connection.create")
    assert "payload" not in full(connection.client.enterprise, evidence)
    with psycopg.connect(dsn) as database:
        for table in ("signed_request", "sealed_payload", "connection", "audit_record", "nonce"):
            rows = database.execute(sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(table))).fetchall()
            assert rows
            assert not [row for row in rows if "the-secret-of-the-connection" in row[0]]


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize("table", ["signed_request", "key_set"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_evidence_is_never_changed_or_deleted(dsn: str, table: str, statement: LiteralString) -> None:
    column = sql.Identifier({"signed_request": "nonce", "key_set": "sha256"}[table])
    with psycopg.connect(dsn) as database, pytest.raises(psycopg.errors.IntegrityError, match="append-only"):
        database.execute(sql.SQL(statement).format(sql.Identifier(table), column, column))


@pytest.mark.usefixtures("connection")
def test_ciphertext_of_a_payload_may_be_encrypted_anew_and_not_deleted(dsn: str) -> None:
    with psycopg.connect(dsn) as database:
        assert database.execute("UPDATE sealed_payload SET ciphertext = ciphertext").rowcount == 1
        with pytest.raises(psycopg.errors.IntegrityError, match="kept"):
            database.execute("DELETE FROM sealed_payload")


@pytest.mark.usefixtures("connection")
def test_payload_over_the_limit_is_refused_by_the_database_too(dsn: str) -> None:
    insert = (
        "INSERT INTO signed_request OVERRIDING SYSTEM VALUE SELECT (jsonb_populate_record(kept,"
        " jsonb_build_object('number', 0, 'payload', repeat(' ', 65537), 'payload_bytes', 65537))).*"
        " FROM signed_request AS kept WHERE operation = 'allocation'"
    )
    with psycopg.connect(dsn) as database, pytest.raises(psycopg.errors.CheckViolation, match="payload_size"):
        database.execute(insert)
