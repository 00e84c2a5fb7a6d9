"""Commands that are imported when they are used, so that ``clearwindow --help`` starts at once."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command

if TYPE_CHECKING:
    from collections.abc import Mapping

_HELP_COLUMN: Final = 14


@dataclass(frozen=True, slots=True)
class Lazy:
    """A command or a group of commands.

    Attributes:
        section: the heading of the help that it stands under.
        place: the module, and the function or ``Typer`` in it, as in ``clearwindow.cli.serve:serve``.
        summary: one line. It is the first sentence of the command's own help.
    """

    section: str
    place: str
    summary: str

    def load(self, name: str) -> Any:  # noqa: ANN401 - the type of a command is private to typer
        """Imports the command."""
        module, _, attribute = self.place.partition(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            command = get_command(found)
        else:
            alone = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)
            alone.command(name)(found)
            command = get_command(alone)
        command.name = name
        return command


class LazyGroup(TyperGroup):
    """A group whose commands are in ``lazy_commands``."""

    lazy_commands: Mapping[str, Lazy] = {}

    def list_commands(self, _ctx: object) -> list[str]:
        """Returns the names, section by section."""
        return list(self.lazy_commands)

    def get_command(self, _ctx: object, cmd_name: str) -> Any:  # noqa: ANN401 - as above
        found = self.lazy_commands.get(cmd_name)
        if found is not None and cmd_name not in self.commands:
            self.commands[cmd_name] = found.load(cmd_name)
        return self.commands.get(cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - as above
        """Writes the sections without importing a command."""
        lines = [f"Usage: {ctx.command_path} [OPTIONS] COMMAND [ARGS]...", "", f"  {self.help}"]
        section = None
        for name, lazy in self.lazy_commands.items():
            if lazy.section != section:
                section = lazy.section
                lines += ["", f"{section}:"]
            lines.append(f"  {name:<{_HELP_COLUMN}} {lazy.summary}")
        lines += ["", "Options:"]
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                lines.append(f"  {record[0]:<22} {record[1]}")
        lines += ["", f"{ctx.command_path} COMMAND --help has the options of a command."]
        formatter.write("\n".join(lines) + "\n")
