"""Events of the former schema, one row for each owner, keep ids and deliveries in the migration. Protocol §9."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import psycopg
import pytest

from clearwindow.core.errors import NotFoundError
from clearwindow.events import outbox
from clearwindow.events.models import EventFilter
from clearwindow.identity.models import Member
from clearwindow.postgres import migrations
from clearwindow.postgres.migrations import Migration, all_migrations, migrate
from clearwindow.postgres.paging import Slice
from clearwindow.runtime import Runtime
from clearwindow.webhooks import endpoints, views
from clearwindow.webhooks.models import DeliveryFilter
from tests.support.databases import TestCluster, as_owner, migrate_as_owner
from tests.support.receivers import Receiver, receiving
from tests.support.runtimes import open_runtime
from tests.webhooks.support import deliver

FIRST_WITH_STEPS = "0023_event_steps"
OWNERS = ("desk-a", "desk-b", "desk-c")
_ENTERPRISE = (
    "INSERT INTO enterprise (id, name, trust_org, licensed, created_at, updated_at)"
    " VALUES (%s, %s, 'BitGo Trust', true, now(), now())"
)
_EVENT = (
    "INSERT INTO event (id, enterprise_id, type, subject_id, payload, created_at)"
    " VALUES (%s, %s, 'settlement.initiated', %s, %s, now())"
)


@dataclass(frozen=True)
class Former:
    """A database of the former schema with the same two events for each owner."""

    dsn: str
    receiver: Receiver
    subjects: tuple[UUID, UUID]
    events: dict[tuple[str, UUID], UUID]
    endpoints: dict[str, UUID]


def _before_steps() -> list[Migration]:
    return [migration for migration in all_migrations() if migration.name < FIRST_WITH_STEPS]


def _insert_endpoint(connection: psycopg.Connection, of: str, member: str, url: str) -> UUID:
    endpoint_id = uuid4()
    connection.execute(
        "INSERT INTO webhook_endpoint (id, enterprise_id, url, status, created_by, created_at, updated_at)"
        " VALUES (%s, %s, %s, 'enabled', %s, now(), now())",
        [endpoint_id, of, url, member],
    )
    return endpoint_id


@pytest.fixture
def former(cluster: TestCluster) -> Iterator[Former]:
    """desk-a was told of both events, desk-b of the first, desk-c of none."""
    with cluster.fresh_database(template="template0") as dsn, receiving() as receiver:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(migrations, "all_migrations", _before_steps)
            migrate(as_owner(dsn))
        subjects = (uuid4(), uuid4())
        events = {(owner, subject): uuid4() for subject in subjects for owner in OWNERS}
        made = {}
        with psycopg.connect(dsn) as connection:
            for owner in OWNERS:
                connection.execute(_ENTERPRISE, [owner, owner])
                made[owner] = _insert_endpoint(connection, owner, "somebody", f"{receiver.url}/{owner}")
            for (owner, subject), event_id in events.items():
                connection.execute(_EVENT, [event_id, owner, subject, '{"settlementId": "s"}'])
            for owner, told in (("desk-a", subjects), ("desk-b", subjects[:1])):
                connection.execute(
                    "UPDATE webhook_delivery SET status = 'delivered', attempts = 1, ended_at = now()"
                    " WHERE event_id = ANY(%s)",
                    [[events[owner, subject] for subject in told]],
                )
        yield Former(dsn, receiver, subjects, events, made)


def test_former_events_and_deliveries_stay_as_they_are(former: Former) -> None:
    columns = "endpoint_id, position, enterprise_id, event_id, status, replayed, attempts, owed_since, ended_at"
    kept = f"SELECT {columns} FROM webhook_delivery ORDER BY position"  # noqa: S608 - columns of ours
    with psycopg.connect(former.dsn) as connection:
        before = connection.execute(kept).fetchall()
    assert len(before) == 6
    migrate_as_owner(former.dsn)
    with psycopg.connect(former.dsn) as connection:
        assert connection.execute(kept).fetchall() == before
        assert connection.execute("SELECT count(*) FROM event_to_deliver").fetchone() == (0,)
        assert connection.execute("SELECT DISTINCT clients FROM event").fetchall() == [(0,)]
    with open_runtime(former.dsn) as runtime:
        assert _statuses(runtime, former) == {
            "desk-a": ["delivered", "delivered"],
            "desk-b": ["owed", "delivered"],
            "desk-c": ["owed", "owed"],
        }
        for owner in OWNERS:
            listed = outbox.list_events(runtime, EventFilter(owner, None, None, None, None), Slice(10))
            assert [event.id for event in listed.items] == [
                former.events[owner, subject] for subject in reversed(former.subjects)
            ]


def test_former_messages_that_were_owed_arrive_once_under_their_ids(former: Former) -> None:
    migrate_as_owner(former.dsn)
    with open_runtime(former.dsn) as runtime:
        for owner in OWNERS:
            # The rows of the former schema have no secret to sign with.
            endpoints.rotate_secret(runtime, _member(owner), former.endpoints[owner], None)
        assert deliver(runtime) == 3
        first, second = former.subjects
        owed = [former.events[key] for key in (("desk-b", second), ("desk-c", first), ("desk-c", second))]
        assert sorted(message.id for message in former.receiver.received) == sorted(map(str, owed))
        assert deliver(runtime) == 0
        assert all(set(found) == {"delivered"} for found in _statuses(runtime, former).values())


def test_former_event_is_replayed_by_its_id_and_only_by_its_owner(former: Former) -> None:
    migrate_as_owner(former.dsn)
    with open_runtime(former.dsn) as runtime:
        event_id = former.events["desk-a", former.subjects[0]]
        assert endpoints.replay(runtime, _member("desk-a"), former.endpoints["desk-a"], event_id) == 1
        with pytest.raises(NotFoundError, match="no event with this id"):
            endpoints.replay(runtime, _member("desk-b"), former.endpoints["desk-b"], event_id)


def test_process_that_dies_while_it_migrates_leaves_the_former_database(former: Former) -> None:
    sql = next(migration.sql for migration in all_migrations() if migration.name == FIRST_WITH_STEPS)
    with psycopg.connect(former.dsn) as connection, psycopg.connect(former.dsn) as killer:
        connection.execute(sql)
        killer.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with psycopg.connect(former.dsn) as connection:
        connection.execute(_EVENT, [uuid4(), "desk-a", uuid4(), "{}"])
        owed = connection.execute("SELECT count(*) FROM webhook_delivery WHERE status = 'owed'").fetchone()
        assert owed == (4,)
    assert migrate(as_owner(former.dsn))[0] == FIRST_WITH_STEPS


def _member(owner: str) -> Member:
    return Member(owner, "somebody", "request")


def _statuses(runtime: Runtime, former: Former) -> dict[str, list[str]]:
    return {
        owner: [
            str(delivery.status)
            for delivery in views.deliveries_of(
                runtime, _member(owner), former.endpoints[owner], DeliveryFilter(), Slice(10)
            ).items
        ]
        for owner in OWNERS
    }
