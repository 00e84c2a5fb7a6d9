"""A database that cannot do what it should, and what the server says of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import httpx2
import psycopg

from clearwindow.postgres.embedded.cluster import EmbeddedPostgres
from tests.support.http import loopback_client


def run(dsn: str, *statements: str) -> None:
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        connection.execute("SET default_transaction_read_only = off")
        for statement in statements:
            connection.execute(statement)


def make_read_only(dsn: str, *, on: bool) -> None:
    run(dsn, f"ALTER SYSTEM SET default_transaction_read_only = {'on' if on else 'off'}", "SELECT pg_reload_conf()")
    deadline = time.monotonic() + 60
    while True:
        with psycopg.connect(dsn) as connection:
            (now,) = connection.execute("SHOW default_transaction_read_only").fetchone() or ("",)
        if now == ("on" if on else "off"):
            return
        assert time.monotonic() < deadline
        time.sleep(0.02)


def readiness(base_url: str) -> tuple[int, str | None]:
    with loopback_client(base_url=base_url) as client:
        answer = client.get("/readyz")
        return answer.status_code, answer.json()["database"].get("problem")


def assert_unavailable(answer: httpx2.Response, status: int, reason: str) -> None:
    body = answer.json()
    assert (answer.status_code, body["name"], body["details"]) == (status, "unavailable", {"reason": reason}), body
    assert int(answer.headers["Retry-After"]) >= 1
    assert "send exactly the same request again" in body["error"]


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


def becomes(done: Callable[[], bool], seconds: float) -> None:
    """Waits until it is so, or fails."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@contextmanager
def stopped(server: EmbeddedPostgres) -> Iterator[None]:
    """Kills the server, and keeps it from being started again until the block ends."""
    # A server of tests may lose its last commits when it is killed.
    run(server.dsn, "CHECKPOINT")
    program = server.cluster / "global" / "pg_control"
    hidden = program.with_suffix(".hidden")
    lock_file = server.cluster / "postmaster.pid"
    pid = int(lock_file.read_text().splitlines()[0])
    program.rename(hidden)
    try:
        os.kill(pid, signal.SIGQUIT)
        # It removes the file last. Until then a session may still take a request, and is cut off in its commit.
        becomes(lambda: not lock_file.exists(), seconds=120)
        yield
    finally:
        hidden.rename(program)
