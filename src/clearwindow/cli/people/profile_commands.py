"""``clearwindow profile``: who you are at which network."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from clearwindow.cli.people import access
from clearwindow.cli.people.output import Column
from clearwindow.cli.people.problems import usage
from clearwindow.cli.people.profiles import (
    Profile,
    completed_profiles,
    profiles_file,
    read_profiles,
    require_name,
    write_profiles,
)
from clearwindow.cli.people.session import Session, for_anybody

profile_app: Final = typer.Typer(
    help="Keep who you are at which network.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The name of the profile.", autocompletion=completed_profiles)
]


@profile_app.command("add")
@for_anybody
def add(  # noqa: PLR0913 - each is an option of the command
    session: Session,
    name: Name,
    *,
    url: Annotated[str, typer.Option(help="The network's address.")],
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file with your token. It is read at each use.")
    ] = None,
    token_command: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="A command that prints your token, instead of a file.")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file with the key that signs for you.")
    ] = None,
    sign_command: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="A command that reads a text on standard input and prints its signature, instead of a file.",
        ),
    ] = None,
    enterprise: Annotated[
        str | None, typer.Option(metavar="ID", help="Your enterprise. (default: the one of the token)")
    ] = None,
    check: Annotated[bool, typer.Option(help="Ask the network whose token it is.")] = True,
) -> None:
    """Add a profile, or replace it. The first one is the default.

    The profile names the files of your token and key. It never contains them.
    """
    require_name(name)
    if token_file is not None and token_command is not None:
        raise usage("Say --token-file or --token-command, not both.")
    if key_file is not None and sign_command is not None:
        raise usage("Say --key-file or --sign-command, not both.")
    made = Profile(
        url=url,
        enterprise=enterprise,
        token_file=_whole(token_file),
        token_command=token_command,
        key_file=_whole(key_file),
        sign_command=sign_command,
    )
    who = None
    if check:
        access.signer_of(made)
        made, who = _checked(made)
    profiles = read_profiles().with_profile(name, made)
    write_profiles(profiles)
    default = ", the default" if profiles.default == name else ""
    session.output.record(
        {"name": name, **_fields(made)}, {"profile": f"{name}{default}", "you are": who, "at": url}
    )


@profile_app.command("list")
@for_anybody
def list_profiles(session: Session) -> None:
    """List the profiles."""
    profiles = read_profiles()
    named = [(name, profile, profiles.default == name) for name, profile in sorted(profiles.named.items())]
    if session.output.form.value == "json":
        listed = [{"name": name, "default": default, **_fields(profile)} for name, profile, default in named]
        session.output.record({"file": str(profiles_file()), "profiles": listed}, {})
        return
    session.output.table(
        "profiles",
        named,
        [
            Column("name", lambda row: row[0]),
            Column("default", lambda row: "default" if row[2] else ""),
            Column("url", lambda row: row[1].url),
            Column("enterprise", lambda row: row[1].enterprise),
            Column("token", lambda row: row[1].token_file or row[1].token_command),
            Column("key", lambda row: row[1].key_file or row[1].sign_command),
        ],
    )


@profile_app.command("remove")
@for_anybody
def remove(session: Session, name: Name) -> None:
    """Remove a profile. Its files stay."""
    write_profiles(read_profiles().without(name))
    session.output.note(f"The profile {name} is removed.")


@profile_app.command("default")
@for_anybody
def default(session: Session, name: Name) -> None:
    """Use this profile if none is named."""
    profiles = read_profiles()
    profiles.get(name)
    write_profiles(type(profiles)(name, profiles.named))
    session.output.note(f"{name} is the default profile.")


def _whole(path: Path | None) -> str | None:
    return None if path is None else os.path.abspath(path)  # noqa: PTH100 - resolve() would follow links


def _fields(profile: Profile) -> dict[str, object]:
    given = {
        "url": profile.url,
        "enterprise": profile.enterprise,
        "tokenFile": profile.token_file,
        "tokenCommand": profile.token_command,
        "keyFile": profile.key_file,
        "signCommand": profile.sign_command,
    }
    return {name: value for name, value in given.items() if value is not None}


def _checked(profile: Profile) -> tuple[Profile, str]:
    """Returns the profile with its enterprise, and who it is."""
    from clearwindow.client import ApiError, Client, Operator  # noqa: PLC0415 - the SDK takes a while to import

    token = access.token_of(profile)
    with Client(profile.url, token, profile.enterprise or "unknown") as member:
        try:
            me = member.whoami()
        except ApiError as refusal:
            with Operator(profile.url, token) as operator:
                try:
                    known = operator.whoami()
                except ApiError:
                    raise refusal from None
            return profile, f"the operator {known.operator.name} ({known.role})"
    if profile.enterprise not in (None, me.enterprise.id):
        raise usage(f"The token is of the enterprise {me.enterprise.id}, not of {profile.enterprise}.")
    return replace(profile, enterprise=me.enterprise.id), f"{me.user.name} of {me.enterprise.name} ({me.role})"
