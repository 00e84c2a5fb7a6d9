"""What an error of the database means, and how often the log says so."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors
from psycopg_pool import PoolTimeout
from structlog.testing import capture_logs

from clearwindow.core.errors import DatabaseAwayError, OutcomeUnknownError, UnavailableError
from clearwindow.postgres.constraints import as_request_error
from clearwindow.postgres.failures import (
    CommitCutOffError,
    Failure,
    FailureLog,
    NoConnectionError,
    failure_of,
    failure_to_connect,
)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (errors.ReadOnlySqlTransaction(), Failure.READ_ONLY),
        (errors.DiskFull(), Failure.FULL),
        (errors.IoError(), Failure.AWAY),
        (errors.UndefinedFile(), Failure.AWAY),
        (errors.ConnectionFailure(), Failure.AWAY),
        (errors.ProtocolViolation(), Failure.AWAY),
        (errors.CannotConnectNow(), Failure.AWAY),
        (errors.TooManyConnections(), Failure.NO_CAPACITY),
        (errors.OutOfMemory(), Failure.NO_CAPACITY),
        (PoolTimeout(), Failure.NO_CAPACITY),
        (NoConnectionError(Failure.AWAY, "refused"), Failure.AWAY),
        (errors.AdminShutdown(), Failure.CUT_OFF),
        (psycopg.OperationalError("the connection is lost"), Failure.CUT_OFF),
        (CommitCutOffError(), Failure.OUTCOME_UNKNOWN),
        (errors.LockNotAvailable(), Failure.HELD_UP),
        (errors.DeadlockDetected(), Failure.HELD_UP),
        (errors.DivisionByZero(), None),
        (errors.UniqueViolation(), None),
        (ValueError(), None),
    ],
    ids=lambda value: str(value) if isinstance(value, Failure) else type(value).__name__,
)
def test_failure_of_the_database_is_known(error: Exception, failure: Failure | None) -> None:
    assert failure_of(error) is failure


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        ('connection to server at "a", port 5432 failed: session is read-only', Failure.READ_ONLY),
        ("FATAL:  sorry, too many clients already", Failure.NO_CAPACITY),
        (
            "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
            Failure.NO_CAPACITY,
        ),
        ("Connection refused", Failure.AWAY),
    ],
)
def test_failed_try_to_connect_is_known_by_its_words(said: str, failure: Failure) -> None:
    assert failure_to_connect(said) is failure


@pytest.mark.parametrize(
    ("error", "kind", "name"),
    [
        (errors.ReadOnlySqlTransaction(), DatabaseAwayError, "database_unavailable"),
        (errors.DiskFull(), DatabaseAwayError, "database_unavailable"),
        (NoConnectionError(Failure.AWAY, "refused"), DatabaseAwayError, "database_unavailable"),
        (NoConnectionError(Failure.NO_CAPACITY, "late"), UnavailableError, "database_busy"),
        (errors.LockNotAvailable(), UnavailableError, "database_busy"),
        (CommitCutOffError(), OutcomeUnknownError, "outcome_unknown"),
    ],
)
def test_each_failure_has_its_answer(error: psycopg.Error, kind: type, name: str) -> None:
    answer = as_request_error(error)
    assert answer is not None
    assert type(answer) is kind
    assert answer.name == name
    assert answer.retry_after_seconds is not None


def test_each_kind_of_failure_is_told_once_a_minute() -> None:
    now = [0.0]
    told = FailureLog(lambda: now[0])
    with capture_logs() as logs:
        for now[0] in (0, 1, 59):
            told.tell(Failure.AWAY, NoConnectionError(Failure.AWAY, "refused\nmore"), "a request")
        told.tell(Failure.FULL, errors.DiskFull("full"), "a request")
        now[0] = 60
        told.tell(Failure.AWAY, NoConnectionError(Failure.AWAY, "refused"), "a request")
        told.is_well()
        told.is_well()
    assert [(line.get("failure", line["event"]), line.get("left_out_since_last_line")) for line in logs] == [
        ("away", 0),
        ("full", 0),
        ("away", 2),
        ("database_back", None),
    ]
    assert logs[0]["said"] == "refused"
