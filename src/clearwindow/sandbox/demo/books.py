"""Reading everybody's money back, and whether it all adds up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from clearwindow.sandbox.demo.amounts import ticker
from clearwindow.sandbox.demo.calls import OPERATOR_API, DemoError, Json
from clearwindow.sandbox.demo.cast import CURRENCIES, Cast, Participant, Trader
from clearwindow.sandbox.screen import Screen

Holdings = Mapping[tuple[str, str], int]
"""Per participant's name and currency, in base units: in the Go Account and allocated, available and held."""

_LARGEST_PAGE = 500


def own_funds(cast: Cast, who: Participant) -> Json:
    """What is in the Go Account."""
    balances: Json = cast.ada.get(f"{OPERATOR_API}/go-accounts/{who.go_account_id}/balances")["balances"]
    return balances


def allocated_funds(trader: Trader) -> Json:
    """What the trader has allocated to the exchange, as the trader itself reads it."""
    found = trader.caller.get(trader.path("/clients/balances"))["networkBalances"]
    balances: Json = found.get(trader.connection_id, {}).get("balances", {})
    return balances


def holdings(cast: Cast) -> Holdings:
    found: Counter[tuple[str, str]] = Counter()
    for who in cast.everybody:
        parts = [own_funds(cast, who)]
        if isinstance(who, Trader):
            parts.append(allocated_funds(who))
        for part in parts:
            for currency in CURRENCIES:
                found[who.name, currency] += _whole(part, currency)
    return found


def paid_in(cast: Cast) -> tuple[Holdings, Mapping[tuple[str, str], int]]:
    """What the journal has of deposits per Go Account and currency, and the same of withdrawals."""
    deposits: Counter[tuple[str, str]] = Counter()
    withdrawals: Counter[tuple[str, str]] = Counter()
    names = {who.go_account_id: who.name for who in cast.everybody}
    for entry in _journal(cast):
        side = {"deposit": deposits, "withdrawal": withdrawals}.get(entry["kind"])
        for posting in entry["postings"] if side is not None else ():
            if posting["accountKind"] == "go" and side is not None:
                side[names[posting["accountId"]], posting["currency"]] += abs(int(posting["quantity"]))
    return deposits, withdrawals


def show_holds(cast: Cast, screen: Screen) -> None:
    rows = []
    for trader in cast.traders.values():
        for currency, balance in allocated_funds(trader).items():
            if int(balance["held"]):
                held, free = (cast.amounts.number(balance[name], currency) for name in ("held", "available"))
                rows.append((trader.name, ticker(currency), held, free))
    screen.table(("allocated by", "currency", "held for settlement", "still free"), rows, texts=2)


def show_change(cast: Cast, screen: Screen, before: Holdings, deposits_before: Holdings) -> None:
    after, (deposits, _) = holdings(cast), paid_in(cast)
    rows = []
    settled_sums: Counter[str] = Counter()
    for currency in CURRENCIES:
        for who in cast.everybody:
            key = (who.name, currency)
            topped_up = deposits[key] - deposits_before[key]
            settled = after[key] - before[key] - topped_up
            settled_sums[currency] += settled
            shown = [cast.amounts.number(quantity, currency) for quantity in (before[key], topped_up)]
            change = cast.amounts.number(settled, currency, signed=True)
            rows.append((ticker(currency), who.name, *shown, change, cast.amounts.number(after[key], currency)))
    screen.table(("", "participant", "before", "paid in since", "settled", "after"), rows, texts=2)
    if any(settled_sums.values()):
        raise DemoError(f"what was settled does not sum to zero: {dict(settled_sums)}")


def show_sums(cast: Cast, screen: Screen) -> None:
    """Deposits less withdrawals must be all that is on the accounts."""
    deposits, withdrawals = paid_in(cast)
    rows = []
    for currency in CURRENCIES:
        came = sum(quantity for (_, of), quantity in deposits.items() if of == currency)
        went = sum(quantity for (_, of), quantity in withdrawals.items() if of == currency)
        own = sum(_whole(own_funds(cast, who), currency) for who in cast.everybody)
        allocated = sum(_whole(allocated_funds(trader), currency) for trader in cast.traders.values())
        difference = came - went - own - allocated
        quantities = (came, went, own, allocated, difference)
        rows.append((ticker(currency), *(cast.amounts.number(quantity, currency) for quantity in quantities)))
        if difference:
            raise DemoError(f"{currency}: the accounts and what came in differ by {difference} base units")
    screen.table(("", "deposits", "withdrawals", "in Go Accounts", "allocated", "unaccounted for"), rows)


def show_check(cast: Cast, screen: Screen) -> None:
    checked = cast.ada.get(f"{OPERATOR_API}/ledger/check")
    if not checked["ok"]:
        raise DemoError(f"the ledger is not in order:\n{checked}")
    screen.call("Operator Ada", "GET /ledger/check", f"ok: true, findings: {len(checked['findings'])}")


def _journal(cast: Cast) -> list[Json]:
    entries: list[Json] = []
    while True:
        page = len(entries) // _LARGEST_PAGE
        address = f"{OPERATOR_API}/ledger/entries?pageSize={_LARGEST_PAGE}&pageNumber={page}"
        found = cast.ada.get(address)["entries"]
        entries += found
        if len(found) < _LARGEST_PAGE:
            return entries


def _whole(balances: Json, currency: str) -> int:
    balance = balances.get(currency, {"available": "0", "held": "0"})
    return int(balance["available"]) + int(balance["held"])
