"""Builds the database, the runtime, the application and the worker from the settings.

Everything here is a context manager. What was opened last is closed first, so that the embedded PostgreSQL, which
everything else needs, stops last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import psycopg
import structlog

from clearwindow import secret_key
from clearwindow.allocations.jobs import allocation_work
from clearwindow.capacity_settings import ENV_PREFIX
from clearwindow.core.clock import Clock
from clearwindow.core.ids import RandomIds
from clearwindow.core.vault import Vault
from clearwindow.custody import acts as custody_acts
from clearwindow.identity import people_acts
from clearwindow.identity import rules as access_rules
from clearwindow.identity.opening import SINGLE_OPERATOR, find_opening, is_alone, mode_of
from clearwindow.identity.operators import ensure_bootstrap_operator
from clearwindow.identity.second_factor import acts as second_factor_acts
from clearwindow.jobs.backlog import Waiting
from clearwindow.jobs.clock_mover import LONGEST_MOVE_SECONDS, Mover
from clearwindow.jobs.worker import DueWork, Runner, Worker
from clearwindow.network import acts as network_acts
from clearwindow.network.introduction import introduction_work
from clearwindow.notifications.jobs import NotificationBacklog
from clearwindow.notifications.pump import NotificationPump
from clearwindow.outbound.client import Outgoing
from clearwindow.partner_calls.jobs import notice_work
from clearwindow.postgres.address import UnfitDatabaseError, connected, require_fit
from clearwindow.postgres.budget import Budget
from clearwindow.postgres.embedded.cluster import start_embedded
from clearwindow.postgres.failures import first_line
from clearwindow.postgres.migrations import MigrationError, may_migrate, migrate, pending_on, role_of
from clearwindow.postgres.pool import Database
from clearwindow.postgres.sandbox import SandboxError, SharedClock, clock_of
from clearwindow.proposals.jobs import ProposalWork
from clearwindow.proposals.service import Proposals
from clearwindow.runtime import NotificationTerms, Runtime, SecondFactorTerms
from clearwindow.settings import Settings, SettingsError
from clearwindow.settlements import acts as settlement_acts
from clearwindow.settlements import funding
from clearwindow.settlements.jobs import SettlementWork
from clearwindow.settlements.onchain.jobs import DepositWork, OnchainWork
from clearwindow.settlements.onchain.simulated_chain import SimulatedChain
from clearwindow.webhooks.jobs import AttemptPruning, WebhookBacklog
from clearwindow.webhooks.pump import DeliveryPump

if TYPE_CHECKING:
    from fastapi import APIRouter, FastAPI

    from clearwindow.api.limits import SharedStore

log = structlog.get_logger(__name__)

ACTS: Final = (
    *people_acts.ACTS,
    *second_factor_acts.ACTS,
    *custody_acts.ACTS,
    *network_acts.ACTS,
    *settlement_acts.ACTS,
)
"""All acts of operators that others may have to approve."""

WORK: Final[tuple[DueWork, ...]] = (
    SettlementWork(),
    OnchainWork(SimulatedChain),
    DepositWork(SimulatedChain),
    allocation_work(),
    introduction_work(),
    notice_work(),
    ProposalWork(),
)
"""All kinds of due work that a moved clock waits for."""

_WEBHOOKS: Final = WebhookBacklog()
BACKLOGS: Final[tuple[Waiting, ...]] = (*WORK, _WEBHOOKS, NotificationBacklog())
"""All kinds of work that have a backlog."""


_MOVERS_POLL_SECONDS: Final = 0.01


class DatabaseUnreachableError(RuntimeError):
    """The database does not answer."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An open database: the pool, its clock, and the migrations that were applied now."""

    database: Database
    clock: Clock
    applied_migrations: tuple[str, ...]


@contextmanager
def opened_database(
    settings: Settings,
    *,
    share_running: bool,
    apply_migrations: bool = True,
    as_owner: bool = False,
    sandbox: bool | None = None,
    serves: bool = False,
) -> Iterator[Opened]:
    """Opens the settings' database, embedded or by URL.

    Args:
        settings: say which database.
        share_running: if another process runs the embedded database of the data folder, use that one.
        apply_migrations: upgrade the database to this version first.
        as_owner: upgrade it as the role in ``migration_database_url``, if there is one.
        sandbox: True makes the database a sandbox if it is none yet; False takes no sandbox; None takes both.
        serves: this process answers requests, so that the connections are divided.

    Raises:
        EmbeddedPostgresError: the embedded database cannot be used.
        MigrationError: the database has a version that this one cannot upgrade.
        DatabaseUnreachableError: it does not answer.
        SettingsError: the database is a sandbox and must not be, or cannot become one; or the settings of the
            connections contradict each other.
    """
    budget = _budget(settings) if serves else None
    with _addresses(settings, share_running=share_running, as_owner=as_owner) as addresses, ExitStack() as stack:
        dsn = addresses.application
        try:
            require_fit(dsn)
            applied = _upgrade(addresses) if apply_migrations else []
            clock = clock_of(dsn, sandbox=sandbox)
            database = Database(
                dsn,
                clock,
                max_connections=settings.database_connections,
                wait_seconds=settings.database_connection_wait_seconds,
                lock_waits=settings.lock_waits(),
                budget=budget,
            )
            stack.callback(database.close)
            database.open()
        except SandboxError as error:
            raise SettingsError(str(error)) from None
        except UnfitDatabaseError as error:
            raise DatabaseUnreachableError(str(error)) from None
        except psycopg.Error as error:
            raise DatabaseUnreachableError(_why_unreachable(error)) from error
        yield Opened(database, clock, tuple(applied))


