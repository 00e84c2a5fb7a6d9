"""The migration knows the texts of all evidence that is there when it runs. Protocol §11."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from uuid import UUID, uuid4

import psycopg
import pytest

from clearwindow.postgres import migrations
from clearwindow.postgres.migrations import all_migrations, migrate
from tests.support.databases import TestCluster, as_superuser

BEFORE = "0033_intent"
INSERT = """
INSERT INTO signed_request (id, enterprise_id, account_id, operation, subject_id, path_ids, nonce, payload,
    payload_bytes, payload_sha256, signature, signature_sha256, public_key, key_set_sha256, request_sha256,
    received_at)
VALUES (%(id)s, 'ann', %(id)s, %(operation)s, %(subject_id)s, '{}', 'n', %(payload)s,
    2, %(digest)s, 's', %(digest)s, %(key)s, %(digest)s, %(request)s,
    now())
"""


@pytest.fixture
def former(cluster: TestCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database of the migrations before this one."""
    every = all_migrations()
    older = [each for each in every if each.name < BEFORE]
    assert 0 < len(older) < len(every)
    with cluster.fresh_database(template="template0") as dsn:
        with monkeypatch.context() as patched:
            patched.setattr(migrations, "all_migrations", lambda: older)
            migrate(dsn)
        yield dsn


def insert(dsn: str, operation: str, payload: str, key: bytes) -> UUID:
    """Inserts evidence without what it refers to."""
    subject_id, digest = uuid4(), hashlib.sha256(payload.encode()).digest()
    with psycopg.connect(as_superuser(dsn)) as database:
        database.execute("SET session_replication_role = replica")
        values = {
            "id": uuid4(),
            "operation": operation,
            "subject_id": subject_id,
            "payload": None if operation == "connection.create" else payload,
            "digest": digest,
            "key": key,
            "request": hashlib.sha256(subject_id.bytes).digest(),
        }
        database.execute(INSERT, values)
    return subject_id


def test_first_use_of_each_text_of_each_key_is_known(former: str) -> None:
    ann, bob = b"\2" * 33, b"\3" * 33
    first = insert(former, "allocation", "{}", ann)
    insert(former, "deallocation", "{}", ann)
    theirs = insert(former, "allocation", "{}", bob)
    sealed = insert(former, "connection.create", "[]", ann)
    assert BEFORE in migrate(former)
    with psycopg.connect(former) as database:
        found = database.execute("SELECT public_key, operation, subject_id FROM used_text").fetchall()
    assert sorted(found) == sorted(
        [(ann, "allocation", first), (bob, "allocation", theirs), (ann, "connection.create", sealed)]
    )


def test_new_evidence_must_be_of_the_one_use_of_its_text(former: str) -> None:
    insert(former, "allocation", "{}", b"\2" * 33)
    migrate(former)
    with psycopg.connect(as_superuser(former)) as database:
        again = (
            "INSERT INTO signed_request OVERRIDING SYSTEM VALUE SELECT (jsonb_populate_record(kept,"
            " jsonb_build_object('number', 0, 'id', gen_random_uuid(), 'subject_id', gen_random_uuid()))).*"
            " FROM signed_request AS kept"
        )
        # What the evidence here refers to beside its text was never made.
        database.execute(
            "ALTER TABLE signed_request DROP CONSTRAINT signed_request_enterprise_fkey,"
            " DROP CONSTRAINT signed_request_account_fkey, DROP CONSTRAINT signed_request_key_set_fkey"
        )
        with pytest.raises(psycopg.errors.ForeignKeyViolation, match="signed_request_text_fkey"):
            database.execute(again)
