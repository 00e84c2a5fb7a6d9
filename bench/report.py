"""Prints a measurement for people and for programs."""

from __future__ import annotations

from dataclasses import asdict
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.rounds import PARTS, Measurement

MEBIBYTE: Final = 1024 * 1024


def print_report(measurement: Measurement, console: Console) -> None:
    amounts = measurement.connections * measurement.currencies
    table = Table(
        title=f"{measurement.connections} connections x {measurement.currencies} currencies = {amounts} transfers,"
        f" body {measurement.body_bytes / 1e6:.1f} MB",
        caption="median (lowest to highest) of the rounds, in milliseconds; on a busy machine compare the lowest"
        " times: other programs disturbed them least",
    )
    table.add_column("part")
    for title in ("product ms", "psql ms", "ratio of medians", "of lowest"):
        table.add_column(title, justify="right")
    for part in PARTS:
        table.add_row(
            part,
            _milliseconds(measurement.product[part]),
            _milliseconds(measurement.baseline[part]) if part in measurement.baseline else "",
            _ratio(measurement.ratio(part)),
            _ratio(measurement.ratio(part, min)),
        )
    console.print(table)
    console.print(f"peak memory of the server's process: {measurement.peak_bytes / MEBIBYTE:.0f} MiB")


def as_json(measurement: Measurement) -> dict[str, object]:
    fields = asdict(measurement)
    # Programs know the baseline by this name.
    fields["floor"] = fields.pop("baseline")
    return fields | {
        "unit": "seconds",
        "ratio_of_medians": {part: measurement.ratio(part) for part in measurement.baseline},
        "ratio_of_lowest": {part: measurement.ratio(part, min) for part in measurement.baseline},
    }


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


def _milliseconds(seconds: list[float]) -> str:
    middle, low, high = (1000 * value for value in (median(seconds), min(seconds), max(seconds)))
    return f"{middle:.0f} ({low:.0f} to {high:.0f})"
