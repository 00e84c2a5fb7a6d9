"""The exchange's own names of currencies and the unit of its amounts, read once for a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from clearwindow.console.exchanges.settlement_file import Unit
from clearwindow.console.routing import Visit
from clearwindow.console.texts import Amounts
from clearwindow.core.money import AmountUnit, from_partner_amount
from clearwindow.network.routes import network_currencies


@dataclass(frozen=True, slots=True)
class OwnAmounts:
    """Writes an amount in the exchange's name and unit as coins, as all other amounts of a page."""

    ours: Mapping[str, str]
    units: Mapping[str, Unit]
    unit: AmountUnit
    amounts: Amounts

    def __call__(self, quantity: str, name: str, *, signed: bool = False) -> Markup:
        unit, negative = self.units.get(name), quantity.startswith("-")
        base = None if unit is None else from_partner_amount(quantity.removeprefix("-"), self.unit, unit.decimals)
        if base is None:
            return self.base(quantity, name)
        return self.amounts(-base if negative else base, self.ours[name], signed=signed)

    def base(self, quantity: str, name: str) -> Markup:
        """Writes base units of a currency that has the exchange's name, or ours if the exchange has none for it."""
        return self.amounts(quantity, self.ours.get(name, name))


def of(visit: Visit) -> OwnAmounts:
    """Returns what writes the amounts of the visitor's exchange."""
    found = visit.desk.read(network_currencies, "v1CurrenciesGetRoute")
    unit = found.amount_unit or AmountUnit.BASE
    named = [(name, each) for each in found.currencies for name in each.partner_names]
    return OwnAmounts(
        {name: each.name for name, each in named},
        {name: Unit(each.decimals, unit is AmountUnit.BASE) for name, each in named},
        unit,
        visit.amounts(),
    )
