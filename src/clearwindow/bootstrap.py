"""The one place that wires settings to a database, a runtime, an application and a worker.

Everything here is a context: what was opened last is closed first, so that the embedded PostgreSQL, which all
the rest needs, is always the last to stop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg_pool import PoolTimeout
from pydantic import SecretStr

from clearwindow import secret_key
from clearwindow.access import rules as access_rules
from clearwindow.access.service import ensure_bootstrap_operator
from clearwindow.allocations.asking import allocation_work
from clearwindow.clock import Clock
from clearwindow.database.embedded import start_embedded
from clearwindow.database.home import LOCATION_NAME, make_data_dir
from clearwindow.database.migrations import migrate
from clearwindow.database.pool import Database
from clearwindow.database.sandbox import SandboxError, SharedClock, clock_of
from clearwindow.ids import RandomIds
from clearwindow.network.introducing import introduction_work
from clearwindow.notices.deliveries import WebhookBacklog
from clearwindow.notices.pruning import AttemptPruning
from clearwindow.notices.pump import DeliveryPump
from clearwindow.onchain.due import DepositWork, OnchainWork
from clearwindow.onchain.simulated import SimulatedChain
from clearwindow.outgoing.client import Outgoing
from clearwindow.partnercalls.work import telling_work
from clearwindow.runtime import Runtime
from clearwindow.settings import Settings, SettingsError
from clearwindow.settlements.due import SettlementWork
from clearwindow.vault import Vault
from clearwindow.work.backlog import Waiting
from clearwindow.work.moving import LONGEST_MOVE_SECONDS, Mover
from clearwindow.work.worker import DueWork, Worker

if TYPE_CHECKING:
    from fastapi import APIRouter, FastAPI

WORK: Final[tuple[DueWork, ...]] = (
    SettlementWork(),
    OnchainWork(SimulatedChain),
    DepositWork(SimulatedChain),
    allocation_work(),
    introduction_work(),
    telling_work(),
)
"""All kinds of due work that somebody waits for."""

_WEBHOOKS: Final = WebhookBacklog()
BACKLOGS: Final[tuple[Waiting, ...]] = (*WORK, _WEBHOOKS)
"""All that a worker does, as far as looking at it goes."""


_MOVERS_POLL_SECONDS: Final = 0.01


class DatabaseUnreachableError(RuntimeError):
    """The database of the settings does not answer."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A database that answers: the pool, its clock, and what ``migrate`` has just brought it."""

    database: Database
    clock: Clock
    applied_migrations: tuple[str, ...]


@contextmanager
def opened_database(
    settings: Settings, *, share_running: bool, apply_migrations: bool = True, sandbox: bool | None = None
) -> Iterator[Opened]:
    """The settings' database, embedded or by URL.

    Args:
        settings: where it is.
        share_running: use the embedded database of the process that has the data folder, if there is one.
        apply_migrations: bring it up to this version first.
        sandbox: whether it must be a sandbox's, and is made one if it may be; None takes it as it is.

    Raises:
        EmbeddedPostgresError: the embedded database cannot be had.
        MigrationError: the database is of another version.
        DatabaseUnreachableError: it does not answer.
        SettingsError: it is a sandbox's where it must not be, or cannot be made one.
    """
    with _dsn(settings, share_running=share_running) as dsn, ExitStack() as stack:
        try:
            applied = migrate(dsn) if apply_migrations else []
            clock = clock_of(dsn, sandbox=sandbox)
            database = Database(dsn, clock, max_connections=settings.database_connections)
            stack.callback(database.close)
            database.open()
        except SandboxError as error:
            raise SettingsError(str(error)) from None
        except (psycopg.OperationalError, psycopg.ProgrammingError, PoolTimeout) as error:
            raise DatabaseUnreachableError(_why_unreachable(error)) from error
        yield Opened(database, clock, tuple(applied))


@contextmanager
def opened_runtime(settings: Settings, *, share_running: bool, as_marked: bool = False) -> Iterator[Runtime]:
    """Everything a use case needs, over a database that is up to date.

    Args:
        settings: where everything is.
        share_running: as for ``opened_database``.
        as_marked: be in a sandbox where the database is a sandbox's, though no setting says so.

    Raises:
        SettingsError: there is no secret key, or it is malformed.
        And what ``opened_database`` raises.
    """
    vault = Vault(_secret_key(settings))
    token = settings.operator_token
    sandbox = True if settings.sandbox else None if as_marked else False
    with (
        opened_database(settings, share_running=share_running, sandbox=sandbox) as opened,
        _outgoing(settings, sandbox=isinstance(opened.clock, SharedClock)) as outgoing,
    ):
        runtime = Runtime(
            opened.database,
            opened.clock,
            RandomIds(),
            settings.limits(),
            vault,
            access_rules.token_sha256(token.get_secret_value()) if token else None,
            outgoing,
            settings.calls(),
        )
        if token is not None:
            ensure_bootstrap_operator(runtime)
        yield runtime


