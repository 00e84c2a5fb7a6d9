"""Which amounts are exact: the statement that checks a whole settlement agrees with the rule for one amount."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

from hypothesis import example, given, settings
from hypothesis import strategies as st

from clearwindow.core.clock import ManualClock
from clearwindow.core.money import AmountUnit, from_partner_amount
from clearwindow.postgres.pool import Database
from clearwindow.settlements.transfers import store as transfers
from clearwindow.settlements.transfers.models import AmountArrays
from tests.conftest import START
from tests.support.databases import TestCluster

DIGITS = st.text("0123456789", min_size=1, max_size=24)
AMOUNTS = st.builds(
    lambda sign, whole, fraction: f"{sign}{whole}" + (f".{fraction}" if fraction else ""),
    st.sampled_from(["", "-"]),
    st.integers(0, 10**20).map(str),
    st.just("") | DIGITS | DIGITS.map(lambda text: text + "0" * 12),
)
CURRENCY_DECIMALS = st.integers(0, 18)


def test_sql_and_rules_agree_on_exact_amounts(cluster: TestCluster) -> None:
    with cluster.fresh_database() as dsn:
        database = Database(dsn, ManualClock(START))
        database.open()

        @settings(max_examples=300, deadline=None)
        @given(text=AMOUNTS, decimals=CURRENCY_DECIMALS, unit=st.sampled_from(AmountUnit))
        @example("-1.50000000", 6, AmountUnit.DECIMAL)
        @example("-0.100000000", 8, AmountUnit.DECIMAL)
        @example("-1.0", 0, AmountUnit.DECIMAL)
        @example("-1.0", 0, AmountUnit.BASE)
        @example("-1.10", 0, AmountUnit.DECIMAL)
        @example("1." + "0" * 78, 0, AmountUnit.DECIMAL)
        def agree(text: str, decimals: int, unit: AmountUnit) -> None:
            expected = from_partner_amount(text, unit, decimals)
            base = unit is AmountUnit.BASE
            with database.transaction() as tx:
                amounts = AmountArrays([uuid4()], [uuid4()], ["1"], None, ["1"], [text])
                unfit = transfers.unfit_amounts(tx, amounts, [0 if base else decimals], digits_only=base)()
                tx.connection.rollback()
            if Decimal(text) == 0:
                assert [one.problem for one in unfit] == ["zero"]
            else:
                assert [one.problem for one in unfit] == ([] if expected is not None else ["too_fine"])

        agree()
        database.close()


def test_exact_amount_in_base_units() -> None:
    decimal, base = AmountUnit.DECIMAL, AmountUnit.BASE
    assert from_partner_amount("-1.50000000", decimal, 6) == -1_500_000
    assert from_partner_amount("-0.100000000", decimal, 8) == -10_000_000
    assert from_partner_amount("-1.0", decimal, 0) == -1
    assert from_partner_amount("-1.5", decimal, 0) is None
    assert from_partner_amount("-150", base, 8) == -150
    for inexact in ("-1.0", "-1.5", "1.00"):
        assert from_partner_amount(inexact, base, 8) is None
