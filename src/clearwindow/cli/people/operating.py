"""``clearwindow operator``: every act of an operator, made from the methods of the SDK's ``Operator``.

A property of ``Operator`` is a group, a method is a command, and its parameters are arguments and options. So an
act that the SDK learns is a command at once.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import typer

from clearwindow.cli.people.parameters import Parameter, currency_beside, parameters_of
from clearwindow.cli.people.problems import usage, waits_for_approval
from clearwindow.cli.people.rendering import render
from clearwindow.cli.people.session import Session, for_operators
from clearwindow.client import Operator
from clearwindow.client.answers.proposals import OperatorProposal, WaitsForApprovalError

_NOT_COMMANDS: Final = frozenset({"close"})
_ARGUMENTS: Final = re.compile(r"^    (\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)
_BASE_UNITS: Final = re.compile(r" ?Amounts are base units[^.]*\.")
"""What is true of the SDK only: people write amounts with their unit."""
_LIMIT: Final = 50
_WAITS: Final = "pending"

operator_app: Final = typer.Typer(
    help="Everything that operators do: people, accounts, partners, disputes, proposals, pauses.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)


def words(name: str) -> str:
    """Returns a name of Python as a command has it: ``create_token`` is ``create-token``."""
    return name.replace("_", "-")


def _build() -> None:
    for name, member in vars(Operator).items():
        if name.startswith("_") or name in _NOT_COMMANDS:
            continue
        if isinstance(member, property):
            assert member.fget is not None  # noqa: S101 - each property of the SDK can be read
            noun = inspect.signature(member.fget, eval_str=True).return_annotation
            group = typer.Typer(
                help=_first_paragraph(noun), no_args_is_help=True, pretty_exceptions_show_locals=False
            )
            for verb, method in vars(noun).items():
                if not verb.startswith("_") and inspect.isfunction(method):
                    group.command(words(verb))(_command_of(method, name))
            operator_app.add_typer(group, name=words(name))
        elif inspect.isfunction(member):
            operator_app.command(words(name))(_command_of(member, None))


def _command_of(method: Callable[..., Any], noun: str | None) -> Callable[..., None]:
    """Returns a command that calls this method of ``Operator``, or of its property ``noun``."""
    parameters = parameters_of(method, _told_arguments(method))
    is_list = any(parameter.is_filter for parameter in parameters)

    def command(session: Session, *, limit: int = _LIMIT, **given: Any) -> None:  # noqa: ANN401 - of any method
        receiver = session.operator if noun is None else getattr(session.operator, noun)
        try:
            result = getattr(receiver, method.__name__)(**_values(session, parameters, given))
        except WaitsForApprovalError as waiting:
            result = waiting.proposal
        render(session, noun or method.__name__, result, limit)
        if isinstance(result, OperatorProposal) and result.status == _WAITS and method.__name__ != "get":
            raise waits_for_approval(result)

    signature = [inspect.Parameter("session", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Session)]
    signature += [
        inspect.Parameter(
            parameter.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=parameter.default,
            annotation=parameter.annotation,
        )
        for parameter in parameters
    ]
    if is_list:
        limit = Annotated[int, typer.Option(min=0, metavar="N", help="Show at most this many; 0 shows all.")]
        signature.append(
            inspect.Parameter("limit", inspect.Parameter.KEYWORD_ONLY, default=_LIMIT, annotation=limit)
        )
    command.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in signature}
    command.__doc__ = _first_paragraph(method)
    command.__name__ = method.__name__
    return for_operators(command)


def _values(session: Session, parameters: list[Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for parameter in parameters:
        value = given.get(parameter.name)
        if value is None or value == []:
            continue
        values[parameter.name] = parameter.convert(session, value)
    amount = next((each for each in parameters if each.is_amount and each.name in values), None)
    if amount is not None:
        coin, quantity = values[amount.name]
        values[amount.name] = quantity
        if currency_beside(parameters):
            named = values.setdefault("currency", coin.name)
            if session.operator_coins.find(named) != coin:
                raise usage(f"--currency is {named}, but the amount is in {coin.label}.")
            values["currency"] = coin.name
    return values


def _first_paragraph(documented: object) -> str:
    text = inspect.getdoc(documented) or ""
    paragraph = _BASE_UNITS.sub("", " ".join(text.split("\n\n")[0].split()))
    name = getattr(documented, "__name__", "")
    return paragraph.replace("``", "").replace("`", "") or {"get": "Show one.", "list": "List them."}.get(
        name, name
    )


def _told_arguments(method: Callable[..., Any]) -> dict[str, str]:
    """Returns what the docstring says of each parameter."""
    _, _, told = (inspect.getdoc(method) or "").partition("Args:\n")
    told = told.split("\n\n")[0]
    return {name: " ".join(text.split()).replace("``", "") for name, text in _ARGUMENTS.findall(told)}


_build()
