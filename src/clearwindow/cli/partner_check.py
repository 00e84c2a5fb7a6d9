"""``clearwindow partner-check``: checks an exchange's own endpoint against the protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from clearwindow.cli.failures import FAILED, USAGE_ERROR
from clearwindow.cli.options import JsonOption

if TYPE_CHECKING:
    from clearwindow.simulator.partner_check.keys import KeySet
    from clearwindow.simulator.partner_check.run import Job

_LONGEST_SECONDS: Final = 300
_LAST_PORT: Final = 65_535

Url = Annotated[str | None, typer.Option(help="The endpoint: the callbackUrl in a partner's configuration.")]
Currency = Annotated[
    str,
    typer.Option(
        metavar="NAME=AMOUNT",
        help="The amount to allocate, with the partner's name of the currency and in its unit.",
    ),
]
Unit = Annotated[
    Literal["decimal", "base"], typer.Option(help="The unit of amounts, as in the partner's amountUnit.")
]
Paths = Annotated[
    list[str] | None, typer.Option(metavar="CALL=PATH", help="A path as in callbackPaths; repeatable.")
]
AnswersLater = Annotated[
    bool, typer.Option("--answers-later", help="The endpoint only acknowledges requests, as with asyncAllocations.")
]
Issuer = Annotated[str, typer.Option(help="The iss claim of the signatures.")]
Audience = Annotated[str, typer.Option(help="The aud claim of the signatures. (default: the URL)")]
Header = Annotated[str, typer.Option(help="The name of the signature header.")]
ClientId = Annotated[str | None, typer.Option(metavar="UUID", help="The client's id. (default: a new one)")]
ConnectionKeyFile = Annotated[
    Path | None, typer.Option(help="A file with a JSON object: the connection key of a test account.")
]
SettlementFile = Annotated[
    Path | None,
    typer.Option(
        help="A file with a JSON object: settlementId and other fields of a settlement that you have staged."
    ),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        help="The file of the RSA key that signs; created if it is missing. (default: a new key each time)"
    ),
]
PrintJwks = Annotated[bool, typer.Option("--print-jwks", help="Print the key set of --key-file and exit.")]
JwksHost = Annotated[str, typer.Option(help="The address to serve the key set on.")]
JwksPort = Annotated[
    int, typer.Option(min=0, max=_LAST_PORT, help="The port to serve the key set on; 0 takes a free one.")
]
ServeJwks = Annotated[
    bool, typer.Option(help="Serve the key set. If not, publish the output of --print-jwks yourself.")
]
Private = Annotated[
    bool, typer.Option("--allow-private", help="Allow private addresses and http. Loopback is always allowed.")
]
Timeout = Annotated[float, typer.Option(min=0.1, max=_LONGEST_SECONDS, help="How long to wait for each answer.")]
Only = Annotated[
    list[str] | None,
    typer.Option(metavar="CHECK", help="Run only this check or group, and the checks that it needs; repeatable."),
]
Skip = Annotated[
    list[str] | None, typer.Option(metavar="CHECK", help="Do not run this check or group; repeatable.")
]


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
    """Send every call of the protocol to your own endpoint, and report what it does wrong.

    The command acts as the network: your endpoint must read the key set that it serves. It exits with 1 if a
    required check fails.
    """
    # A slow import that other commands do not need.
    from clearwindow.core.money import AmountUnit  # noqa: PLC0415
    from clearwindow.simulator.partner_check import catalogue, options  # noqa: PLC0415
    from clearwindow.simulator.partner_check.run import Job  # noqa: PLC0415

    with _option_errors():
        if print_jwks:
            typer.echo(_key_set(key_file, is_served=False).document())
            return
        given = options.Options(
            url=url,
            currency=currency,
            amount_unit=AmountUnit(amount_unit),
            callback_paths=callback_path or (),
            client_id=client_id,
            connection_key_file=connection_key_file,
            settlement_file=settlement_file,
            allow_private=allow_private,
            issuer=issuer,
            audience=audience,
            header=header,
            timeout_seconds=timeout_seconds,
            answers_later=answers_later,
        )
        job = Job(
            options.terms_of(given),
            checks=catalogue.chosen(only or (), skip or ()),
            keys=_key_set(key_file, is_served=serve_jwks),
            key_set_at=(jwks_host, jwks_port) if serve_jwks else None,
            allow_private=options.may_be_private(given),
        )
        passed = _run(job, as_json=as_json)
    if not passed:
        raise typer.Exit(FAILED)


def _run(job: Job, *, as_json: bool) -> bool:
    """Runs the checks and prints the report. Returns whether the endpoint conforms."""
    from clearwindow.simulator.partner_check import report, run  # noqa: PLC0415 - as above

    url = job.terms.url
    with run.open_network(job) as (network, key_set_url):
        if key_set_url is not None:
            typer.echo(f"The key set is at {key_set_url}; your endpoint must read it there.", err=True)
        screen = report.console()
        with report.progress_bar(screen, len(job.checks), quiet=as_json) as on_result:
            results = run.run(network, job.checks, on_result)
    if as_json:
        typer.echo(json.dumps(report.as_document(url, results)))
    else:
        report.show(screen, url, results)
    return run.is_conformant(results)


def _key_set(key_file: Path | None, *, is_served: bool) -> KeySet:
    from clearwindow.simulator.partner_check.keys import KeySet, load_key  # noqa: PLC0415 - as above
    from clearwindow.simulator.partner_check.models import InvalidOptionError  # noqa: PLC0415 - as above

    if key_file is None and not is_served:
        raise InvalidOptionError("Name the key with --key-file.")
    return KeySet(None if key_file is None else load_key(key_file), is_served=is_served)


@contextmanager
def _option_errors() -> Iterator[None]:
    from clearwindow.simulator.partner_check.models import InvalidOptionError  # noqa: PLC0415 - as above

    try:
        yield
    except InvalidOptionError as error:
        typer.echo(f"clearwindow: {error}", err=True)
        raise typer.Exit(USAGE_ERROR) from None