@contextmanager
def opened_runtime(
    settings: Settings, *, share_running: bool, as_marked: bool = False, serves: bool = False
) -> Iterator[Runtime]:
    """Opens everything that use cases need, with an upgraded database.

    Args:
        settings: of this process.
        share_running: as for ``opened_database``.
        as_marked: take a sandbox even if no setting says that it is one.
        serves: as for ``opened_database``.

    Raises:
        SettingsError: there is no secret key, or it is malformed.
        EmbeddedPostgresError, MigrationError, DatabaseUnreachableError: as for ``opened_database``.
    """
    vault = vault_of(settings)
    token = settings.operator_token
    sandbox = True if settings.sandbox else None if as_marked else False
    with (
        opened_database(settings, share_running=share_running, sandbox=sandbox, serves=serves) as opened,
        _outgoing(settings, sandbox=isinstance(opened.clock, SharedClock)) as outgoing,
    ):
        runtime = Runtime(
            opened.database,
            opened.clock,
            RandomIds(),
            settings.limits(),
            vault,
            funding,
            Proposals(ACTS),
            access_rules.token_sha256(token.get_secret_value()) if token else None,
            outgoing,
            settings.calls(),
            settings.oversight(sandbox=isinstance(opened.clock, SharedClock)),
            SecondFactorTerms(required=settings.second_factor_required),
            _notifications(settings),
            settings.console(),
        )
        if token is not None:
            try:
                ensure_bootstrap_operator(runtime)
            except psycopg.Error as error:
                raise DatabaseUnreachableError(_why_unreachable(error)) from error
        yield runtime


@contextmanager
def traced(settings: Settings, service: str) -> Iterator[None]:
    """Hands traces of this process to the settings' collector, if there is one, until the block ends.

    Raises:
        SettingsError: the extra for it is not installed.
    """
    if settings.telemetry_endpoint is None:
        yield
        return
    try:
        # An extra, which only processes with this setting need.
        from clearwindow.telemetry import exporting  # noqa: PLC0415
    except ImportError:
        problem = "needs the extra `telemetry`: install clearwindow[server,telemetry]"
        raise SettingsError(f"{ENV_PREFIX}TELEMETRY_ENDPOINT: {problem}") from None
    with exporting(settings.telemetry_endpoint, service, tells_others=settings.telemetry_tells_others):
        yield


def vault_of(settings: Settings) -> Vault:
    """Returns what encrypts and decrypts stored secrets.

    Raises:
        SettingsError: there is no secret key, or it is malformed.
    """
    return Vault(secret_key.keys_of(settings))


def build_app(runtime: Runtime, settings: Settings, mover: Mover) -> FastAPI:
    """Returns the application. Its owner stops ``mover`` before it waits for the open requests.

    Raises:
        SettingsError: the store of shared counts has an address that is none.
    """
    # Importing the routes builds all models of the API. Only a server should wait for that.
    from clearwindow.api.limits import CallerLimits  # noqa: PLC0415
    from clearwindow.web.app import create_app  # noqa: PLC0415

    limits = CallerLimits(
        requests_per_minute=settings.rate_limit_per_minute,
        store=_shared_store(settings),
        signed_version_2=settings.signed_calls_version_2,
    )
    routers = all_routers(settings.worker_lag_limit_seconds, lambda _: mover)
    return create_app(runtime, routers, limits, settings.capacity())


def all_routers(
    worker_lag_limit_seconds: float, mover_of: Callable[[Runtime], Mover] | None = None
) -> tuple[APIRouter, ...]:
    """Returns all routes, including those that need all kinds of due work."""
    from clearwindow.jobs.operator_routes import sandbox_router  # noqa: PLC0415
    from clearwindow.web.health import health_router  # noqa: PLC0415 - see above
    from clearwindow.web.routers import ROUTERS  # noqa: PLC0415

    return (*ROUTERS, sandbox_router(mover_of or build_mover), health_router(BACKLOGS, worker_lag_limit_seconds))


