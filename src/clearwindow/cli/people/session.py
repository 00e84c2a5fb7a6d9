"""One command's connection to the network, and where it prints."""

from __future__ import annotations

import functools
import inspect
import sys
import typing
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NoReturn

import typer

from clearwindow.cli.people import access
from clearwindow.cli.people.coins import Coin, Coins
from clearwindow.cli.people.harmless import harmless
from clearwindow.cli.people.output import Format, Output
from clearwindow.cli.people.problems import INTERRUPTED, EndError, end_of, usage
from clearwindow.cli.people.profiles import completed_profiles

if TYPE_CHECKING:
    from clearwindow.cli.people.profiles import Profile
    from clearwindow.client import Client, HttpOptions, Operator, Partner

Side = Literal["client", "partner"]

_ACCESS: Final = "Who you are"
_PRINTING: Final = "What is printed"
_SECONDS: Final = 60


class Session:
    """Opens what a command needs when it needs it."""

    def __init__(self, asked: access.Asked, output: Output, side: Side | None = None) -> None:
        self.output = output
        self._asked = asked
        self._side = side
        self._opened = ExitStack()

    def close(self) -> None:
        """Closes the connections to the network."""
        self._opened.close()

    @cached_property
    def profile(self) -> Profile:
        return access.profile_of(self._asked)

    @cached_property
    def token(self) -> str:
        return access.token_of(self.profile)

    @cached_property
    def enterprise(self) -> str:
        """The enterprise that the profile names, or the one that the token belongs to."""
        if self.profile.enterprise is not None:
            return self.profile.enterprise
        from clearwindow.client import Client  # noqa: PLC0415 - the SDK takes a while to import

        with Client(self.profile.url, self.token, "unknown", options=_options()) as member:
            return member.whoami().enterprise.id

    @cached_property
    def client(self) -> Client:
        from clearwindow.client import Client  # noqa: PLC0415 - as above

        signer = access.signer_of(self.profile)
        opened = Client(self.profile.url, self.token, self.enterprise, signer=signer, options=_options())
        return self._opened.enter_context(opened)

    @cached_property
    def partner(self) -> Partner:
        from clearwindow.client import Partner  # noqa: PLC0415 - as above

        signer = access.signer_of(self.profile)
        opened = Partner(self.profile.url, self.token, self.enterprise, signer=signer, options=_options())
        return self._opened.enter_context(opened)

    @cached_property
    def operator(self) -> Operator:
        from clearwindow.client import Operator  # noqa: PLC0415 - as above

        opened = Operator(self.profile.url, self.token, options=_options())
        return self._opened.enter_context(opened)

    @cached_property
    def coins(self) -> Coins:
        """The currencies of the network with the enterprise's own names."""
        known = self.client.currencies()
        return Coins(
            (Coin(each.name, each.decimals, each.partner_names) for each in known.currencies), known.amount_unit
        )

    @cached_property
    def operator_coins(self) -> Coins:
        """The currencies of the network, read by an operator."""
        return Coins(Coin(each.name, each.decimals) for each in self.operator.currencies.list())

    @property
    def is_partner(self) -> bool:
        """Whether the command shows the partner's side: as asked, else if the enterprise is configured as one."""
        return self._side == "partner" if self._side is not None else self.coins.amount_unit is not None

    def confirm(self, question: str) -> bool:
        """Asks a person. Without a terminal nobody can answer.

        Raises:
            EndError: standard input is no terminal.
        """
        if not sys.stdin.isatty():
            raise usage("There is no terminal to ask at: say --yes if you are sure.")
        return typer.confirm(question, err=True)


def _options() -> HttpOptions:
    from clearwindow.client import HttpOptions  # noqa: PLC0415 - as above

    return HttpOptions(total_timeout_seconds=_SECONDS, repeats=3)


_OPTIONS: Final[dict[str, Any]] = {
    "profile": Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Act as this profile.", rich_help_panel=_ACCESS, autocompletion=completed_profiles
        ),
    ],
    "url": Annotated[str | None, typer.Option(help="The network's address.", rich_help_panel=_ACCESS)],
    "enterprise": Annotated[
        str | None, typer.Option(metavar="ID", help="The enterprise to act for.", rich_help_panel=_ACCESS)
    ],
    "token_file": Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file with the token.", rich_help_panel=_ACCESS)
    ],
    "key_file": Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file with the key that signs.", rich_help_panel=_ACCESS)
    ],
    "as_side": Annotated[
        Side | None,
        typer.Option(
            "--as",
            help="Which side to show, if the enterprise is both. (default: partner)",
            rich_help_panel=_ACCESS,
        ),
    ],
    "as_json": Annotated[bool, typer.Option("--json", help="Print JSON.", rich_help_panel=_PRINTING)],
    "as_csv": Annotated[bool, typer.Option("--csv", help="Print CSV.", rich_help_panel=_PRINTING)],
}
_OF_MEMBERS: Final = frozenset({"enterprise", "key_file", "as_side"})


def for_members(function: Callable[..., None]) -> Callable[..., None]:
    """Makes a command of a function whose first parameter is the session of a member."""
    return _command(function, _OPTIONS)


def for_operators(function: Callable[..., None]) -> Callable[..., None]:
    """Makes a command of a function whose first parameter is the session of an operator."""
    return _command(function, {name: option for name, option in _OPTIONS.items() if name not in _OF_MEMBERS})


def for_anybody(function: Callable[..., None]) -> Callable[..., None]:
    """Makes a command of a function whose first parameter says only where to print."""
    return _command(function, {name: _OPTIONS[name] for name in ("as_json", "as_csv")})


def _command(function: Callable[..., None], options: dict[str, Any]) -> Callable[..., None]:
    given = inspect.signature(function)
    hints = typing.get_type_hints(function, include_extras=True)
    own = [parameter.replace(annotation=hints[name]) for name, parameter in list(given.parameters.items())[1:]]
    shared = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False if name in ("as_json", "as_csv") else None,
            annotation=option,
        )
        for name, option in options.items()
    ]

    @functools.wraps(function)
    def command(*_: object, **values: Any) -> None:  # noqa: ANN401 - the values of any command
        shared_values = {name: values.pop(name) for name in options}
        try:
            with closing(_session(shared_values)) as session:
                function(session, **values)
        except KeyboardInterrupt:
            _end(EndError("Interrupted.", INTERRUPTED))
        except (typer.Abort, EOFError):
            _end(usage("Nobody answered the question. Nothing was done."))
        except BrokenPipeError:
            raise
        except Exception as error:
            ends = end_of(error)
            if ends is None:
                raise
            _end(ends)

    command.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *shared)}
    return command


def _session(values: dict[str, Any]) -> Session:
    if values["as_json"] and values["as_csv"]:
        raise usage("Say --json or --csv, not both.")
    form = Format.JSON if values["as_json"] else Format.CSV if values["as_csv"] else Format.PEOPLE
    named = {
        name: values[name] for name in ("profile", "url", "enterprise", "token_file", "key_file") if name in values
    }
    return Session(access.Asked(**named), Output(form), values.get("as_side"))


def _end(ends: EndError) -> NoReturn:
    for number, line in enumerate(str(ends).split("\n")):
        typer.echo(f"{'' if number else 'clearwindow: '}{harmless(line)}", err=True)
    raise typer.Exit(ends.code) from None
