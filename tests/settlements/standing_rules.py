"""Random standing top-ups of the partner, for the network's model. Protocol §5."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.support.model import Model
from tests.support.networks import PartnerHandle
from tests.support.settlements import Testbed
from tests.support.top_ups import spare_account, standing_top_up

_CURRENCIES: Final = ("ofcbtc", "ofcusd")


class StandingRules(RuleBasedStateMachine):
    """A second Go Account of the partner, on which its settlements may draw."""

    testbed: Testbed
    partner: PartnerHandle
    model: Model

    def open_spare(self) -> None:
        """Opens the account, with nothing in it and without an instruction."""
        self.spare = spare_account(self.testbed, self.partner)
        self.instructions: dict[str, str] = {}

    def run_now(self) -> None:
        """Does what is due, without any time passing."""
        self.testbed.run_due()
        self.model.advance(0)

    @rule(currency=st.sampled_from(_CURRENCIES), quantity=st.integers(1, 80))
    def fund_spare(self, currency: str, quantity: int) -> None:
        self.testbed.operator.deposit(self.spare, currency, quantity)
        self.model.fund_spare(currency, quantity)
        self.run_now()

    @rule(currency=st.sampled_from(_CURRENCIES))
    def revoke(self, currency: str) -> None:
        standing = self.instructions.pop(currency, None)
        if standing is not None:
            assert self.partner.api.delete(f"/partners/standing-top-ups/{standing}").status_code == 204
            del self.model.standing[currency]

    @rule(currency=st.sampled_from(_CURRENCIES), per_settlement=st.integers(1, 60))
    def instruct_anew(self, currency: str, per_settlement: int) -> None:
        """An instruction that stands is revoked first: there is one for each currency."""
        self.revoke(currency)
        given = {"currency": currency, "perSettlement": str(per_settlement)}
        self.instructions[currency] = standing_top_up(self.partner, self.spare, **given)["id"]
        self.model.instruct(currency, per_settlement)
        self.run_now()

    @invariant()
    def spare_agrees(self) -> None:
        if not hasattr(self, "instructions"):
            return
        account = self.testbed.operator.balances(self.spare)
        for currency in _CURRENCIES:
            assert account.get(currency, (0, 0)) == (self.model.spare[currency], 0), currency