def build_worker(runtime: Runtime, settings: Settings) -> Worker:
    """Returns a worker for all kinds of due work, webhooks and notifications included."""
    pace = settings.worker_poll_seconds
    kinds = (*WORK, AttemptPruning(settings.webhook_attempts_kept_days))
    pumps: list[Runner] = [DeliveryPump(runtime, poll_seconds=pace), NotificationPump(runtime, poll_seconds=pace)]
    return Worker(runtime, kinds, runners=pumps, poll_seconds=pace)


def build_mover(runtime: Runtime, *, longest_seconds: float = LONGEST_MOVE_SECONDS) -> Mover:
    """Returns what moves a sandbox's clock."""
    pump = DeliveryPump(runtime, poll_seconds=_MOVERS_POLL_SECONDS)
    return Mover(runtime, WORK, [(_WEBHOOKS, pump)], longest_seconds=longest_seconds)


def _shared_store(settings: Settings) -> SharedStore | None:
    if settings.rate_limit_store is None:
        return None
    try:
        # An extra, which only servers with this setting need.
        from clearwindow.api.rate_store import opened_store  # noqa: PLC0415

        return opened_store(settings.rate_limit_store.get_secret_value())
    except ImportError:
        problem = "needs the extra `shared-limits`: install clearwindow[server,shared-limits]"
    except ValueError as error:
        problem = str(error)
    raise SettingsError(f"{ENV_PREFIX}RATE_LIMIT_STORE: {problem}")


def tell_of_opening(runtime: Runtime) -> dict[str, object]:
    """Returns what kind of network this is. Tells the log of a single operator, at every start."""
    opened = find_opening(runtime)
    if is_alone(opened):
        log.warning("single_operator", message=SINGLE_OPERATOR)
    return {"mode": str(mode_of(runtime, opened)), "singleOperator": is_alone(opened)}


@contextmanager
def _outgoing(settings: Settings, *, sandbox: bool) -> Iterator[Outgoing]:
    outgoing = Outgoing(
        allow_private=settings.allow_private_addresses or sandbox,
        timeout_seconds=settings.partner_call_timeout_seconds,
        lane_width=settings.partner_calls_at_once,
        waits=settings.waits(),
    )
    try:
        yield outgoing
    finally:
        outgoing.close()


@dataclass(frozen=True, slots=True)
class _Addresses:
    """The database, for the application's role, and for the one that owns its tables, if that is another one."""

    application: str
    owner: str | None


def _upgrade(addresses: _Addresses) -> list[str]:
    if addresses.owner is not None:
        return migrate(addresses.owner, role_of(addresses.application))
    with connected(addresses.application) as connection:
        pending = pending_on(connection)
        if pending and not may_migrate(connection):
            raise MigrationError(
                f"The database needs {len(pending)} migrations, and this role does not own its tables: run"
                " clearwindow migrate with CLEARWINDOW_MIGRATION_DATABASE_URL."
            )
    return migrate(addresses.application) if pending else []


def tell_of_ownership(runtime: Runtime) -> None:
    """Tells the log if the application's role owns its tables, so that nothing in the database stops it."""
    with runtime.transaction() as tx:
        if may_migrate(tx.connection):
            log.warning(
                "application_owns_tables",
                message="the role of CLEARWINDOW_DATABASE_URL owns the tables, and could change the journal: "
                "docs/how-to/prepare-the-database.md says how to give it only what it needs",
            )


@contextmanager
def _addresses(settings: Settings, *, share_running: bool, as_owner: bool) -> Iterator[_Addresses]:
    owner = settings.migration_database_url
    if settings.database_url is not None:
        application = settings.database_url.get_secret_value()
        yield _Addresses(application, owner.get_secret_value() if owner is not None and as_owner else None)
        return
    if owner is not None:
        raise SettingsError(
            "CLEARWINDOW_MIGRATION_DATABASE_URL is set without CLEARWINDOW_DATABASE_URL: set both, or none for the"
            " embedded database."
        )
    # Before the cluster is made: then every cluster has a key, and a missing key is always a lost one.
    if settings.secret_key_command is None:
        secret_key.keys_of(settings)
    with start_embedded(
        settings.data_dir,
        binaries_path=settings.postgres_bin_dir,
        share_running=share_running,
        system_user=settings.postgres_user,
    ) as embedded:
        yield _Addresses(embedded.application_dsn, embedded.owner_dsn)


def _notifications(settings: Settings) -> NotificationTerms:
    try:
        return settings.notifications()
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _budget(settings: Settings) -> Budget:
    try:
        return settings.budget()
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _why_unreachable(error: Exception) -> str:
    if isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None:
        # The library's own message repeats parts of the URL, which may contain a password.
        return "The database URL is malformed: it must look like postgresql://user@host/name."
    if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        return f"The database cannot be used: {first_line(error)}. It is a standby, or writing is turned off."
    return f"The database cannot be used: {first_line(error)}"
