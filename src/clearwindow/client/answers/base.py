"""What every answer is made of: frozen values that ignore what they do not know, with exact amounts and times."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, ClassVar, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, PrivateAttr
from pydantic.alias_generators import to_camel

_WHOLE: Final = re.compile(r"-?[0-9]{1,100}")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,100}(\.[0-9]{1,100})?")


@dataclass(frozen=True, slots=True)
class Meta:
    """What an answer's headers say.

    Two answers that say the same are equal whichever request they came with, so nothing here is compared.

    Attributes:
        request_id: the server's own id of the request, to quote when something is unclear.
        replayed: whether the answer repeats that of an earlier request, which this one only repeated.
        total: of a list, how many entries there are on all pages.
    """

    request_id: str | None = field(default=None, compare=False)
    replayed: bool = field(default=False, compare=False)
    total: int | None = field(default=None, compare=False)


class Value(BaseModel):
    """A part of an answer: camelCase on the wire, frozen here; fields that are not known here are left out."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        extra="ignore",
        frozen=True,
        # Importing the SDK builds none of the hundred models; using one builds that one.
        defer_build=True,
        hide_input_in_errors=True,
    )

    _meta: Meta = PrivateAttr(default=Meta())

    @classmethod
    def read(cls, body: object, meta: Meta) -> Self:
        """The value of a part of an answer.

        Raises:
            pydantic.ValidationError: it has not this form.
        """
        value = cls.model_validate(body)
        value._meta = meta  # noqa: SLF001 - its own kind, while it is made
        return value

    @property
    def meta(self) -> Meta:
        """What came beside the answer; empty for a value inside another one."""
        return self._meta

    @property
    def replayed(self) -> bool:
        """Whether the request had been carried out before, and this is what was answered then."""
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
    """Takes a text that is not among the known ones: a newer server must not break an older caller."""
    if not isinstance(value, str):
        raise ValueError("must be a text")  # noqa: TRY004 - pydantic turns this kind into its own error
    return value


BaseUnits = Annotated[int, BeforeValidator(_whole)]
"""Satoshi, wei and the like: whole numbers of any size."""

Exact = Annotated[Decimal, BeforeValidator(_decimal)]
"""An amount in a partner's own unit, or a rate. Sums of long amounts need ``decimal.localcontext``."""

OpenText = PlainValidator(any_text)
"""Beside a ``Literal``: these are known, and others pass."""


class Balance(Value):
    """Base units that may be spent, and that are set aside."""

    available: BaseUnits
    held: BaseUnits


class PartnerBalance(Value):
    """The same in the partner's own unit."""

    available: Exact
    held: Exact
