"""Who is on the network so far, kept in the network file while it grows."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from clearwindow.sandbox.network.file import (
    Exchange,
    Network,
    OperatorAccess,
    Trader,
    read_network,
    write_network,
)

_SECONDS_BETWEEN_WRITES: Final = 1.0


class Roll:
    """What is in the network file, by name. All that is in it is finished: what is not is made again, or found."""

    def __init__(self, path: Path, url: str) -> None:
        """Reads the file, if it is there.

        Raises:
            NetworkFileError: it is there, and is no network file.
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
        """All of it, in the order of the names."""
        return Network(
            self._url,
            tuple(self.operators[name] for name in sorted(self.operators)),
            tuple(self.exchanges[name] for name in sorted(self.exchanges)),
            tuple(self.traders[name] for name in sorted(self.traders)),
        )

    def add(self, who: OperatorAccess | Exchange | Trader) -> None:
        """Takes somebody on, in place of whoever has the name; written soon."""
        if isinstance(who, OperatorAccess):
            self.operators[who.name] = who
        elif isinstance(who, Exchange):
            self.exchanges[who.name] = who
        else:
            self.traders[who.name] = who
        if time.monotonic() - self._written_at >= _SECONDS_BETWEEN_WRITES:
            self.write()

    def write(self) -> None:
        """Writes the file, unless there is nobody to write down."""
        if not (self.operators or self.exchanges or self.traders):
            return
        write_network(self._path, self.network)
        self._written_at = time.monotonic()
