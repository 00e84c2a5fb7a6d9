"""Rows are converted to models by the annotations of the model's fields."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from clearwindow.postgres.rows import model_of


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Thing:
    quantity: int
    colour: Colour | None
    colours: frozenset[Colour]
    names: tuple[str, ...]
    minutes: Decimal
    others: tuple[Colour, ...] | None = None


def test_columns_get_the_types_of_the_fields() -> None:
    record = {
        "quantity": Decimal(7),
        "colour": "red",
        "colours": ["blue", "red"],
        "names": ["a"],
        "minutes": Decimal("1.5"),
    }
    made = model_of(Thing, record)
    assert made == Thing(7, Colour.RED, frozenset({Colour.RED, Colour.BLUE}), ("a",), Decimal("1.5"))
    assert (type(made.quantity), type(made.colour), type(made.minutes)) == (int, Colour, Decimal)


def test_optional_fields_are_converted_or_stay_empty() -> None:
    record = {"quantity": 1, "colour": None, "colours": [], "names": [], "minutes": Decimal(0), "others": ["blue"]}
    made = model_of(Thing, record)
    assert (made.colour, made.others) == (None, (Colour.BLUE,))
