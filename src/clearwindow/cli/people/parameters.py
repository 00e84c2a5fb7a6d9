"""The parameters of the SDK's methods as arguments and options of commands."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    Literal,
    NotRequired,
    Required,
    Unpack,
    get_args,
    get_origin,
)

import typer

from clearwindow.cli.people.asking import CODE_VARIABLE, second_factor_code
from clearwindow.cli.people.moments import parse_moment
from clearwindow.cli.people.problems import usage
from clearwindow.client import NewKey
from clearwindow.client.text import Amounts, Id, Minutes, Quantity

if TYPE_CHECKING:
    from clearwindow.cli.people.session import Session

Convert = Callable[["Session", Any], Any]
_PAGING: Final = frozenset({"page_size", "page_number"})
_NONE: Final = "none"
_CODE: Final = "code"
_AMOUNT: Final = "AMOUNT"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a method.

    Attributes:
        annotation: for typer.
        default: for typer; None if the option may be left out.
        convert: makes the method's value of the option's text.
        is_amount: whether the value is a coin and base units of it.
    """

    name: str
    annotation: Any
    default: Any
    convert: Convert
    is_amount: bool = False
    is_filter: bool = False


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one type is written on a command line."""

    type: Any
    convert: Convert
    metavar: str | None = None
    is_amount: bool = False
    many: bool = False


def parameters_of(method: Callable[..., Any], told: Mapping[str, str]) -> list[Parameter]:
    """Returns the parameters; ``told`` is what the documentation says of them."""
    found: list[Parameter] = []
    for name, parameter in inspect.signature(method, eval_str=True).parameters.items():
        if name == "self":
            continue
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            (fields,) = get_args(parameter.annotation) if get_origin(parameter.annotation) is Unpack else (None,)
            found += _fields_of(fields, method)
            continue
        is_argument = parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        required = parameter.default is inspect.Parameter.empty
        if name == _CODE:
            found.append(_code(required=required))
            continue
        found.append(
            _parameter(name, parameter.annotation, told.get(name), required=required, argument=is_argument)
        )
    if currency_beside(found):
        found = [_optional(each) if each.name == "currency" else each for each in found]
    return found


def currency_beside(parameters: Sequence[Parameter]) -> bool:
    """Returns whether the unit of the amount can stand for a parameter ``currency``."""
    return any(each.is_amount for each in parameters) and any(each.name == "currency" for each in parameters)


def _fields_of(fields: Any, method: Callable[..., Any]) -> list[Parameter]:  # noqa: ANN401 - a TypedDict
    hints = typing.get_type_hints(fields, include_extras=True)
    # A list reads with filters; anything else changes what the fields say.
    is_filter = "page_size" in hints
    return [
        _parameter(
            name,
            hint,
            None,
            required=_is_required(fields, name, hint),
            argument=False,
            is_filter=is_filter,
            removable=not is_filter and method.__name__.startswith("update"),
        )
        for name, hint in hints.items()
        if name not in _PAGING
    ]


def _is_required(fields: Any, name: str, hint: Any) -> bool:  # noqa: ANN401 - a TypedDict, any type
    # Where annotations are texts, the class itself does not know what its fields say of this.
    marked = get_origin(hint)
    return marked is Required or (marked is not NotRequired and name in fields.__required_keys__)


def _parameter(
    name: str,
    hint: Any,  # noqa: ANN401 - any type
    told: str | None,
    *,
    required: bool,
    argument: bool,
    is_filter: bool = False,
    removable: bool = False,
) -> Parameter:
    plain, has_none = _without_none(hint)
    kind = _kind(plain)
    convert = kind.convert
    text = told[:1].upper() + told[1:] if told else None
    if removable and has_none:
        text = f"{text or ''} Or none, to take it away.".strip()
        convert, kind = _or_none(convert), _Kind(str, convert, kind.metavar or "VALUE|none")
    if kind.metavar == _AMOUNT:
        # The SDK takes base units, people write coins.
        text = text.replace(", in base units", "").replace("; empty if", "; none if") if text else text
        text = f"{text.rstrip('.')}: with its unit, as in '10 BTC'." if text else "With its unit, as in '10 BTC'."
    type_ = list[kind.type] if kind.many else kind.type  # type: ignore[name-defined]
    if argument:
        info: Any = typer.Argument(metavar=name.upper() if required else f"[{name.upper()}]", help=text)
    elif kind.type is bool:
        info = typer.Option(help=text)
    else:
        info = typer.Option(f"--{name.replace('_', '-')}", metavar=kind.metavar, help=_repeatable(text, kind))
    default = inspect.Parameter.empty if required else None
    return Parameter(
        name, Annotated[type_ if required else type_ | None, info], default, convert, kind.is_amount, is_filter
    )


def _code(*, required: bool) -> Parameter:
    """The code of a second factor is asked for: an argument could be read by everybody on the machine."""
    told = f"Give a code of your second factor: {CODE_VARIABLE}, else you are asked for it."
    info = typer.Option("--code", help=told, hidden=required)
    default = True if required else None
    return Parameter(_CODE, Annotated[bool | None, info], default, lambda _session, _given: second_factor_code())


def _optional(parameter: Parameter) -> Parameter:
    type_, info = get_args(parameter.annotation)
    return Parameter(parameter.name, Annotated[type_ | None, info], None, parameter.convert)


def _repeatable(text: str | None, kind: _Kind) -> str | None:
    return f"{text or ''} Repeatable.".strip() if kind.many else text


def _without_none(hint: Any) -> tuple[Any, bool]:  # noqa: ANN401 - any type
    while get_origin(hint) in (Required, NotRequired):
        (hint,) = get_args(hint)
    if hint in (Id, Quantity, Minutes):
        return hint, False
    if get_origin(hint) in (types.UnionType, typing.Union):
        left = [each for each in get_args(hint) if each is not type(None)]
        if len(left) < len(get_args(hint)):
            return _union(left), True
    return hint, False


def _union(members: Sequence[Any]) -> Any:  # noqa: ANN401 - any type
    whole = members[0]
    for member in members[1:]:
        whole = whole | member
    return whole


def _kind(hint: Any) -> _Kind:  # noqa: ANN401, C901, PLR0911 - one line for each type
    if hint == Quantity:
        return _Kind(str, lambda session, text: session.operator_coins.parse(text), _AMOUNT, is_amount=True)
    if hint in (str, Id):
        return _Kind(str, _as_it_is)
    if hint is bool:
        return _Kind(bool, _as_it_is)
    if hint is int:
        return _Kind(int, _as_it_is)
    if hint == Minutes:
        return _Kind(float, lambda _, value: Decimal(str(value)), "MINUTES")
    if hint is datetime:
        return _Kind(str, lambda _, text: parse_moment(text), "TIME")
    if hint is NewKey:
        return _Kind(str, lambda _, text: NewKey(text), "XPUB")
    if hint == Amounts:
        return _Kind(str, _amounts, _AMOUNT, many=True)
    if get_origin(hint) is Literal:
        # typer takes lists of enums, but not of literals.
        choices: Any = StrEnum("Choice", {text: text for text in get_args(hint)})  # type: ignore[misc]
        return _Kind(choices, lambda _, choice: choice.value)
    is_map = get_origin(hint) is not None and issubclass(get_origin(hint), Mapping)
    if is_map or typing.is_typeddict(hint):
        return _Kind(str, _pairs, "NAME=VALUE|NAME=@FILE", many=True)
    if get_origin(hint) is not None and issubclass(get_origin(hint), Sequence):
        inner = _kind(get_args(hint)[0])
        return _Kind(
            inner.type,
            lambda session, texts: [inner.convert(session, each) for each in texts],
            inner.metavar,
            many=True,
        )
    raise TypeError(f"no option can be made of {hint}")


def _as_it_is(_: Session, value: object) -> object:
    return value


def _or_none(convert: Convert) -> Convert:
    def convert_or_none(session: Session, text: str) -> object:
        if text == _NONE:
            return None
        if text in ("true", "false"):
            return text == "true"
        return convert(session, text)

    return convert_or_none


def _pairs(_: Session, texts: Sequence[str]) -> dict[str, str]:
    """Returns the pairs. A value may stand in a file: the address of a chat is a secret, and all see arguments."""
    pairs = {name: _written(value) for name, _, value in (text.partition("=") for text in texts)}
    if not all(pairs.values()) or len(pairs) != len(texts):
        raise usage("Say NAME=VALUE, each name once.")
    return pairs


def _written(value: str) -> str:
    if not value.startswith("@"):
        return value
    try:
        return Path(value[1:]).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise usage(f"Cannot read {value[1:]}: {why}.") from None


def _amounts(session: Session, texts: Sequence[str]) -> dict[str, int]:
    amounts: dict[str, int] = {}
    for text in texts:
        if text == _NONE:
            continue
        coin, quantity = session.operator_coins.parse(text)
        if coin.name in amounts:
            raise usage(f"{coin.label} is there twice.")
        amounts[coin.name] = quantity
    return amounts
