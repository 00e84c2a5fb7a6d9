"""``clearwindow check --signatures`` names evidence that was changed, deleted or added, and records without it."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import psycopg
import pytest

from clearwindow.core.clock import SystemClock
from clearwindow.core.ids import RandomIds
from clearwindow.core.vault import Vault
from clearwindow.ledger.check.signatures import service
from clearwindow.ledger.check.signatures.contents import differing_fields
from clearwindow.ledger.check.signatures.models import (
    KeptRequest,
    MovedAmounts,
    Records,
    SettlementRecord,
    SignatureReport,
)
from clearwindow.ledger.check.signatures.service import SIGNATURE_INVARIANTS, check_signatures
from clearwindow.postgres import migrations
from clearwindow.postgres.migrations import all_migrations, migrate
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from tests.signing.evidence.acts import act
from tests.signing.evidence.former_rows import build
from tests.support.databases import TestCluster
from tests.support.settlements import Testbed

RECEIVED, VALID, AS_SIGNED, HAS_EVIDENCE, NONCE = SIGNATURE_INVARIANTS
FALSIFICATIONS: Final[dict[str, tuple[str, set[str]]]] = {
    "a byte of a payload": (
        (
            "UPDATE signed_request SET payload = overlay(payload placing 'X' from 3 for 1)"
            " WHERE operation = 'allocation'"
        ),
        {RECEIVED, VALID},
    ),
    "a byte of a payload, with its digest": (
        (
            "UPDATE signed_request SET payload = p.text, payload_sha256 = sha256(convert_to(p.text, 'UTF8'))"
            " FROM (SELECT number AS n, overlay(payload placing 'X' from 3 for 1) AS text FROM signed_request) AS p"
            " WHERE p.n = number AND operation = 'deallocation'"
        ),
        {RECEIVED, VALID},
    ),
    "a byte of a signature": (
        (
            "UPDATE signed_request SET signature = overlay(signature placing"
            " CASE right(signature, 1) WHEN '0' THEN '1' ELSE '0' END from 130 for 1)"
            " WHERE operation = 'dispute.raise'"
        ),
        {RECEIVED, VALID},
    ),
    "a key": (
        (
            "UPDATE signed_request SET public_key = (SELECT public_key FROM go_account_key"
            " WHERE public_key <> signed_request.public_key LIMIT 1) WHERE operation = 'settlement.deposits'"
        ),
        {VALID},
    ),
    "a key that is no point of the curve": (
        "UPDATE signed_request SET public_key = decode(repeat('00', 33), 'hex') WHERE operation = 'dispute.close'",
        {VALID},
    ),
    "a set of keys": (
        (
            "ALTER TABLE key_set DROP CONSTRAINT key_set_digest;"
            " UPDATE key_set SET public_keys = public_keys || public_keys WHERE sha256 ="
            " (SELECT key_set_sha256 FROM signed_request WHERE operation = 'settlement.onchain')"
        ),
        {VALID},
    ),
    "a key that was revoked and is gone": (
        (
            "DELETE FROM go_account_key WHERE public_key ="
            " (SELECT public_key FROM signed_request WHERE operation = 'allocation.decide')"
        ),
        {VALID},
    ),
    "an account that is another enterprise's": (
        "UPDATE go_account SET enterprise_id = 'spot', is_default = false WHERE enterprise_id = 'trader'",
        {VALID, AS_SIGNED},
    ),
    "the encrypted payload of a connection": (
        "UPDATE sealed_payload SET ciphertext = overlay(ciphertext placing '\\x00' from 20)",
        {RECEIVED},
    ),
    "an encrypted payload is deleted": ("DELETE FROM sealed_payload", {RECEIVED}),
    "the path": (
        (
            "UPDATE signed_request SET path_ids = path_ids || jsonb_build_object('settlementId', gen_random_uuid())"
            " WHERE operation = 'dispute.raise'"
        ),
        {RECEIVED, AS_SIGNED},
    ),
    "a deleted row": (
        "DELETE FROM signed_request WHERE operation = 'settlement.stage'",
        {HAS_EVIDENCE, NONCE},
    ),
    "a deleted row and its nonce": (
        (
            "DELETE FROM nonce WHERE nonce IN (SELECT nonce FROM signed_request WHERE operation = 'allocation');"
            " DELETE FROM signed_request WHERE operation = 'allocation'"
        ),
        {HAS_EVIDENCE},
    ),
    "a deleted decision of a partner": (
        "DELETE FROM signed_request WHERE operation = 'deallocation.decide'",
        {NONCE},
    ),
    "deleted deposits": (
        "DELETE FROM signed_request WHERE operation = 'settlement.deposits'",
        {HAS_EVIDENCE},
    ),
    "a deleted nonce": (
        "DELETE FROM nonce WHERE nonce IN (SELECT nonce FROM signed_request WHERE operation = 'dispute.update')",
        {NONCE},
    ),
    "a record without evidence": (
        (
            "INSERT INTO allocation SELECT (jsonb_populate_record(allocation,"
            " jsonb_build_object('id', gen_random_uuid(), 'client_external_id', 'another'))).*"
            " FROM allocation LIMIT 1"
        ),
        {HAS_EVIDENCE},
    ),
    "a settlement without evidence": (
        (
            "INSERT INTO settlement SELECT (jsonb_populate_record(settlement,"
            " jsonb_build_object('id', gen_random_uuid(), 'external_id', 'another'))).* FROM settlement LIMIT 1"
        ),
        {HAS_EVIDENCE},
    ),
    "a dispute that nobody retracted": (
        (
            "DELETE FROM signed_request WHERE operation = 'dispute.update';"
            " UPDATE dispute SET retracted = true, retracted_by = 'u', retracted_at = now()"
        ),
        {HAS_EVIDENCE, NONCE},
    ),
    "evidence of a record that is gone": ("DELETE FROM dispute_closure", {AS_SIGNED}),
    "another amount of a settlement": (
        "UPDATE settlement_transfer SET quantity = quantity - 1 WHERE quantity = -7",
        {AS_SIGNED},
    ),
    "a transfer that was not asked for": (
        (
            "INSERT INTO settlement_transfer SELECT (jsonb_populate_record(settlement_transfer,"
            " jsonb_build_object('id', gen_random_uuid(), 'currency', 'ofceth'))).* FROM settlement_transfer"
            " WHERE quantity = -10"
        ),
        {AS_SIGNED},
    ),
    "another amount of an allocation": ("UPDATE allocation SET quantity = 31 WHERE quantity = 30", {AS_SIGNED}),
    "another externalId": ("UPDATE settlement SET external_id = 'x' WHERE external_id = 'on chain'", {AS_SIGNED}),
    "another cutoff": ("UPDATE settlement SET cutoff_at = cutoff_at - interval '1 second'", {AS_SIGNED}),
    "another connection of a dispute": ("UPDATE dispute SET connection_id = gen_random_uuid()", {AS_SIGNED}),
    "a retraction that was taken back": (
        "UPDATE dispute SET retracted = true, retracted_by = 'u', retracted_at = now()",
        {AS_SIGNED},
    ),
    "other notes of a closure": ("UPDATE dispute_closure SET notes = 'we were right'", {AS_SIGNED}),
    "another partner of a connection": ("UPDATE connection SET partner_id = gen_random_uuid()", {AS_SIGNED}),
    "another decision": (
        (
            "UPDATE allocation SET status = 'released', refusal = 'partner_refused', reason = 'no'"
            " WHERE id = (SELECT subject_id FROM signed_request WHERE operation = 'allocation.decide')"
        ),
        {AS_SIGNED},
    ),
    "another transaction of a deposit": ("UPDATE onchain_deposit SET on_chain_tx_id = 'x'", {AS_SIGNED}),
}


def report_of(runtime: Runtime) -> SignatureReport:
    with runtime.transaction() as tx:
        return check_signatures(tx, runtime.vault, lambda *_: None)


def _transaction(connection: psycopg.Connection) -> Transaction:
    return Transaction(connection, SystemClock(), RandomIds(), None, 10)


def test_each_falsification_is_named(testbed: Testbed, dsn: str) -> None:
    act(testbed)
    assert report_of(testbed.runtime).findings == []
    missed = {}
    for what, (statement, expected) in FALSIFICATIONS.items():
        with psycopg.connect(dsn) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(statement.encode())
            report = service.verify_all(_transaction(connection), testbed.runtime.vault, lambda *_: None)
            found = {finding.invariant for finding in report.findings}
            if found != expected:
                missed[what] = (found, expected)
            connection.rollback()
    assert missed == {}


def test_batches_are_small_and_cover_everything(testbed: Testbed, monkeypatch: pytest.MonkeyPatch) -> None:
    act(testbed)
    whole = report_of(testbed.runtime)
    said: list[tuple[int, int]] = []
    monkeypatch.setattr(service, "_ROWS_AT_ONCE", 3)
    monkeypatch.setattr(service, "_BYTES_AT_ONCE", 300)
    with testbed.runtime.transaction() as tx:
        report = check_signatures(tx, testbed.runtime.vault, lambda *progress: said.append(progress))
    assert report == whole
    assert said[-1] == (whole.verified, whole.verified)
    assert len(said) > whole.verified / 3


@pytest.mark.parametrize(
    ("amounts", "same"),
    [
        ({"BTC": "-0.0000001"}, True),
        ({"BTC": "-0.00000010"}, True),
        ({"BTC": "-0.00000011"}, False),
        ({"BTC": "0.0000001"}, False),
        ({"ETH": "-0.0000001"}, False),
        ({"BTC": "-0.000000001"}, False),
        ({}, False),
        ({"BTC": None}, False),
        ({"BTC": "NaN"}, False),
    ],
)
def test_amounts_are_compared_by_value(amounts: dict[str, str], *, same: bool) -> None:
    connection, settlement = UUID(int=1), UUID(int=2)
    kept = KeptRequest(
        number=1,
        id=UUID(int=3),
        enterprise_id="exchange",
        operation="settlement.stage",
        subject_id=settlement,
        path_ids={},
        payload=None,
        payload_bytes=0,
        payload_sha256=b"",
        signature="",
        signature_sha256=b"",
        public_key=b"",
        key_set_sha256=b"",
        request_sha256=b"",
        public_keys=None,
        ciphertext=None,
        is_accounts_key=True,
    )
    record = SettlementRecord(
        id=settlement,
        enterprise_id="exchange",
        external_id="e",
        settlement_type="offchain",
        immediate=False,
        notes=None,
        cutoff_at=None,
        amount_scale={"BTC": ("ofcbtc", 8)},
        withdrawn_reason=None,
    )
    payload = {"externalId": "e", "settlementAmounts": {str(connection).upper(): amounts}}
    moved: MovedAmounts = {(None, connection, "ofcbtc"): -10}
    differing = differing_fields(kept, payload, Records(settlements={settlement: record}), lambda _: moved)
    assert (differing == []) is same


def test_records_of_the_former_release_are_counted_apart(
    cluster: TestCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = all_migrations()
    former = [migration for migration in every if migration.name < "0027"]
    with cluster.fresh_database(template="template0") as dsn:
        with monkeypatch.context() as patched:
            patched.setattr(migrations, "all_migrations", lambda: former)
            migrate(dsn)
        with psycopg.connect(dsn) as connection:
            build(connection)
        migrate(dsn)
        with psycopg.connect(dsn) as connection:
            report = service.verify_all(_transaction(connection), Vault(bytes(32)), lambda *_: None)
        older = {"allocations and deallocations": 1, "dispute closures": 1, "disputes": 2, "settlements": 4}
        assert (report.findings, report.before_evidence) == ([], older)
        with psycopg.connect(dsn, autocommit=True) as connection:
            for statement in (
                "UPDATE settlement SET before_evidence = true",
                "INSERT INTO nonce (enterprise_id, nonce, request_sha256, used_at) VALUES ('e', 'n', '', now())",
            ):
                with pytest.raises(psycopg.errors.IntegrityError):
                    connection.execute(statement)
