"""What was measured, for people and for programs."""

from __future__ import annotations

from dataclasses import asdict
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.rounds import PARTS, Measurement

MEBIBYTE: Final = 1024 * 1024
_DESCRIPTIONS: Final = {
    "decode": "read, parse and validate the body",
    "verify": "match the payload, check the signature",
    "stage": "the rest of the staging transaction",
    "request": "all of it, as the partner waits for it",
    "finalise": "the end of the dispute window",
    "execute": "the end of the top-up window",
}


def print_report(measurement: Measurement, console: Console) -> None:
    amounts = measurement.connections * measurement.currencies
    table = Table(
        title=f"{measurement.connections} connections x {measurement.currencies} currencies = {amounts} transfers,"
        f" body {measurement.body_bytes / 1e6:.1f} MB",
        caption="median (lowest to highest) of the rounds, in milliseconds",
    )
    table.add_column("part")
    table.add_column("")
    for title in ("product", "floor", "ratio"):
        table.add_column(title, justify="right")
    for part in PARTS:
        ratio = measurement.ratio(part)
        table.add_row(
            part,
            _DESCRIPTIONS[part],
            _milliseconds(measurement.product[part]),
            _milliseconds(measurement.floor[part]) if part in measurement.floor else "",
            "" if ratio is None else f"{ratio:.2f} x",
        )
    console.print(table)
    console.print(f"peak memory of the server's process: {measurement.peak_bytes / MEBIBYTE:.0f} MiB")


def as_json(measurement: Measurement) -> dict[str, object]:
    ratios = {part: measurement.ratio(part) for part in measurement.floor}
    return asdict(measurement) | {"unit": "seconds", "ratio_of_medians": ratios}


def _milliseconds(seconds: list[float]) -> str:
    middle, low, high = (1000 * value for value in (median(seconds), min(seconds), max(seconds)))
    return f"{middle:.0f} ({low:.0f} to {high:.0f})"
