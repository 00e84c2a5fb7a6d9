"""The mark in the database that distinguishes sandboxes from real networks."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest

from clearwindow import bootstrap
from clearwindow.core.clock import SystemClock
from clearwindow.core.vault import KEY_BYTES
from clearwindow.identity import enterprises
from clearwindow.identity.models import Enterprise, TrustOrg
from clearwindow.postgres.pool import Database
from clearwindow.postgres.sandbox import SandboxError, SharedClock, clock_of
from clearwindow.settings import Settings, SettingsError

KEY = base64.b64encode(bytes(KEY_BYTES)).decode()


def settings_for(dsn: str, *, sandbox: bool) -> Settings:
    return Settings(database_url=dsn, secret_key=KEY, sandbox=sandbox, database_connections=2)


def join_with(dsn: str, *, sandbox: bool, as_marked: bool = False) -> tuple[bool, bool]:
    """Opens a runtime. Returns whether it is in a sandbox, and whether it may call private addresses."""
    settings = settings_for(dsn, sandbox=sandbox)
    with bootstrap.opened_runtime(settings, share_running=True, as_marked=as_marked) as runtime:
        with runtime.transaction() as tx:
            tx.now()
        return isinstance(runtime.clock, SharedClock), runtime.outgoing.allow_private


def hold_an_enterprise(dsn: str) -> None:
    settings = settings_for(dsn, sandbox=False)
    with (
        bootstrap.opened_database(settings, share_running=True) as opened,
        opened.database.transaction() as tx,
    ):
        now = tx.now()
        made = Enterprise("desk", "desk", TrustOrg.TRUST, licensed=True, created_at=now, updated_at=now)
        enterprises.ensure_enterprise(tx, made)


def test_an_empty_database_becomes_a_sandbox_permanently(dsn: str) -> None:
    assert join_with(dsn, sandbox=False, as_marked=True) == (False, False)
    assert join_with(dsn, sandbox=True) == (True, True)
    hold_an_enterprise(dsn)
    assert join_with(dsn, sandbox=True) == (True, True)
    assert join_with(dsn, sandbox=False, as_marked=True) == (True, True), (
        "a short command takes the database as it is marked"
    )
    with pytest.raises(SettingsError, match="its clock may be ahead of real time: set CLEARWINDOW_SANDBOX=1"):
        join_with(dsn, sandbox=False)


def test_a_network_never_becomes_a_sandbox(dsn: str) -> None:
    hold_an_enterprise(dsn)
    for as_marked in (False, True):
        with pytest.raises(SettingsError, match="holds enterprises and is no sandbox: "):
            join_with(dsn, sandbox=True, as_marked=as_marked)
    assert join_with(dsn, sandbox=False) == (False, False)


def test_a_database_in_use_by_others_does_not_become_a_sandbox(dsn: str) -> None:
    working = Database(dsn, SystemClock())
    working.open()
    with pytest.raises(SandboxError, match="Another process uses this database"):
        clock_of(dsn, sandbox=True)
    working.close()
    assert isinstance(clock_of(dsn, sandbox=True), SharedClock)


def test_the_mark_alone_makes_a_sandbox(dsn: str) -> None:
    """The clock's offset is stored with the mark, so that a restart continues at the same time."""
    with bootstrap.opened_runtime(settings_for(dsn, sandbox=True), share_running=True) as runtime:
        assert isinstance(runtime.clock, SharedClock)
        with runtime.transaction() as tx:
            runtime.clock.move(tx.connection, runtime.clock.now() + timedelta(days=3))
    with (
        bootstrap.opened_runtime(settings_for(dsn, sandbox=True), share_running=True) as runtime,
        runtime.transaction() as tx,
    ):
        assert tx.now() - SystemClock().now() > timedelta(days=2, hours=23)
