"""docs/reference/addresses.md, made from the table of ranges: ``python -m tools.addresses_page`` writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from clearwindow.outbound.special_ranges import SPECIAL_RANGES

PAGE: Final = Path(__file__).parents[1] / "docs" / "reference" / "addresses.md"
HEAD: Final = """\
# Addresses that are not called

The network calls partners and webhook endpoints, whose addresses others choose. It calls none in these ranges,
neither as it is written nor as a name resolves to it, unless `CLEARWINDOW_ALLOW_PRIVATE_ADDRESSES` is set
([settings](settings.md)). This page is made from the code by `python -m tools.addresses_page`.

- The table is that of the two IANA registries of special-purpose addresses, with the ranges that other registries
  and RFCs reserve. It is our own, so that it is the same on every version of Python.
- *Reachable* is what the registry says. Ranges that are reachable from everywhere are refused too: they are
  services of the internet itself (AS112, AMT, anycast of protocols, ORCHID), and no partner's endpoint is there.
- IPv4 addresses inside of IPv6 addresses (IPv4-mapped, 6to4, Teredo) are refused with their whole range. Only an
  address of the well-known NAT64 prefix is judged by the IPv4 address in it, because a network that has only IPv6
  sees all of IPv4 there.
- If a name resolves to several addresses and one of them is refused, none is called. The connection goes to an
  address that was checked; a new connection resolves and checks again.

| range | what it is | source | reachable |
| --- | --- | --- | --- |
"""


def page() -> str:
    """Returns the page as the code has it now."""
    rows = (f"| `{one.network}` | {one.name} | {one.source} | {one.reachable} |\n" for one in SPECIAL_RANGES)
    return HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
