"""``make mutate``: mutants of rules, money, signing, strict JSON and SQL statements, and which survive."""

from __future__ import annotations

import argparse
import sys
import time

from tests.mutants import python
from tests.mutants.statements import run, tests_of
from tests.mutants.survivors import CONSOLE


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("part", nargs="?", choices=["all", "python", "statements", "record"], default="all")
    parser.add_argument("--of", default="", help="statements whose name begins so, such as ledger.hold_liabilities")
    parser.add_argument("--children", type=int, default=2, help="how many processes try mutants (usually 2)")
    parser.add_argument("--rooms", nargs="+", default=[], help="record: only these tests, and keep the others")
    asked = parser.parse_args()
    began = time.monotonic()
    if asked.part == "record":
        tests_of.record(asked.rooms)
        return 0
    wrong = []
    if asked.part in ("all", "python"):
        wrong += python.main(asked.children)
    if asked.part in ("all", "statements"):
        wrong += run.main(asked.of, asked.children)
    for one in wrong:
        CONSOLE.print(f"\n{one}")
    CONSOLE.print(f"{len(wrong)} things wrong, after {(time.monotonic() - began) / 60:.1f} minutes")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
