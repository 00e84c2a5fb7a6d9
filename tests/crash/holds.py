"""Holding a step from outside, and seeing in the database that it is held just there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

import psycopg
from psycopg import sql

from tests.crash.servers import Server, connected, wait_until
from tests.crash.steps import LOCK_SPACE, STEPS, Held, Step
from tests.crash.towns import Town

HOLD_SECONDS: Final = 30

# The shared lock is never waited for unless a test holds the step's number exclusively.
_WAIT: Final = """
    CREATE FUNCTION crash_wait() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared({space}, TG_ARGV[0]::integer);
        RETURN NEW;
    END $$"""
_WAIT_FOR_TABLES: Final = """
    CREATE FUNCTION crash_wait_for_tables() RETURNS event_trigger LANGUAGE plpgsql AS $$
    DECLARE made text;
    BEGIN
        FOR made IN SELECT object_identity FROM pg_event_trigger_ddl_commands() LOOP
            IF made = 'pg_temp.staged_amount' THEN
                CREATE TRIGGER crash BEFORE INSERT ON pg_temp.staged_amount
                    FOR EACH ROW WHEN (NEW.connection_id = {middle}) EXECUTE FUNCTION crash_wait({staged_amount});
            ELSIF made = 'pg_temp.liability' THEN
                PERFORM pg_advisory_xact_lock_shared({space}, {liability});
            ELSIF made = 'pg_temp.dispute_target' THEN
                PERFORM pg_advisory_xact_lock_shared({space}, {dispute_target});
            ELSIF made = 'pg_temp.run' THEN
                PERFORM pg_advisory_xact_lock_shared({space}, {run});
            END IF;
        END LOOP;
    END $$"""
_ON_TABLES: Final = """
    CREATE EVENT TRIGGER crash ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS')
    EXECUTE FUNCTION crash_wait_for_tables()"""
_WAITING: Final = """
    SELECT pid FROM pg_stat_activity
    WHERE application_name = 'clearwindow' AND state = 'active' AND strpos(query, %s) > 0
      AND CASE WHEN %s THEN wait_event = 'SyncRep' ELSE wait_event_type = 'Lock' END"""


def install(server: Server, town: Town) -> None:
    """Puts the triggers in; without a lock on a step's number they let everything pass."""
    tables = {step.where: sql.Literal(STEPS.index(step)) for step in STEPS if step.held is Held.BY_TABLE}
    with connected(server.dsn) as connection:
        connection.execute(sql.SQL(_WAIT).format(space=sql.Literal(LOCK_SPACE)))
        connection.execute(
            sql.SQL(_WAIT_FOR_TABLES).format(
                space=sql.Literal(LOCK_SPACE), middle=sql.Literal(town.middle.id), **tables
            )
        )
        connection.execute(_ON_TABLES)
        for number, step in enumerate(STEPS):
            if step.held is Held.BY_TRIGGER:
                connection.execute(_trigger(number, step, town))


@contextmanager
def holding(server: Server, step: Step, town: Town) -> Iterator[None]:
    """Whoever comes to the step waits there until the block ends or PostgreSQL does."""
    connection = connected(server.dsn)
    try:
        match step.held:
            case Held.BY_TRIGGER | Held.BY_TABLE:
                connection.execute("SELECT pg_advisory_lock(%s, %s)", [LOCK_SPACE, STEPS.index(step)])
            case Held.BY_ROW:
                connection.execute("BEGIN")
                connection.execute(_filled(step.where, town))
            case Held.BY_STANDBY:
                connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
                connection.execute("SELECT pg_reload_conf()")
                # What the next start must not find in the file; the running server keeps to it.
                wait_until(lambda: _standby_is_wanted(server), HOLD_SECONDS, "the setting did not arrive")
                connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
        yield
    finally:
        # The kill may have ended its session.
        with suppress(psycopg.Error):
            connection.close()


def let_go(server: Server, step: Step) -> None:
    """A PostgreSQL that lives on would wait for its standby for ever."""
    if step.held is Held.BY_STANDBY:

        def reloaded() -> bool:
            try:
                with connected(server.dsn) as connection:
                    connection.execute("SELECT pg_reload_conf()")
            except psycopg.OperationalError:
                return False
            return True

        wait_until(reloaded, HOLD_SECONDS, "PostgreSQL did not come back")


def wait_until_held(server: Server, step: Step) -> int:
    """The process of PostgreSQL that is in the middle of the step."""
    found: list[int] = []
    with connected(server.dsn) as watcher:

        def held() -> bool:
            rows = watcher.execute(_WAITING, [step.marker, step.held is Held.BY_STANDBY]).fetchall()
            found[:] = [pid for (pid,) in rows]
            return bool(found)

        wait_until(held, HOLD_SECONDS, f"nobody came to {step.id}")
    assert len(found) == 1
    return found[0]


def _standby_is_wanted(server: Server) -> bool:
    with connected(server.dsn) as fresh:
        row = fresh.execute("SELECT current_setting('synchronous_standby_names')").fetchone()
    return row == ("nobody",)


def _trigger(number: int, step: Step, town: Town) -> sql.Composed:
    constraint = sql.SQL("CONSTRAINT " if "DEFERRABLE" in step.where else "")
    return sql.SQL("CREATE {}TRIGGER {} {} EXECUTE FUNCTION crash_wait({})").format(
        constraint, sql.Identifier(f"crash_{number}"), _filled(step.where, town), sql.Literal(number)
    )


def _filled(template: str, town: Town) -> sql.Composed:
    values: Mapping[str, object] = {
        "enterprise": town.partner.enterprise.id,
        "middle": town.middle.id,
        "middle_account": town.accounts[town.middle.id],
        "middle_enterprise": town.middle.client.enterprise.id,
        "partner": town.partner.id,
        "partner_account": town.partner_account,
    }
    text = sql.SQL(template)
    return text.format(**{name: sql.Literal(value) for name, value in values.items()})
