"""Runs an exchange: loads its state, listens, settles, and stops."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import localcontext
from functools import partial
from typing import Final

from clearwindow.client import AsyncPartner, AsyncSigner, HttpOptions
from clearwindow.simulator.exchange.accounts import Accounts
from clearwindow.simulator.exchange.calls import Calls
from clearwindow.simulator.exchange.endpoints import SIGNATURE_HEADER, Endpoints, fetch_key_set, serving
from clearwindow.simulator.exchange.events import Emit, Event
from clearwindow.simulator.exchange.later_answers import Answerer
from clearwindow.simulator.exchange.money import EXACT_DIGITS, AmountUnit, Denomination
from clearwindow.simulator.exchange.settlement import Plan, Settler
from clearwindow.simulator.exchange.signatures import Checker, KeySet
from clearwindow.simulator.market import Market

KEY_SET_PATH: Final = "/.well-known/jwks.json"
_HTTP_OPTIONS: Final = HttpOptions(total_timeout_seconds=60)


class NotAPartnerError(RuntimeError):
    """The enterprise is not a partner of the network yet; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The exchange's identity on a network.

    Attributes:
        url: the network's address.
        callback_url: the exchange's address, exactly as the operator configured it. Default: where it listens.
        currencies: by the exchange's names, the network's names. Default: read from the network.
        amount_unit: as the operator configured it.
        key_set_url: the address of the network's public keys. Default: the network's standard path.
        issuer: the issuer in the network's signatures.
        signature_header: the header with the signature.
        options: time limits and repeats of calls to the network.
    """

    url: str
    enterprise_id: str
    token: str = field(repr=False)
    signer: AsyncSigner = field(repr=False)
    callback_url: str | None = None
    currencies: Mapping[str, str] | None = None
    amount_unit: AmountUnit = "decimal"
    key_set_url: str | None = None
    issuer: str = "clearwindow"
    signature_header: str = SIGNATURE_HEADER
    options: HttpOptions = _HTTP_OPTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The options of an exchange.

    ``answers_later_seconds`` is the time between a request and its decision, for a partner with
    ``asyncAllocations``. Without it, requests are decided at once.
    """

    access: Access
    plan: Plan
    seed: str
    host: str
    port: int
    answers_later_seconds: float | None = None


async def run(terms: Terms, emit: Emit, stop: asyncio.Event) -> None:
    """Runs the exchange until it is stopped.

    Raises:
        ClearwindowError: the network does not answer or rejects the token.
        NotAPartnerError: the enterprise is not a partner.
        OSError: it cannot listen on the port.
    """
    access = terms.access
    partner = AsyncPartner(
        access.url, access.token, access.enterprise_id, signer=access.signer, options=access.options
    )
    # The context also applies to all tasks started below, including incoming calls.
    with localcontext(prec=EXACT_DIGITS):
        async with partner:
            await _run_with(partner, terms, emit, stop)
    emit(Event("stopped", "by SIGTERM or Ctrl-C"))


async def _run_with(partner: AsyncPartner, terms: Terms, emit: Emit, stop: asyncio.Event) -> None:
    access = terms.access
    names = access.currencies or await _currencies(partner)
    market = Market.of(terms.seed, names)
    accounts = Accounts()
    denomination = _denomination(names, market, access.amount_unit)
    settler = Settler(partner, accounts, market, denomination, terms.plan, emit)
    # Before it listens: calls for connections that are not loaded yet would be rejected.
    await settler.load_state()
    callback_url = access.callback_url or f"http://{terms.host}:{terms.port}"
    keys = KeySet(partial(fetch_key_set, access.key_set_url or access.url.rstrip("/") + KEY_SET_PATH))
    checker = Checker(keys, issuer=access.issuer, audience=callback_url)
    later = terms.answers_later_seconds
    answerer = Answerer(partner, accounts, denomination, terms.plan.faults, emit)
    calls = Calls(
        accounts, denomination, settler.check_finalization, emit, None if later is None else answerer.notify
    )
    endpoints = Endpoints(calls, checker, terms.plan.faults, emit, header=access.signature_header)
    async with serving(endpoints.app(callback_url), terms.host, terms.port) as address:
        fields = {"address": address, "callbackUrl": callback_url, "network": access.url}
        emit(Event("listening", f"{address}; the network calls {callback_url}", fields))
        work = [settler.run()]
        if later is not None:
            work.append(answerer.run(later, terms.plan.every_seconds))
        await _run_until(stop, work)
    kept = {account.connection_id: dict(account.allocated) for account in accounts}
    emit(Event("accounts", f"{len(kept)} accounts", {"accounts": kept}))


async def _run_until(stop: asyncio.Event, work: Sequence[Coroutine[None, None, None]]) -> None:
    """Runs the work until ``stop`` is set, and cancels it then. Raises what the work raises."""
    working, waiting = [asyncio.create_task(one) for one in work], asyncio.create_task(stop.wait())
    await asyncio.wait({*working, waiting}, return_when=asyncio.FIRST_COMPLETED)
    for task in (*working, waiting):
        task.cancel()
    await asyncio.gather(*working, waiting, return_exceptions=True)
    for task in working:
        if not task.cancelled():
            task.result()


async def _currencies(partner: AsyncPartner) -> dict[str, str]:
    """Returns the network's names by the exchange's names, as the operator configured them."""
    own = [found.id async for found in partner.partners() if found.enterprise_id == partner.enterprise_id]
    if not own:
        raise NotAPartnerError(
            f"{partner.enterprise_id} is not a partner yet: an operator must configure it, then it must register."
        )
    supported = await partner.supported_currencies(own)
    return {
        name: currency.ofc_currency
        for currencies in supported.supported_currencies.values()
        for currency in currencies
        for name in currency.partner_names
        if currency.ofc_currency is not None
    }


def _denomination(names: Mapping[str, str], market: Market, unit: AmountUnit) -> Denomination:
    by_network_name = {currency.network_name: currency for currency in market.currencies}
    known = {name: by_network_name[network] for name, network in names.items() if network in by_network_name}
    return Denomination(
        {name: currency.name for name, currency in known.items()},
        {currency.name: currency.decimals for currency in market.currencies},
        unit,
    )
