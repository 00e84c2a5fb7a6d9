"""The members of a network while it is made, kept in the network file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from clearwindow.simulator.network.file import (
    Exchange,
    Network,
    OperatorAccess,
    Trader,
    read_network,
    write_network,
)

_SECONDS_BETWEEN_WRITES: Final = 1.0


class Roll:
    """The members in the network file, by name. A listed member is finished; any other is made or found again."""

    def __init__(self, path: Path, url: str) -> None:
        """Reads the file, if it exists.

        Raises:
            NetworkFileError: the file exists and is not a network file.
        """
        self._path = path
        self._url = url
        self._written_at = time.monotonic()
        known = read_network(path) if path.exists() else Network(url, (), (), ())
        self.operators = {operator.name: operator for operator in known.operators}
        self.exchanges = {exchange.name: exchange for exchange in known.exchanges}
        self.traders = {trader.name: trader for trader in known.traders}

    @property
    def network(self) -> Network:
        """The network with all members, ordered by name."""
        return Network(
            self._url,
            tuple(self.operators[name] for name in sorted(self.operators)),
            tuple(self.exchanges[name] for name in sorted(self.exchanges)),
            tuple(self.traders[name] for name in sorted(self.traders)),
        )

    def add(self, member: OperatorAccess | Exchange | Trader) -> None:
        """Adds a member, or replaces the one with this name. The file is written soon."""
        if isinstance(member, OperatorAccess):
            self.operators[member.name] = member
        elif isinstance(member, Exchange):
            self.exchanges[member.name] = member
        else:
            self.traders[member.name] = member
        if time.monotonic() - self._written_at >= _SECONDS_BETWEEN_WRITES:
            self.write()

    def write(self) -> None:
        """Writes the file, unless there are no members."""
        if not (self.operators or self.exchanges or self.traders):
            return
        write_network(self._path, self.network)
        self._written_at = time.monotonic()
