"""An exchange from its terms to its end: learn, listen, settle, leave."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import localcontext
from functools import partial
from typing import Final

from clearwindow.client import AsyncPartner, AsyncSigner, HttpOptions
from clearwindow.sandbox.exchange.accounts import Accounts
from clearwindow.sandbox.exchange.answering import Answerer
from clearwindow.sandbox.exchange.calls import Calls
from clearwindow.sandbox.exchange.endpoints import SIGNATURE_HEADER, Endpoints, fetch_key_set, serving
from clearwindow.sandbox.exchange.events import Event, Say
from clearwindow.sandbox.exchange.money import EXACT_DIGITS, AmountUnit, Denomination
from clearwindow.sandbox.exchange.settling import Plan, Settler
from clearwindow.sandbox.exchange.signatures import Checker, KeySet
from clearwindow.sandbox.market import Market

KEY_SET_PATH: Final = "/.well-known/jwks.json"
_PATIENCE: Final = HttpOptions(total_timeout_seconds=60)


class NotAPartnerError(RuntimeError):
    """The enterprise is no partner of the network yet; the message says what is to be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who the exchange is on which network.

    Attributes:
        url: of the network.
        callback_url: where the network reaches the exchange, exactly as the operator configured it; without one,
            where it listens.
        currencies: its own names and the network's; without them the network is asked.
        amount_unit: as the operator configured it.
        key_set_url: where the network's public keys are; without it, where every network serves them.
        issuer: what the network calls itself in its signatures.
        signature_header: where it puts them.
        options: how patient we are with it.
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
    options: HttpOptions = _PATIENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an exchange is started with: who it is, what it does, and where it listens.

    ``answers_later_seconds``: how long after a question its answer comes, of a partner with ``asyncAllocations``;
    without it, what the network asks is answered at once.
    """

    access: Access
    plan: Plan
    seed: str
    host: str
    port: int
    answers_later_seconds: float | None = None


async def run(terms: Terms, say: Say, stop: asyncio.Event) -> None:
    """Runs the exchange until it is stopped.

    Raises:
        ClearwindowError: the network is not there, or does not know us.
        NotAPartnerError: it knows us, and not as a partner.
        OSError: the port cannot be had.
    """
    access = terms.access
    partner = AsyncPartner(
        access.url, access.token, access.enterprise_id, signer=access.signer, options=access.options
    )
    # For all that is started from here on, the calls that come in among it.
    with localcontext(prec=EXACT_DIGITS):
        async with partner:
            await _live(partner, terms, say, stop)
    say(Event("stopped", "as asked"))


async def _live(partner: AsyncPartner, terms: Terms, say: Say, stop: asyncio.Event) -> None:
    access = terms.access
    names = access.currencies or await _currencies(partner)
    market = Market.of(terms.seed, names)
    accounts = Accounts()
    denomination = _denomination(names, market, access.amount_unit)
    settler = Settler(partner, accounts, market, denomination, terms.plan, say)
    # Before anybody can ask: who is not known would be refused.
    await settler.learn()
    callback_url = access.callback_url or f"http://{terms.host}:{terms.port}"
    keys = KeySet(partial(fetch_key_set, access.key_set_url or access.url.rstrip("/") + KEY_SET_PATH))
    checker = Checker(keys, issuer=access.issuer, audience=callback_url)
    later = terms.answers_later_seconds
    answerer = Answerer(partner, accounts, denomination, terms.plan.faults, say)
    calls = Calls(accounts, denomination, settler.finalized, say, None if later is None else answerer.heard)
    endpoints = Endpoints(calls, checker, terms.plan.faults, say, header=access.signature_header)
    async with serving(endpoints.app(callback_url), terms.host, terms.port) as address:
        told = {"address": address, "callbackUrl": callback_url, "network": access.url}
        say(Event("listening", f"{address}, which the network calls {callback_url}", told))
        work = [settler.run()]
        if later is not None:
            work.append(answerer.run(later, terms.plan.every_seconds))
        await _until(stop, work)
    kept = {account.connection_id: dict(account.allocated) for account in accounts}
    say(Event("accounts", f"{len(kept)} accounts are kept", {"accounts": kept}))


async def _until(stop: asyncio.Event, work: Sequence[Coroutine[None, None, None]]) -> None:
    """Does the work until it is stopped, wherever it then is; what goes wrong in it goes wrong here."""
    working, waiting = [asyncio.create_task(one) for one in work], asyncio.create_task(stop.wait())
    await asyncio.wait({*working, waiting}, return_when=asyncio.FIRST_COMPLETED)
    for task in (*working, waiting):
        task.cancel()
    await asyncio.gather(*working, waiting, return_exceptions=True)
    for task in working:
        if not task.cancelled():
            task.result()


async def _currencies(partner: AsyncPartner) -> dict[str, str]:
    """Our names of currencies, as the operator has told the network."""
    own = [found.id async for found in partner.partners() if found.enterprise_id == partner.enterprise_id]
    if not own:
        raise NotAPartnerError(
            f"{partner.enterprise_id} is not a partner yet: an operator configures it, then it registers as one."
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