def build_app(runtime: Runtime, settings: Settings, mover: Mover) -> FastAPI:
    """The application; ``mover`` is for its owner to stop, before it waits for the requests under way."""
    # Importing the routes builds the models of the whole API, which only a server should wait for.
    from clearwindow.http.app import create_app  # noqa: PLC0415
    from clearwindow.http.limits import CallerLimits  # noqa: PLC0415
    from clearwindow.routers import MIDDLEWARES  # noqa: PLC0415

    limits = CallerLimits(
        requests_per_minute=settings.rate_limit_per_minute,
        requests_at_once=settings.concurrent_requests_limit or max(1, settings.database_connections // 3),
        wait_seconds=settings.concurrent_requests_wait_seconds,
    )
    routers = all_routers(settings.worker_lag_limit_seconds, lambda _: mover)
    return create_app(runtime, routers, limits, MIDDLEWARES)


def all_routers(
    worker_lag_limit_seconds: float, mover_of: Callable[[Runtime], Mover] | None = None
) -> tuple[APIRouter, ...]:
    """All routes, with those that must know all kinds of due work."""
    from clearwindow.http.health import health_router  # noqa: PLC0415 - see above
    from clearwindow.operator.sandbox_routes import sandbox_router  # noqa: PLC0415
    from clearwindow.routers import ROUTERS  # noqa: PLC0415

    return (*ROUTERS, sandbox_router(mover_of or build_mover), health_router(BACKLOGS, worker_lag_limit_seconds))


def build_worker(runtime: Runtime, settings: Settings) -> Worker:
    pace = settings.worker_poll_seconds
    kinds = (*WORK, AttemptPruning(settings.webhook_attempts_kept_days))
    return Worker(runtime, kinds, runners=[DeliveryPump(runtime, poll_seconds=pace)], poll_seconds=pace)


def build_mover(runtime: Runtime, *, longest_seconds: float = LONGEST_MOVE_SECONDS) -> Mover:
    """What moves a sandbox's clock."""
    pump = DeliveryPump(runtime, poll_seconds=_MOVERS_POLL_SECONDS)
    return Mover(runtime, WORK, [(_WEBHOOKS, pump)], longest_seconds=longest_seconds)


@contextmanager
def _outgoing(settings: Settings, *, sandbox: bool) -> Iterator[Outgoing]:
    outgoing = Outgoing(
        allow_private=settings.allow_private_addresses or sandbox,
        timeout_seconds=settings.partner_call_timeout_seconds,
        lane_width=settings.partner_calls_at_once,
    )
    try:
        yield outgoing
    finally:
        outgoing.close()


@contextmanager
def _dsn(settings: Settings, *, share_running: bool) -> Iterator[str]:
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    # Before the cluster: every cluster of ours then has its key, and a missing key is always a lost one.
    _secret_key(settings)
    with start_embedded(
        settings.data_dir, binaries_path=settings.postgres_bin_dir, share_running=share_running
    ) as embedded:
        yield embedded.dsn


def _why_unreachable(error: Exception) -> str:
    if isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None:
        # The library's own message repeats parts of the URL, which may hold a password.
        return "The database URL is not one that PostgreSQL knows: it must look like postgresql://user@host/name."
    first_line = str(error).strip().partition("\n")[0]
    return f"The database cannot be used: {first_line}"


def _secret_key(settings: Settings) -> bytes:
    configured: SecretStr | None = settings.secret_key
    if configured is not None:
        return secret_key.parse_secret_key(configured.get_secret_value(), secret_key.VARIABLE)
    kept = secret_key.kept_key(settings.data_dir)
    if kept is not None:
        return kept
    path = settings.data_dir / secret_key.FILE_NAME
    if settings.database_url is not None:
        raise SettingsError(
            f"Set {secret_key.VARIABLE} (or put the key into {path}): with a database elsewhere no key is made "
            "here, where it could be lost while the database lives on. A lost key makes stored connection keys "
            "unreadable; `openssl rand -base64 32` makes a first one."
        )
    if any((settings.data_dir / name).exists() for name in ("postgres", LOCATION_NAME)):
        raise SettingsError(
            f"The data folder has a database but no {path}: put the file back, or set {secret_key.VARIABLE}. "
            "A new key could not read the connection keys that are stored."
        )
    try:
        folder = make_data_dir(settings.data_dir)
    except OSError as error:
        raise SettingsError(f"The data folder {settings.data_dir} cannot be made: {error.strerror}.") from None
    return secret_key.make_key(folder)
