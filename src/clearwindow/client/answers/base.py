"""The base of all answers: frozen values with exact amounts and times, which ignore unknown fields."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, ClassVar, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, PlainValidator, PrivateAttr
from pydantic.alias_generators import to_camel

_WHOLE: Final = re.compile(r"-?[0-9]{1,100}")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,100}(\.[0-9]{1,100})?")


@dataclass(frozen=True, slots=True)
class Meta:
    """Values from the headers of an answer.

    They are not compared: two answers with the same content are equal, whatever request they belong to.

    Attributes:
        request_id: the server's id of the request, to quote in questions.
        replayed: whether this request repeated an earlier one and got its answer.
        warnings: what the server accepted and may be a mistake, such as ``cutoff_went_back``.
        total: for a list, the number of entries on all pages.
        total_is_exact: whether the list has no more entries than ``total``; long lists are not counted whole.
        next_cursor: for a list that has cursors, where the next page begins; None on its last page.
    """

    request_id: str | None = field(default=None, compare=False)
    replayed: bool = field(default=False, compare=False)
    warnings: tuple[str, ...] = field(default=(), compare=False)
    total: int | None = field(default=None, compare=False)
    total_is_exact: bool = field(default=True, compare=False)
    next_cursor: str | None = field(default=None, compare=False)


class Value(BaseModel):
    """A part of an answer: camelCase on the wire, frozen here. Unknown fields are ignored."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        extra="ignore",
        frozen=True,
        # The import of the SDK builds none of the hundred models; the first use of a model builds it.
        defer_build=True,
        hide_input_in_errors=True,
    )

    _meta: Meta = PrivateAttr(default=Meta())

    @classmethod
    def read(cls, body: object, meta: Meta) -> Self:
        """Reads the value from a part of an answer.

        Raises:
            pydantic.ValidationError: the part has another form.
        """
        value = cls.model_validate(body)
        value._meta = meta  # noqa: SLF001 - its own kind, while it is made
        return value

    @property
    def meta(self) -> Meta:
        """The values from the headers; empty for a value inside another value."""
        return self._meta

    @property
    def replayed(self) -> bool:
        """Whether the request was carried out before, and this is its first answer."""
        return self._meta.replayed


def _whole(value: object) -> object:
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("must be a whole number of base units")


def _decimal(value: object) -> object:
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return Decimal(value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Decimal(value)
    raise ValueError("must be a decimal number")


def any_text(value: object) -> str:
    """Accepts unknown texts, so that a newer server does not break an older caller."""
    if not isinstance(value, str):
        raise ValueError("must be a text")  # noqa: TRY004 - pydantic turns this kind into its own error
    return value


BaseUnits = Annotated[int, BeforeValidator(_whole), PlainSerializer(str, when_used="json")]
"""Satoshi, wei and so on: whole numbers of any size. In JSON they are texts, as on the wire."""

Exact = Annotated[Decimal, BeforeValidator(_decimal)]
"""An amount in a partner's own unit, or a rate. Sums of long amounts need ``decimal.localcontext``."""

OpenText = PlainValidator(any_text)
"""For use with a ``Literal``: its texts are known, and others are accepted too."""


class Balance(Value):
    """The available and the held base units."""

    available: BaseUnits
    held: BaseUnits
