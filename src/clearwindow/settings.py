"""Settings: ``CLEARWINDOW_…`` in the environment, or in a file that ``CLEARWINDOW_CONFIG_FILE`` names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from clearwindow.runtime import Limits

_DEFAULT = Limits()


class Settings(BaseSettings):
    """Everything that can be set from outside; see docs/settings.md."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix="CLEARWINDOW_", extra="forbid", hide_input_in_errors=True
    )

    database_url: SecretStr | None = None
    data_dir: Path = Path("data")
    postgres_bin_dir: Path | None = None
    operator_token: SecretStr | None = None
    secret_key: SecretStr | None = None
    database_connections: int = Field(default=20, ge=2, le=500)
    body_bytes_limit: int = Field(default=_DEFAULT.body_bytes, ge=1024)
    connections_per_settlement_limit: int = Field(default=_DEFAULT.connections_per_settlement, ge=1)
    amounts_per_settlement_limit: int = Field(default=_DEFAULT.amounts_per_settlement, ge=1)
    worker_poll_seconds: float = Field(default=0.2, gt=0, le=60)

    def limits(self) -> Limits:
        return Limits(
            body_bytes=self.body_bytes_limit,
            connections_per_settlement=self.connections_per_settlement_limit,
            amounts_per_settlement=self.amounts_per_settlement_limit,
        )


def load_settings() -> Settings:
    """The settings of this process; a file named by ``CLEARWINDOW_CONFIG_FILE`` holds ``NAME=value`` lines."""
    config_file = os.environ.get("CLEARWINDOW_CONFIG_FILE")
    return Settings(_env_file=config_file)
