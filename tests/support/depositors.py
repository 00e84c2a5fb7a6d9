"""Deposits that go on while something else happens."""

from __future__ import annotations

import threading

from tests.support.networks import ok
from tests.support.operators import OperatorClient


class Depositor:
    """Deposits again and again until it is stopped.

    Attributes:
        acknowledged: how many were answered.
        sent: how many were sent. Their references are ``r-1`` to ``r-sent``.
    """

    def __init__(self, operator: OperatorClient, account: str, currency: str, quantity: int) -> None:
        self._operator, self._account, self._currency, self._quantity = operator, account, currency, quantity
        self._stop = threading.Event()
        self.acknowledged = 0
        self.sent = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.sent += 1
            ok(self._operator.move("deposits", self._account, self._currency, self._quantity, f"r-{self.sent}"))
            self.acknowledged += 1

    def wait_for(self, count: int) -> None:
        """Returns when so many are acknowledged."""
        while self.acknowledged < count:
            assert self._thread.is_alive()
            self._thread.join(0.02)

    def stop(self) -> None:
        """Returns when the last one is answered."""
        self._stop.set()
        self._thread.join()
