"""Holds a step from outside, and sees in the database that exactly this step is held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Final

import psycopg
from psycopg import sql

from tests.crash.networks import LargeNetwork
from tests.crash.servers import AnyServer, connected, wait_until
from tests.crash.steps import LOCK_SPACE, STEPS, Held, Step

HOLD_SECONDS: Final = 30

# Nobody waits for the shared lock unless a test holds the step's number exclusively.
_WAIT: Final = """
    CREATE FUNCTION crash_wait() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared({space}, TG_ARGV[0]::integer);
        RETURN NEW;
    END $$"""
_WAITING: Final = """
    SELECT pid FROM pg_stat_activity
    WHERE application_name = 'clearwindow' AND state = 'active' AND strpos(query, %s) > 0
      AND CASE WHEN %s THEN wait_event = 'SyncRep' ELSE wait_event_type = 'Lock' END"""


def install(server: AnyServer, large_network: LargeNetwork) -> None:
    """Creates the triggers. They stop nothing until a lock on a step's number is taken."""
    with connected(server.dsn) as connection:
        connection.execute(sql.SQL(_WAIT).format(space=sql.Literal(LOCK_SPACE)))
        for number, step in enumerate(STEPS):
            if step.held is Held.BY_TRIGGER:
                connection.execute(_trigger(number, step, large_network))


@contextmanager
def step_held(server: AnyServer, step: Step, large_network: LargeNetwork) -> Iterator[int]:
    """Makes every transaction that reaches the step wait there until the block or PostgreSQL ends.

    Yields:
        The process of PostgreSQL that holds the step. When it ends, a waiting transaction goes on.
    """
    connection = connected(server.dsn)
    try:
        match step.held:
            case Held.BY_TRIGGER:
                connection.execute("SELECT pg_advisory_lock(%s, %s)", [LOCK_SPACE, STEPS.index(step)])
            case Held.BY_ROW:
                connection.execute("BEGIN")
                connection.execute(_filled(step.where, large_network))
            case Held.BY_STANDBY:
                missing_standby(server, connection)
        yield connection.info.backend_pid
    finally:
        # The kill may have ended its session.
        with suppress(psycopg.Error):
            connection.close()


def release(server: AnyServer, step: Step) -> None:
    """Removes the standby: a PostgreSQL that was not killed would wait for it for ever."""
    if step.held is Held.BY_STANDBY:
        forget_standby(server)


def missing_standby(server: AnyServer, connection: psycopg.Connection) -> None:
    """Lets every commit wait for a standby server that does not exist."""
    # The worker's commit of deliveries for an earlier step would be held in place of this step's.
    wait_until(lambda: _is_delivered(connection), HOLD_SECONDS, "the deliveries were not made")
    connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    connection.execute("SELECT pg_reload_conf()")
    # The next start must not find it in the file; the running server keeps the setting.
    wait_until(lambda: _is_commit_held(server), HOLD_SECONDS, "the setting did not arrive")
    connection.execute("ALTER SYSTEM RESET synchronous_standby_names")


def forget_standby(server: AnyServer) -> None:
    """Lets commits end again, as soon as PostgreSQL answers."""

    def reloaded() -> bool:
        try:
            with connected(server.dsn) as connection:
                connection.execute("SELECT pg_reload_conf()")
        except psycopg.OperationalError:
            return False
        return True

    wait_until(reloaded, HOLD_SECONDS, "PostgreSQL did not come back")


def wait_until_held(server: AnyServer, step: Step) -> int:
    """Returns the process of PostgreSQL that is in the middle of the step."""
    found: list[int] = []
    with connected(server.dsn) as watcher:

        def held() -> bool:
            rows = watcher.execute(_WAITING, [step.marker, step.held is Held.BY_STANDBY]).fetchall()
            found[:] = [pid for (pid,) in rows]
            return bool(found)

        wait_until(held, HOLD_SECONDS, f"no transaction reached {step.id}")
    assert len(found) == 1
    return found[0]


def _is_delivered(connection: psycopg.Connection) -> bool:
    return connection.execute("SELECT count(*) FROM event_to_deliver").fetchone() == (0,)


def _is_commit_held(server: AnyServer) -> bool:
    """Whether commits wait for the standby. Sessions see the setting before the checkpointer, which acts on it."""
    with closing(connected(server.dsn)) as trial, connected(server.dsn) as watcher:
        trial.execute("SET synchronous_commit = on")
        trial.pgconn.send_query(b"SELECT pg_logical_emit_message(true, 'crash', '')")
        pid = trial.info.backend_pid
        while trial.pgconn.is_busy():
            waits = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = %s AND wait_event = 'SyncRep'"
            if watcher.execute(waits, [pid]).fetchone():
                return True
            trial.pgconn.consume_input()
    return False


def _trigger(number: int, step: Step, large_network: LargeNetwork) -> sql.Composed:
    constraint = sql.SQL("CONSTRAINT " if "DEFERRABLE" in step.where else "")
    return sql.SQL("CREATE {}TRIGGER {} {} EXECUTE FUNCTION crash_wait({})").format(
        constraint, sql.Identifier(f"crash_{number}"), _filled(step.where, large_network), sql.Literal(number)
    )


def _filled(template: str, large_network: LargeNetwork) -> sql.Composed:
    values: Mapping[str, object] = {
        "enterprise": large_network.partner.enterprise.id,
        "middle": large_network.middle.id,
        "middle_account": large_network.accounts[large_network.middle.id],
        "middle_account_number": large_network.middle_account_number,
        "btc_number": large_network.btc_number,
        "partner": large_network.partner.id,
        "partner_account": large_network.partner_account,
    }
    text = sql.SQL(template)
    return text.format(**{name: sql.Literal(value) for name, value in values.items()})
