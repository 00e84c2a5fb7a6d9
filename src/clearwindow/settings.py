"""Settings: ``CLEARWINDOW_…`` in the environment, or in a file that ``CLEARWINDOW_CONFIG_FILE`` names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from clearwindow.runtime import CallTerms, Limits

ENV_PREFIX: Final = "CLEARWINDOW_"
CONFIG_FILE_VARIABLE: Final = "CLEARWINDOW_CONFIG_FILE"
MIN_OPERATOR_TOKEN_CHARACTERS: Final = 16

_DEFAULT = Limits()
_CALLS = CallTerms()

Folder = Annotated[Path, AfterValidator(Path.expanduser)]
OperatorToken = Annotated[SecretStr, Field(min_length=MIN_OPERATOR_TOKEN_CHARACTERS)]


class SettingsError(RuntimeError):
    """A setting is wrong or missing; the message names it and says what it must be."""


class Settings(BaseSettings):
    """Everything that can be set from outside; docs/settings.md is made of the descriptions here."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="forbid", hide_input_in_errors=True
    )

    database_url: SecretStr | None = Field(
        default=None,
        description="The PostgreSQL to use, 15 or newer, as a URL or as `key=value` pairs; several hosts may be "
        "named. Without it, a PostgreSQL of our own runs in the data folder.",
    )
    data_dir: Folder = Field(
        default=Path("data"), description="The data folder: the embedded database, its log, and the secret key."
    )
    postgres_bin_dir: Folder | None = Field(
        default=None,
        description="Where the programs of the embedded PostgreSQL are. Without it, the usual places are searched.",
    )
    operator_token: OperatorToken | None = Field(
        default=None,
        description="Makes this token, of at least 16 characters, that of the operator `bootstrap`: for first use "
        "and automation. Only its hash is kept in memory, and nothing of it in the database.",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        description="The key that connection keys, custodian keys and v2x tokens are encrypted with at rest: 32 "
        "bytes as base64 or hexadecimal. Without it, one is made once and kept in the data folder. Whoever loses "
        "it cannot use what is stored under it any more.",
    )
    host: str = Field(default="127.0.0.1", description="The address that the server listens on.")
    port: int = Field(default=8080, ge=0, le=65535, description="The port; 0 takes a free one.")
    trusted_proxies: str | None = Field(
        default=None,
        description="Addresses of reverse proxies, separated by commas, whose `X-Forwarded-For` is believed. It "
        "decides which address a token's allow-list sees; without it, the header is ignored.",
    )
    database_connections: int = Field(
        default=20, ge=2, le=500, description="The most connections that one process opens to the database."
    )
    body_bytes_limit: int = Field(
        default=_DEFAULT.body_bytes, ge=1024, description="The largest request body, in bytes."
    )
    body_seconds_limit: float = Field(
        default=_DEFAULT.body_seconds,
        gt=0,
        description="How many seconds a request body may take to arrive; after that the answer is 408.",
    )
    connections_per_settlement_limit: int = Field(
        default=_DEFAULT.connections_per_settlement, ge=1, description="The most connections in one settlement."
    )
    amounts_per_settlement_limit: int = Field(
        default=_DEFAULT.amounts_per_settlement, ge=1, description="The most amounts in one settlement."
    )
    page_size_limit: int = Field(
        default=_DEFAULT.page_size,
        ge=1,
        le=10_000,
        description="The most entries on a page of a list; who asks for more gets this many.",
    )
    rate_limit_per_minute: int = Field(
        default=360,
        ge=0,
        description="How many requests a token of an enterprise may make in a minute, and how many requests "
        "without a known token may come from one address; after that the answer is 429. 0 is no limit. "
        "Operators' tokens are not limited. Each process counts for itself.",
    )
    concurrent_requests_limit: int | None = Field(
        default=None,
        ge=1,
        description="How many requests of one enterprise, of one operator, or of one address without a known "
        "token, a process works on at once; more wait their turn. Without it, a third of "
        f"`{ENV_PREFIX}DATABASE_CONNECTIONS`.",
    )
    concurrent_requests_wait_seconds: float = Field(
        default=30, gt=0, description="How long a request waits for its turn before the answer is 429."
    )
    worker_poll_seconds: float = Field(
        default=0.2, gt=0, le=60, description="How often a worker looks for due work."
    )
    worker_lag_limit_seconds: float = Field(
        default=60,
        gt=0,
        description="How long due work may be overdue before `/readyz` answers 503.",
    )
    sandbox: bool = Field(
        default=False,
        description="Makes a sandbox of an empty database, for good: its clock can be moved forwards, it can be "
        "emptied, and private addresses are allowed. A database that holds enterprises cannot become one, and one "
        "that is a sandbox's is served with this setting only.",
    )
    allow_private_addresses: bool = Field(
        default=False,
        description="Lets partners be called at addresses in private ranges, and over http://. For rehearsals on "
        "one machine or in one network; never where others may say which address is called.",
    )
    partner_call_timeout_seconds: float = Field(
        default=10,
        gt=0,
        le=20,
        description="How long one call to a partner may take in all, with the repeats that are made while a "
        "client waits.",
    )
    partner_calls_at_once: int = Field(
        default=8,
        ge=1,
        le=1000,
        description="How many calls to one partner a process makes at once; one more is not made, and "
        "counts as not answered.",
    )
    partner_call_attempts: int = Field(
        default=_CALLS.inline_attempts,
        ge=1,
        le=10,
        description="How often a partner is called while a client waits, as far as the time allows.",
    )
    partner_call_header: str = Field(
        default=_CALLS.signature_header,
        pattern=r"^[A-Za-z0-9-]{1,64}$",
        description="The header that carries the signature of a call to a partner.",
    )
    partner_call_issuer: str = Field(
        default=_CALLS.issuer,
        min_length=1,
        max_length=255,
        description="The issuer (`iss`) in the signature of a call to a partner.",
    )
    webhook_timeout_seconds: float = Field(
        default=_CALLS.webhook_timeout_seconds,
        gt=0,
        le=60,
        description="How long a webhook endpoint may take to answer a message. What a worker that was killed had "
        "in hand is delivered by another one after six times as long.",
    )
    webhook_attempts_kept_days: int = Field(
        default=30,
        ge=1,
        le=3650,
        description="For how many days each attempt to deliver a webhook message can be looked at. What became of "
        "the message is kept for good.",
    )
    shutdown_seconds: float = Field(
        default=20, gt=0, description="How long a server that ends waits for requests that are under way."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe lines that are logged."
    )

    def limits(self) -> Limits:
        return Limits(
            body_bytes=self.body_bytes_limit,
            connections_per_settlement=self.connections_per_settlement_limit,
            amounts_per_settlement=self.amounts_per_settlement_limit,
            page_size=self.page_size_limit,
            body_seconds=self.body_seconds_limit,
        )

    def calls(self) -> CallTerms:
        return CallTerms(
            signature_header=self.partner_call_header,
            issuer=self.partner_call_issuer,
            inline_attempts=self.partner_call_attempts,
            webhook_timeout_seconds=self.webhook_timeout_seconds,
        )


def load_settings(**flags: object) -> Settings:
    """The settings of this process: flags that were given, then the environment, then the file it names.

    Raises:
        SettingsError: naming every setting that is wrong, and never its value, which may be a secret.
    """
    config_file = os.environ.get(CONFIG_FILE_VARIABLE)
    if config_file is not None and not os.access(config_file, os.R_OK):
        raise SettingsError(f"{CONFIG_FILE_VARIABLE} names {config_file}, which cannot be read.")
    given: dict[str, Any] = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(_env_file=config_file, **given)
    except ValidationError as error:
        wrong = [f"{_name(problem['loc'])}: {problem['msg']}" for problem in error.errors(include_url=False)]
        raise SettingsError("; ".join(wrong)) from None


def _name(location: tuple[int | str, ...]) -> str:
    name = str(location[0]).upper()
    return name if name.startswith(ENV_PREFIX) else f"{ENV_PREFIX}{name}"
