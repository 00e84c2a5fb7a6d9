"""Reads the balances of all participants and checks that they add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from clearwindow.simulator.demo.amounts import ticker
from clearwindow.simulator.demo.calls import OPERATOR_API, DemoError, Json
from clearwindow.simulator.demo.participants import CURRENCIES, Participant, Participants, Trader
from clearwindow.simulator.screen import Screen

Holdings = Mapping[tuple[str, str], int]
"""By participant's name and currency: the total in base units, in the Go Account and allocated, held or not."""

_LARGEST_PAGE = 500


def go_account_balances(participants: Participants, member: Participant) -> Json:
    """Returns the balances of the participant's Go Account."""
    balances: Json = participants.ada.get(f"{OPERATOR_API}/go-accounts/{member.go_account_id}/balances")["balances"]
    return balances


def allocated_balances(trader: Trader) -> Json:
    """Returns what the trader has allocated to the exchange, as the trader reads it."""
    found = trader.caller.get(trader.path("/clients/balances"))["networkBalances"]
    balances: Json = found.get(trader.connection_id, {}).get("balances", {})
    return balances


def holdings(participants: Participants) -> Holdings:
    """Returns what each participant owns."""
    found: Counter[tuple[str, str]] = Counter()
    for member in participants.members:
        parts = [go_account_balances(participants, member)]
        if isinstance(member, Trader):
            parts.append(allocated_balances(member))
        for part in parts:
            for currency in CURRENCIES:
                found[member.name, currency] += _whole(part, currency)
    return found


def paid_in(participants: Participants) -> tuple[Holdings, Mapping[tuple[str, str], int]]:
    """Returns the deposits and the withdrawals in the journal, by participant's name and currency."""
    deposits: Counter[tuple[str, str]] = Counter()
    withdrawals: Counter[tuple[str, str]] = Counter()
    names = {member.go_account_id: member.name for member in participants.members}
    for entry in _journal(participants):
        side = {"deposit": deposits, "withdrawal": withdrawals}.get(entry["kind"])
        for posting in entry["postings"] if side is not None else ():
            if posting["accountKind"] == "go" and side is not None:
                side[names[posting["accountId"]], posting["currency"]] += abs(int(posting["quantity"]))
    return deposits, withdrawals


def show_holds(participants: Participants, screen: Screen) -> None:
    rows = []
    for trader in participants.traders.values():
        for currency, balance in allocated_balances(trader).items():
            if int(balance["held"]):
                held, free = (
                    participants.amounts.number(balance[name], currency) for name in ("held", "available")
                )
                rows.append((trader.name, ticker(currency), held, free))
    screen.table(("allocated by", "currency", "held for settlement", "available"), rows, texts=2)


def show_change(participants: Participants, screen: Screen, before: Holdings, deposits_before: Holdings) -> None:
    after, (deposits, _) = holdings(participants), paid_in(participants)
    rows = []
    settled_sums: Counter[str] = Counter()
    for currency in CURRENCIES:
        for member in participants.members:
            key = (member.name, currency)
            topped_up = deposits[key] - deposits_before[key]
            settled = after[key] - before[key] - topped_up
            settled_sums[currency] += settled
            shown = [participants.amounts.number(quantity, currency) for quantity in (before[key], topped_up)]
            change = participants.amounts.number(settled, currency, signed=True)
            rows.append(
                (ticker(currency), member.name, *shown, change, participants.amounts.number(after[key], currency))
            )
    screen.table(("", "participant", "before", "deposited since", "settled", "after"), rows, texts=2)
    if any(settled_sums.values()):
        raise DemoError(f"the settled amounts do not sum to zero: {dict(settled_sums)}")


def show_sums(participants: Participants, screen: Screen) -> None:
    """Shows that deposits minus withdrawals equal the balances of all accounts."""
    deposits, withdrawals = paid_in(participants)
    rows = []
    for currency in CURRENCIES:
        deposited = sum(quantity for (_, of), quantity in deposits.items() if of == currency)
        withdrawn = sum(quantity for (_, of), quantity in withdrawals.items() if of == currency)
        own = sum(_whole(go_account_balances(participants, member), currency) for member in participants.members)
        allocated = sum(_whole(allocated_balances(trader), currency) for trader in participants.traders.values())
        difference = deposited - withdrawn - own - allocated
        quantities = (deposited, withdrawn, own, allocated, difference)
        rows.append(
            (ticker(currency), *(participants.amounts.number(quantity, currency) for quantity in quantities))
        )
        if difference:
            raise DemoError(
                f"{currency}: deposits minus withdrawals differ from the accounts by {difference} base units"
            )
    screen.table(("", "deposits", "withdrawals", "in Go Accounts", "allocated", "unaccounted for"), rows)


def show_check(participants: Participants, screen: Screen) -> None:
    checked = participants.ada.get(f"{OPERATOR_API}/ledger/check")
    if not checked["ok"]:
        raise DemoError(f"the ledger check found errors:\n{checked}")
    screen.call("Operator Ada", "GET /ledger/check", f"ok: true, findings: {len(checked['findings'])}")


def _journal(participants: Participants) -> list[Json]:
    entries: list[Json] = []
    while True:
        page = len(entries) // _LARGEST_PAGE
        address = f"{OPERATOR_API}/ledger/entries?pageSize={_LARGEST_PAGE}&pageNumber={page}"
        found = participants.ada.get(address)["entries"]
        entries += found
        if len(found) < _LARGEST_PAGE:
            return entries


def _whole(balances: Json, currency: str) -> int:
    balance = balances.get(currency, {"available": "0", "held": "0"})
    return int(balance["available"]) + int(balance["held"])
