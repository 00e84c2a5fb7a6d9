"""Prints a measurement for people and for programs."""

from __future__ import annotations

from dataclasses import asdict
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.costs import Cost
from bench.rounds import ASKED, PARTS, PRODUCT, Measurement

MEBIBYTE: Final = 1024 * 1024
FLOOR: Final = "bare, primary key"
"""What the others are divided by."""


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
    console.print(_costs(measurement))
    console.print(_asked(measurement))
    console.print(f"peak memory of the server's process: {measurement.peak_bytes / MEBIBYTE:.0f} MiB")


def _costs(measurement: Measurement) -> Table:
    table = Table(
        title="a whole settlement: request, finalise, execute",
        caption=f"medians of the rounds; ratios to {FLOOR}, in the same run; log: what PostgreSQL wrote to its"
        " write-ahead log; processor: of all its processes, and of the server's process beside it",
    )
    table.add_column("what")
    for title in ("ms", "ratio", "log MB", "ratio", "processor s", "server's", "ratio of both"):
        table.add_column(title, justify="right")
    for name, costs in measurement.costs.items():
        floor = measurement.costs[FLOOR]
        seconds, log, database = ([getattr(cost, part) for cost in costs] for part in _COST_PARTS)
        server = [cost.server for cost in costs]
        processor = [cost.database + (cost.server if name == PRODUCT else 0) for cost in costs]
        table.add_row(
            name,
            f"{1000 * median(seconds):.0f}",
            _ratio(median(seconds) / median(cost.seconds for cost in floor)),
            f"{median(log) / 1e6:.1f}",
            _ratio(median(log) / median(cost.log_bytes for cost in floor)),
            f"{median(database):.2f}",
            f"{median(server):.2f}" if name == PRODUCT else "",
            # A tick is a hundredth of a second, and the smallest networks cost less.
            _ratio(median(processor) / max(0.01, median(cost.database for cost in floor))),
        )
    return table


def _asked(measurement: Measurement) -> Table:
    table = Table(
        title="a preview beside the request that stages the same amounts",
        caption="medians of the rounds; processor: of PostgreSQL and of the server together",
    )
    table.add_column("what")
    for title in ("ms", "ratio", "processor s", "ratio", "log MB"):
        table.add_column(title, justify="right")
    staged = measurement.asked[ASKED[-1]]
    for name, costs in measurement.asked.items():
        table.add_row(
            name,
            f"{1000 * median(cost.seconds for cost in costs):.0f}",
            _ratio(median(cost.seconds for cost in costs) / median(cost.seconds for cost in staged)),
            f"{_processor(costs):.2f}",
            _ratio(_processor(costs) / max(0.01, _processor(staged))),
            f"{median(cost.log_bytes for cost in costs) / 1e6:.1f}",
        )
    return table


def _processor(costs: list[Cost]) -> float:
    return median(cost.database + cost.server for cost in costs)


_COST_PARTS: Final = ("seconds", "log_bytes", "database")


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
