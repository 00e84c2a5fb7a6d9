"""What an attack is, and what it gets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import ceil
from typing import TypeAlias

from bench.door.network import Target
from bench.door.outcome import Taken
from bench.door.wire import Address
from tests.support.operators import OperatorClient


@dataclass(frozen=True, slots=True)
class Field:
    """Where an attack takes place.

    Attributes:
        address: of the server.
        dsn: of its database, for what cannot be done over HTTP.
        operator: whose calls prepare something. It is no attacker.
        target: the network.
        small: a tenth of the counts and times, to try the measurement itself.
    """

    address: Address
    dsn: str
    operator: OperatorClient
    target: Target
    small: bool = False

    def count(self, full: int) -> int:
        return ceil(full / 10) if self.small else full

    def seconds(self, full: float) -> float:
        return full / 10 if self.small else full


Run: TypeAlias = Callable[[Field], Awaitable[Taken]]


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack: its name, what a stranger does in it, how it runs, and whether the server speaks TLS then."""

    name: str
    what: str
    run: Run
    tls: bool = False
