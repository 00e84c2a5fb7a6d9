"""An operator's authenticator, enrolled over the API."""

from __future__ import annotations

import time
from base64 import b32decode
from datetime import UTC, datetime
from typing import Final

from clearwindow.identity.second_factor import rules
from tests.support.operators import OperatorClient

_ARRIVES_WITHIN_SECONDS: Final = 5


class Authenticator:
    """Shows codes in real time, each a step later than the one before it: a code is accepted once."""

    def __init__(self, base_url: str, token: str) -> None:
        self._used = 0
        with OperatorClient(base_url, token) as own:
            made = own.post("/operators/me/second-factor").json()["secondFactor"]
            self._secret = b32decode(made["secret"])
            _await_time_in_this_step()
            answer = own.post("/operators/me/second-factor/confirm", {"code": self._code(-1)})
            assert answer.status_code == 200, answer.text

    def next_code(self) -> str:
        self._used += 1
        return self._code(self._used - 1)

    def _code(self, steps: int) -> str:
        return rules.totp(self._secret, rules.step_of(datetime.now(UTC)) + steps)


def _await_time_in_this_step() -> None:
    """Waits if the step ends soon: the code of the step before it would then be too old when it arrives."""
    left = rules.STEP_SECONDS - time.time() % rules.STEP_SECONDS
    if left < _ARRIVES_WITHIN_SECONDS:
        time.sleep(left)
