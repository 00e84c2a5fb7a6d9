"""Who was there before roles keeps every right: an upgrade makes everybody an administrator. Protocol §2."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest

from clearwindow.identity.guards import WHOAMI
from clearwindow.identity.rules import token_sha256
from clearwindow.postgres import migrations
from clearwindow.postgres.migrations import all_migrations, migrate
from tests.support.databases import TestCluster, as_owner, migrate_as_owner
from tests.support.http import loopback_client
from tests.support.networks import ok
from tests.support.operators import OperatorClient

FIRST_WITH_ROLES = "0028_roles"
OPERATORS_TOKEN, MEMBERS_TOKEN = "a-token-of-a-former-operator", "a-token-of-a-former-member"
PEOPLE = """
INSERT INTO enterprise (id, name, trust_org, licensed, created_at, updated_at)
VALUES ('lune', 'Lune', 'BitGo Trust', true, now(), now());
INSERT INTO network_user (id, name, created_at) VALUES ('ann', 'Ann', now());
INSERT INTO membership (enterprise_id, user_id, created_at) VALUES ('lune', 'ann', now());
"""
OPERATOR = "INSERT INTO operator (id, name, created_at) VALUES (%s, 'Ada', now())"
TOKEN = """
INSERT INTO access_token (id, token_sha256, enterprise_id, user_id, operator_id, scopes, ip_allow_list, created_at)
VALUES (gen_random_uuid(), %s, %s, %s, %s, '{settlement_network_read,settlement_network_write}', '{}', now())
"""


@pytest.fixture
def dsn(cluster: TestCluster) -> Iterator[str]:
    """A database of the schema before roles, with people, upgraded."""
    older = [each for each in all_migrations() if each.name < FIRST_WITH_ROLES]
    with cluster.fresh_database(template="template0") as dsn:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(migrations, "all_migrations", lambda: older)
            migrate(as_owner(dsn))
        operator_id = uuid4()
        with psycopg.connect(dsn) as connection:
            connection.execute(PEOPLE)
            connection.execute(OPERATOR, [operator_id])
            connection.execute(TOKEN, [token_sha256(OPERATORS_TOKEN), None, None, operator_id])
            connection.execute(TOKEN, [token_sha256(MEMBERS_TOKEN), "lune", "ann", None])
        migrate_as_owner(dsn)
        yield dsn


def test_former_people_are_administrators_and_their_tokens_work(base_url: str) -> None:
    with (
        OperatorClient(base_url, OPERATORS_TOKEN) as ada,
        loopback_client(base_url=base_url, headers={"Authorization": f"Bearer {MEMBERS_TOKEN}"}) as ann,
    ):
        assert ok(ada.get("/whoami"))["operator"]["role"] == "administrator"
        assert ok(ann.get(WHOAMI))["role"] == "administrator"
        # Only an administrator may do this.
        assert ada.operator("Ben", role="viewer")["role"] == "viewer"
