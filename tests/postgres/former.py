"""A data folder as the release before the roles made it: one role, a superuser without a password, owns everything.

Under root, the server ran as ``nobody``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import psycopg
import pytest
from psycopg import sql

from clearwindow.postgres import migrations
from clearwindow.postgres.embedded.database import address_of

from .plain_clusters import plain_cluster

ROLE: Final = "clearwindow"
_FIRST_OF_THIS_RELEASE: Final = "0021"


def make_former_folder(data_dir: Path) -> None:
    """Makes the folder with a migrated database that has an enterprise and a line of the audit trail."""
    with plain_cluster(data_dir, ROLE) as home:
        with psycopg.connect(address_of(home, ROLE, "postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(ROLE)))
        former = [one for one in migrations.all_migrations() if one.name < _FIRST_OF_THIS_RELEASE]
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(migrations, "all_migrations", lambda: former)
            migrations.migrate(address_of(home, ROLE))
        with psycopg.connect(address_of(home, ROLE)) as connection:
            connection.execute("INSERT INTO enterprise VALUES ('lune', 'Lune', 'x', true, now(), now())")
            connection.execute(
                "INSERT INTO audit_record (at, request_id, actor_kind, actor_id, action, subject_id, details)"
                " VALUES (now(), 'r', 'system', 's', 'a', 'lune', '{}')"
            )
