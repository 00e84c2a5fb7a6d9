"""``clearwindow partner-check``: does an exchange's own endpoint do what a network expects of it?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from clearwindow.cli.failures import FAILED, WRONGLY_ASKED
from clearwindow.cli.options import JsonOption

if TYPE_CHECKING:
    from clearwindow.conformance.keys import KeySet
    from clearwindow.conformance.run import Job

_LONGEST_SECONDS: Final = 300
_LAST_PORT: Final = 65_535

Url = Annotated[str | None, typer.Option(help="The endpoint: what a partner's configuration has as callbackUrl.")]
Currency = Annotated[
    str, typer.Option(metavar="NAME=AMOUNT", help="What is allocated, in the partner's own name and unit.")
]
Unit = Annotated[Literal["decimal", "base"], typer.Option(help="What amounts count, as the partner's amountUnit.")]
Paths = Annotated[
    list[str] | None, typer.Option(metavar="CALL=PATH", help="As one of callbackPaths; may be repeated.")
]
AnswersLater = Annotated[
    bool, typer.Option("--answers-later", help="It only acknowledges what it is asked, as with asyncAllocations.")
]
Issuer = Annotated[str, typer.Option(help="iss of the signatures.")]
Audience = Annotated[str, typer.Option(help="aud of the signatures.  [default: the URL]")]
Header = Annotated[str, typer.Option(help="The header that the signature is in.")]
ClientId = Annotated[str | None, typer.Option(metavar="UUID", help="The client's id.  [default: a new one]")]
ConnectionKeyFile = Annotated[
    Path | None, typer.Option(help="JSON object: the connection key of an account that is there for tests.")
]
SettlementFile = Annotated[
    Path | None, typer.Option(help="JSON object: settlementId and more of a settlement that you have staged.")
]
KeyFile = Annotated[
    Path | None, typer.Option(help="The RSA key that signs, made there if need be.  [default: a new one each time]")
]
PrintJwks = Annotated[bool, typer.Option("--print-jwks", help="Print the key set of --key-file, and end.")]
JwksHost = Annotated[str, typer.Option(help="Where the key set is served.")]
JwksPort = Annotated[int, typer.Option(min=0, max=_LAST_PORT, help="The same; 0 takes a free port.")]
ServeJwks = Annotated[bool, typer.Option(help="Serve the key set, or not: then you show what --print-jwks prints.")]
Private = Annotated[
    bool, typer.Option("--allow-private", help="Call private addresses, and http. Loopback needs no leave.")
]
Timeout = Annotated[float, typer.Option(min=0.1, max=_LONGEST_SECONDS, help="How long each answer is waited for.")]
Only = Annotated[list[str] | None, typer.Option(metavar="CHECK", help="A check or a group, with what it needs.")]
Skip = Annotated[list[str] | None, typer.Option(metavar="CHECK", help="A check or a group.")]


def partner_check(  # noqa: PLR0913 - each is an option of the command
    *,
    url: Url = None,
    currency: Currency = "BTC=0.5",
    amount_unit: Unit = "decimal",
    callback_path: Paths = None,
    answers_later: AnswersLater = False,
    issuer: Issuer = "clearwindow",
    audience: Audience = "",
    header: Header = "X-BitGo-Signature",
    client_id: ClientId = None,
    connection_key_file: ConnectionKeyFile = None,
    settlement_file: SettlementFile = None,
    key_file: KeyFile = None,
    print_jwks: PrintJwks = False,
    jwks_host: JwksHost = "127.0.0.1",
    jwks_port: JwksPort = 8090,
    serve_jwks: ServeJwks = True,
    allow_private: Private = False,
    timeout_seconds: Timeout = 10,
    only: Only = None,
    skip: Skip = None,
    as_json: JsonOption = False,
) -> None:
    """Run every call of the protocol against an endpoint of your own, and say what is not as it must be.

    It plays the network: point your endpoint at the key set that it serves. Exit 1 if anything that must be is not.
    """
    # Only this command needs what plays the network, which takes a while to import.
    from clearwindow.conformance import asking, catalogue  # noqa: PLC0415
    from clearwindow.conformance.run import Job  # noqa: PLC0415
    from clearwindow.money import AmountUnit  # noqa: PLC0415

    with _one_sentence():
        if print_jwks:
            typer.echo(_key_set(key_file, is_served=False).document())
            return
        asked = asking.Asked(
            url=url,
            currency=currency,
            amount_unit=AmountUnit(amount_unit),
            callback_paths=callback_path or (),
            client_id=client_id,
            connection_key_file=connection_key_file,
            settlement_file=settlement_file,
            allow_private=allow_private,
        )
        terms = replace(
            asking.terms_of(asked),
            issuer=issuer,
            audience=audience,
            header=header,
            timeout_seconds=timeout_seconds,
            answers_later=answers_later,
        )
        checks = catalogue.chosen(only or (), skip or ())
        job = Job(
            terms,
            _key_set(key_file, is_served=serve_jwks),
            checks,
            key_set_at=(jwks_host, jwks_port) if serve_jwks else None,
            allow_private=asking.may_be_private(asked),
        )
        passed = _done(job, as_json=as_json)
    if not passed:
        raise typer.Exit(FAILED)


def _done(job: Job, *, as_json: bool) -> bool:
    """Runs it and shows what came of it; whether the endpoint conforms."""
    from clearwindow.conformance import report, run  # noqa: PLC0415 - as above

    url = job.terms.url
    with run.opened(job) as (network, key_set_url):
        if key_set_url is not None:
            typer.echo(f"The key set is at {key_set_url}; your endpoint must read it there.", err=True)
        screen = report.console()
        with report.watching(screen, len(job.checks), quiet=as_json) as heard:
            results = run.run(network, job.checks, heard)
    if as_json:
        typer.echo(json.dumps(report.as_document(url, results), ensure_ascii=False))
    else:
        report.show(screen, url, results)
    return run.is_conformant(results)


def _key_set(key_file: Path | None, *, is_served: bool) -> KeySet:
    from clearwindow.conformance.keys import KeySet, load_key  # noqa: PLC0415 - as above
    from clearwindow.conformance.values import WronglyAskedError  # noqa: PLC0415 - as above

    if key_file is None and not is_served:
        raise WronglyAskedError("Say which key is shown with --key-file.")
    return KeySet(None if key_file is None else load_key(key_file), is_served=is_served)


@contextmanager
def _one_sentence() -> Iterator[None]:
    from clearwindow.conformance.values import WronglyAskedError  # noqa: PLC0415 - as above

    try:
        yield
    except WronglyAskedError as error:
        typer.echo(f"clearwindow: {error}", err=True)
        raise typer.Exit(WRONGLY_ASKED) from None
