"""The network file: the members of a network, with the tokens and keys to act for each of them.

It holds secrets. Only its owner may read it. It is written completely or not at all. Neither ``repr`` nor errors
show a secret.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import field
from pathlib import Path
from typing import Final, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass

from clearwindow.core.field_errors import field_problem

VERSION: Final = 1
_UNKNOWN: Final = "is not a field of a network file"
_FORM: Final = ConfigDict(
    alias_generator=to_camel,
    validate_by_alias=True,
    validate_by_name=True,
    extra="forbid",
    hide_input_in_errors=True,
)


class NetworkFileError(RuntimeError):
    """The network file cannot be used. The message says what is wrong and where; it quotes no value."""


@dataclass(frozen=True, slots=True, config=_FORM)
class OperatorAccess:
    """An operator of the network. Reviews need two of them."""

    name: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, config=_FORM)
class Exchange:
    """A partner.

    Attributes:
        callback_url: the address of its endpoints. A partner without endpoints agrees to everything.
        currencies: the network's name of each currency, by the partner's name.
        amount_unit: the unit of amounts in its settlements.
    """

    name: str
    enterprise_id: str
    partner_id: str
    go_account_id: str
    token: str = field(repr=False)
    xprv: str = field(repr=False)
    callback_url: str | None
    currencies: dict[str, str]
    amount_unit: Literal["base", "decimal"]


@dataclass(frozen=True, slots=True, config=_FORM)
class Connection:
    """A trader's connection to an exchange."""

    exchange: str
    connection_id: str


@dataclass(frozen=True, slots=True, config=_FORM)
class Trader:
    """A client."""

    name: str
    enterprise_id: str
    client_id: str
    go_account_id: str
    token: str = field(repr=False)
    xprv: str = field(repr=False)
    connections: tuple[Connection, ...]


@dataclass(frozen=True, slots=True, config=_FORM)
class Network:
    """All members of the network at ``url``."""

    version: Literal[1] = field(default=VERSION, kw_only=True)
    url: str
    operators: tuple[OperatorAccess, ...]
    exchanges: tuple[Exchange, ...]
    traders: tuple[Trader, ...]

    def exchange(self, name: str) -> Exchange:
        """Returns the exchange with this name.

        Raises:
            NetworkFileError: there is no such member.
        """
        for exchange in self.exchanges:
            if exchange.name == name:
                return exchange
        raise NetworkFileError(f"The network has no exchange {name}; it has {_listed(self.exchanges)}.")

    def trader(self, name: str) -> Trader:
        """Returns the trader with this name.

        Raises:
            NetworkFileError: there is no such member.
        """
        for trader in self.traders:
            if trader.name == name:
                return trader
        raise NetworkFileError(f"The network has no trader {name}; it has {_listed(self.traders)}.")


_FILE: Final = TypeAdapter(Network)


def read_network(path: Path) -> Network:
    """Returns the network in the file.

    Raises:
        NetworkFileError: the file cannot be read, or is not a network file.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NetworkFileError(f"The network file {path} cannot be read: {error.strerror}.") from None
    try:
        return _FILE.validate_json(content)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'the file'}: {field_problem(problem, unknown_field=_UNKNOWN)}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise NetworkFileError(f"{path} is not a network file: {wrong}.") from None


def write_network(path: Path, network: Network) -> None:
    """Writes the file. Only its owner may read it; readers find either the old or the new content.

    Raises:
        NetworkFileError: the file cannot be written.
    """
    try:
        # mkstemp makes it with mode 0600.
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_FILE.dump_json(network, by_alias=True, indent=1) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise NetworkFileError(f"The network file {path} cannot be written: {error.strerror}.") from None


def _listed(named: tuple[Exchange, ...] | tuple[Trader, ...]) -> str:
    if not named:
        return "none"
    first, last = named[0].name, named[-1].name
    return first if first == last else f"{first} to {last}"
