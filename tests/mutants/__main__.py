"""``make mutate``: mutants of rules, money, signing and strict JSON, and which survive."""

from __future__ import annotations

import argparse
import sys
import time

from tests.mutants import python
from tests.mutants.survivors import CONSOLE


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--children", type=int, default=2, help="how many processes try mutants (usually 2)")
    asked = parser.parse_args()
    began = time.monotonic()
    wrong = python.main(asked.children)
    for one in wrong:
        CONSOLE.print(f"\n{one}")
    CONSOLE.print(f"{len(wrong)} things wrong, after {(time.monotonic() - began) / 60:.1f} minutes")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
