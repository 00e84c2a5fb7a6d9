"""The dashboard and a trace as pictures in docs/images, from a network that runs for a minute: ``make pictures``.

A sandbox with an exchange and a trader as processes, Prometheus (Debian's package) and a collector of traces.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from clearwindow.simulator.programs import Program, run_to_end
from clearwindow.simulator.server import environment, serving, temporary_folder
from tests.support.collectors import collecting
from tests.support.ports import reserved_port
from tests.support.prometheus import prometheus
from tools.dashboard_picture import Points, dashboard_picture
from tools.trace_picture import longest_trace, timed_spans, trace_picture

IMAGES: Final = Path(__file__).parents[1] / "docs" / "images"
STAGE: Final = "POST /api/network/v2/enterprises/{enterprise_id}/partners/settlements"
SECONDS: Final = 60
_START_SECONDS: Final = 60
_SENT_SECONDS: Final = 8
"""After which the last spans have left the server."""


def main() -> None:
    token = secrets.token_urlsafe()
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder("pictures"))
        collector = stack.enter_context(collecting())
        settings = {"CLEARWINDOW_SANDBOX": "1", "CLEARWINDOW_TELEMETRY_ENDPOINT": collector.url}
        url = stack.enter_context(serving(folder, token, settings))
        watching = stack.enter_context(prometheus(urlsplit(url).netloc, folder))
        began = time.time()
        _trade(stack, url, token, folder)
        time.sleep(SECONDS)
        ended = time.time()

        def ask(expression: str) -> Sequence[tuple[Mapping[str, str], Points]]:
            return watching.series(expression, began, ended)

        (IMAGES / "dashboard.svg").write_text(dashboard_picture(ask, began, ended), encoding="utf-8")
        time.sleep(_SENT_SECONDS)
        spans = longest_trace(timed_spans(collector.raw), STAGE)
        (IMAGES / "trace.svg").write_text(trace_picture(spans), encoding="utf-8")


def _trade(stack: ExitStack, url: str, token: str, folder: Path) -> None:
    """Starts an exchange that settles every eight seconds, with short windows, and its only client."""
    given = environment({"CLEARWINDOW_OPERATOR_TOKEN": token})
    port, file = reserved_port(), str(folder / "network.json")
    seed = ("sandbox", "seed", "--url", url, "--exchanges", "1", "--traders", "1", "--out", file)
    windows = ("--dispute-minutes", "0.05", "--top-up-minutes", "0.02")
    for more in ((), ("--callback-base-port", str(port))):
        done = run_to_end((*seed, *windows, *more), given, _START_SECONDS)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
    exchange = (
        "exchange",
        "--network",
        file,
        "--name",
        "exchange-001",
        "--every-seconds",
        "8",
        "--port",
        str(port),
    )
    trader = ("trader", "--network", file, "--name", "trader-001")
    for arguments in (trader, exchange):
        program = Program(arguments[0], arguments, folder, given)
        program.start()
        stack.callback(program.stop)
        program.await_line(lambda _: True, _START_SECONDS)


if __name__ == "__main__":
    main()
