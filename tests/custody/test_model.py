"""Random deposits and withdrawals agree with a model in plain Python."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.operators import OperatorClient

MOST: Final = 10**78 - 1
QUANTITIES: Final = st.one_of(st.integers(1, 20), st.sampled_from([MOST, MOST - 1, MOST // 2 + 1]))


class Model:
    """Two accounts, the movement of each reference, and the limit of the outside account."""

    def __init__(self) -> None:
        self.balances: defaultdict[tuple[int, str], int] = defaultdict(int)
        self.done: dict[tuple[int, str], tuple[str, str, int]] = {}

    def move(self, account: int, kind: str, currency: str, quantity: int, reference: str) -> int:
        """Returns the HTTP status that this movement must get."""
        done = self.done.get((account, reference))
        if done is not None:
            return 200 if done == (kind, currency, quantity) else 409
        change = quantity if kind == "deposits" else -quantity
        balance = self.balances[account, currency] + change
        everywhere = sum(held for (_, name), held in self.balances.items() if name == currency) + change
        if balance < 0 or everywhere > MOST:
            return 422
        self.balances[account, currency] = balance
        self.done[account, reference] = (kind, currency, quantity)
        return 200


MOVES: Final = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(["deposits", "deposits", "withdrawals"]),
        st.sampled_from(["ofcbtc", "ofceth"]),
        QUANTITIES,
        st.integers(0, 12).map("reference-{}".format),
    ),
    max_size=12,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(moves=MOVES)
def test_custody_agrees_with_its_model(
    operator: OperatorClient, moves: list[tuple[int, str, str, int, str]]
) -> None:
    # Each example has new accounts. The outside account is shared, so each example withdraws everything at its end.
    operator.enterprise("acme")
    accounts = [operator.go_account("acme").id for _ in range(2)]
    model = Model()
    for account, kind, currency, quantity, reference in moves:
        answer = operator.move(kind, accounts[account], currency, quantity, reference)
        assert answer.status_code == model.move(account, kind, currency, quantity, reference), answer.text
    assert operator.check() == []
    for number, account_id in enumerate(accounts):
        expected = {name: held for (owner, name), held in model.balances.items() if owner == number and held}
        found = operator.balances(account_id)
        assert {name: available for name, (available, _) in found.items() if available} == expected
        for name, available in expected.items():
            operator.withdraw(account_id, name, available)
