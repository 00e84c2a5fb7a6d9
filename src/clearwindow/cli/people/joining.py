"""``clearwindow sandbox member``: an enterprise with all that it needs, and a profile for it here."""

from __future__ import annotations

import os
import stat
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clearwindow.cli.people.access import token_of
from clearwindow.cli.people.problems import usage
from clearwindow.cli.people.profiles import Profile, read_profiles, require_name, write_profiles
from clearwindow.cli.people.session import Session, for_operators

if TYPE_CHECKING:
    from clearwindow.client import KeySigner


@for_operators
def member(  # noqa: PLR0913 - each is an option of the command
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The id of the enterprise, and the profile's name.")],
    *,
    deposit: Annotated[
        list[str] | None, typer.Option(metavar="AMOUNT", help="Deposit this, such as '10 BTC'; repeatable.")
    ] = None,
    currency: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=OURS", help="Make it an exchange that calls a currency so; repeatable."),
    ] = None,
    amount_unit: Annotated[
        Literal["decimal", "base"], typer.Option(help="How the exchange counts amounts.")
    ] = "decimal",
    dispute_minutes: Annotated[
        float, typer.Option(min=0, help="The length of the exchange's dispute window.")
    ] = 30,
    top_up_minutes: Annotated[float, typer.Option(min=0, help="The length of the top-up window after it.")] = 0,
    folder: Annotated[Path, typer.Option(metavar="DIR", help="Where its token and key are written.")] = Path(),
) -> None:
    """Make an enterprise with a user, a token, a key, a Go Account and a profile. As an operator of a sandbox.

    With --currency it becomes an exchange, else it can become a client with clearwindow connect. Again, it
    completes what is missing. The token and the key are in files that only you can read.
    """
    from clearwindow.client import KeySigner, NewKey, new_xprv  # noqa: PLC0415 - the SDK takes a while to import

    require_name(name)
    named = _pairs(currency or [])
    deposits = [session.operator_coins.parse(text) for text in deposit or ()]
    operator = session.operator
    if operator.clock().sandbox is not True:
        raise usage("This network is no sandbox: there, its operators propose members, and each makes its own key.")
    key_file, token_file = (Path(os.path.abspath(folder / f"{name}.{kind}")) for kind in ("key", "token"))  # noqa: PTH100
    if not key_file.exists():
        _write_private(key_file, new_xprv())
    signer: KeySigner = KeySigner.from_file(key_file)
    operator.enterprises.create(enterprise_id=name, name=name.title(), licensed=True)
    user = operator.enterprises.create_user(name, user_id=f"desk@{name}", name="The desk")
    if not token_file.exists():
        scopes: list[Literal["settlement_network_read", "settlement_network_write"]]
        scopes = ["settlement_network_read", "settlement_network_write"]
        _write_private(token_file, operator.enterprises.create_token(name, user_id=user.id, scopes=scopes).value)
    accounts = [each.id for each in operator.go_accounts.list(enterprise_ids=[name]) if each.is_default]
    account = accounts[0] if accounts else operator.go_accounts.create(name, keys=[NewKey(signer.xpub)]).id
    for coin, quantity in deposits:
        operator.go_accounts.deposit(
            account, currency=coin.name, quantity=quantity, reference=f"sandbox member, first {coin.name}"
        )
    profile = Profile(url=session.profile.url, enterprise=name, token_file=str(token_file), key_file=str(key_file))
    write_profiles(read_profiles().with_profile(name, profile))
    shown = {"enterprise": name, "goAccount": account, "token": str(token_file), "key": str(key_file)}
    if named:
        operator.configure_partner(name, currencies=named, amount_unit=amount_unit)
        shown["partner"] = _register(profile, name, dispute_minutes, top_up_minutes)
    session.output.record(shown, {**shown, "profile": name})


def _register(profile: Profile, name: str, dispute_minutes: float, top_up_minutes: float) -> str:
    from clearwindow.client import Partner  # noqa: PLC0415 - as above

    with Partner(profile.url, token_of(profile), name) as partner:
        record = partner.register(
            name=name,
            broker=False,
            institution_identifier=name,
            connection_key_schema="token",
            client_dispute_window_minutes=Decimal(str(dispute_minutes)),
            top_up_window_minutes=Decimal(str(top_up_minutes)),
        )
    return record.id


def _pairs(given: list[str]) -> dict[str, str]:
    pairs = dict(each.partition("=")[::2] for each in given)
    if len(pairs) != len(given) or not all(pairs.values()):
        raise usage("--currency must be NAME=OURS, such as BTC=ofcbtc, each name once.")
    return pairs


def _write_private(path: Path, secret: str) -> None:
    # New and private from the start: an existing file is never overwritten.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{secret}\n")
        file.flush()
        os.fsync(file.fileno())
