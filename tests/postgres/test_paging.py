"""Reading a list by its cursors: each row once, whatever is added on the way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearwindow.core.errors import InvalidRequestError
from clearwindow.identity import store
from clearwindow.identity.directory.models import EnterpriseFilter
from clearwindow.identity.directory.store import list_enterprises
from clearwindow.identity.models import Enterprise, TrustOrg
from clearwindow.postgres.paging import NEWEST_FIRST, Order, Slice
from clearwindow.runtime import Runtime

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def insert(runtime: Runtime, name: str, minutes: list[int]) -> list[str]:
    """Makes enterprises of this name, each so many minutes after the start, and returns their ids."""
    made = []
    with runtime.transaction() as tx:
        for minute in minutes:
            at = START + timedelta(minutes=minute)
            enterprise = Enterprise(str(uuid4()), name, TrustOrg.TRUST, licensed=True, created_at=at, updated_at=at)
            store.insert_enterprise(tx, enterprise)
            made.append(enterprise.id)
    return made


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    old=st.lists(st.integers(0, 5), max_size=20),
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=30),
    added=st.lists(st.lists(st.integers(0, 5), max_size=3), max_size=30),
)
def test_each_old_row_is_read_exactly_once_while_the_list_grows(
    runtime: Runtime, old: list[int], sizes: list[int], added: list[list[int]]
) -> None:
    """New rows come before, between and after the old ones, many of them at the same time."""
    name = str(uuid4())
    expected = insert(runtime, name, old)
    wanted = EnterpriseFilter(None, [name], None, None, None, None)
    seen: list[str] = []
    after = None
    page = 0
    while True:
        with runtime.transaction() as tx:
            found = list_enterprises(tx, wanted, Slice(sizes[page % len(sizes)], after=after))
        seen += [enterprise.id for enterprise in found.items]
        assert found.total >= len(expected)
        if found.after is None:
            break
        after = found.after
        if page < len(added):
            insert(runtime, name, added[page])
        page += 1
    assert len(set(seen)) == len(seen)
    assert set(expected) <= set(seen)


def test_a_page_reads_no_more_rows_than_it_shows(runtime: Runtime) -> None:
    """The plan of a page in the middle begins at its place in an index, and sorts nothing."""
    insert(runtime, "many", list(range(500)))
    statement = NEWEST_FIRST.page("SELECT id::uuid AS id, created_at FROM enterprise", continued=True)
    assert "ORDER BY created_at DESC, id DESC" in statement
    order = Order({"created_at": datetime, "id": str})
    page = order.page(store.sql["list_enterprises"], continued=True)
    position = order.values_of(((START + timedelta(minutes=100)).isoformat(), "~"))
    nothing = dict.fromkeys(
        ("ids", "names", "trust_orgs", "licensed", "created_on_or_after", "created_before"), None
    )
    with runtime.transaction() as tx:
        tx.run("SET LOCAL enable_seqscan = off")
        plan = tx.scalars(str, f"EXPLAIN {page}", **nothing, **position, limit=10, offset=0)
    text = "\n".join(plan)
    assert "Index Scan Backward using enterprise_created" in text
    assert "Index Cond" in text
    assert "Sort" not in text


@pytest.mark.parametrize(
    "position",
    [
        (),
        ("2026-01-05T12:00:00+00:00",),
        ("2026-01-05T12:00:00+00:00", str(UUID(int=1)), "more"),
        ("now", str(UUID(int=1))),
        ("2026-01-05T12:00:00+00:00", "A" * 36),
    ],
)
def test_a_position_of_another_form_is_refused(position: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        NEWEST_FIRST.values_of(position)
    assert refused.value.name == "cursor_invalid"


def test_a_position_keeps_microseconds() -> None:
    moment = datetime(2026, 1, 5, 12, 0, 0, 123_456, tzinfo=UTC)
    position = NEWEST_FIRST.position_of({"created_at": moment, "id": UUID(int=7)})
    assert NEWEST_FIRST.values_of(position) == {"after_0": moment, "after_1": UUID(int=7)}
