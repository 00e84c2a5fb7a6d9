"""The alerts and the dashboard: they name metrics that exist, and the alerts fire when they should."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from clearwindow import bootstrap
from clearwindow.web.app import create_app
from clearwindow.web.health import health_router
from tests.specification.test_links import anchors
from tests.support.asgi import listening
from tests.support.databases import as_superuser
from tests.support.long import long
from tests.support.prometheus import FOLDER, prometheus, promtool
from tests.support.proxies import DEPLOY
from tests.support.settlements import Testbed, stage

DOCS: Final = Path(__file__).parents[2] / "docs"
ALERTS: Final = (FOLDER / "alerts.yml").read_text(encoding="utf-8")
DASHBOARD: Final[dict[str, Any]] = json.loads((DEPLOY / "grafana" / "clearwindow.json").read_text(encoding="utf-8"))
_LINE_WITH_METRIC: Final = re.compile(r"^\| `(clearwindow_\w+)` \| (\w+)", re.MULTILINE)
_NAME: Final = re.compile(r"\b(?:clearwindow|process|python|up)\w*\b(?![\"=~|])")
_OF_EVERY_PROCESS: Final = {"up", "process_resident_memory_bytes", "process_cpu_seconds_total"}
"""What Prometheus itself, and its library, say of every process."""


def expressions(part: object) -> Iterator[str]:
    """Yields every expression of the dashboard, with a value for each of its variables."""
    if isinstance(part, dict):
        if isinstance(part.get("expr"), str):
            yield part["expr"].replace("$__rate_interval", "1m").replace("$job", "clearwindow.*")
        for value in part.values():
            yield from expressions(value)
    elif isinstance(part, list):
        for value in part:
            yield from expressions(value)


def known_names() -> set[str]:
    found = dict(_LINE_WITH_METRIC.findall((DOCS / "reference" / "metrics.md").read_text(encoding="utf-8")))
    names = _OF_EVERY_PROCESS | {name for name, kind in found.items() if kind != "histogram"}
    histograms = [name for name, kind in found.items() if kind == "histogram"]
    return names | {f"{name}_{part}" for name in histograms for part in ("bucket", "sum", "count")}


def names_in(expression: str) -> set[str]:
    without_texts = re.sub(r'"[^"]*"', '""', expression)
    return {name for name in _NAME.findall(without_texts) if name != "clearwindow"}


def test_alerts_fire_at_the_numbers_of_their_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    checked = promtool("check", "config", "prometheus.yml")
    assert checked.returncode == 0, checked
    tested = promtool("test", "rules", "alerts_test.yml")
    assert tested.returncode == 0, tested


def test_every_alert_is_tested_and_leads_to_what_to_do() -> None:
    names = re.findall(r"- alert: (\w+)", ALERTS)
    tests = (FOLDER / "alerts_test.yml").read_text(encoding="utf-8")
    fires = set(re.findall(r"alertname: (\w+)\n +eval_time: \w+\n +exp_alerts:\n", tests))
    assert fires == set(names)
    page = (DOCS / "how-to" / "handle-incidents.md").read_text(encoding="utf-8")
    runbooks = re.findall(r"runbook: docs/how-to/handle-incidents.md#(\S+)", ALERTS)
    assert len(runbooks) == len(names) == len(set(names))
    assert set(runbooks) <= anchors(page)
    assert set(re.findall(r"`(Clearwindow[A-Z]\w+)`", page)) == set(names)


def test_alerts_and_dashboard_name_only_metrics_that_exist(tmp_path: Path) -> None:
    known = known_names()
    for expression in re.findall(r"expr: '(.*)'$", ALERTS, re.MULTILINE):
        assert names_in(expression) <= known, expression
    shown = list(expressions(DASHBOARD["panels"]))
    assert len(shown) > 30
    for expression in shown:
        assert names_in(expression) <= known, expression
    rules = [{"record": f"panel:{number}", "expr": each} for number, each in enumerate(shown)]
    # YAML has JSON in it.
    (tmp_path / "dashboard.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    parsed = promtool("check", "rules", str(tmp_path / "dashboard.yml"))
    assert parsed.returncode == 0, parsed


def test_every_metric_of_the_network_is_in_the_dashboard() -> None:
    shown = set().union(*map(names_in, expressions(DASHBOARD["panels"])))
    assert known_names() - shown == set()


def test_unknown_name_is_found() -> None:
    assert names_in('max by (kind) (clearwindow_nothing{job=~"clearwindow.*"}) > 0') == {"clearwindow_nothing"}


@long
def test_alerts_fire_on_a_real_server(testbed: Testbed, tmp_path: Path) -> None:
    app = create_app(testbed.runtime, [health_router(bootstrap.BACKLOGS, 60)])
    with listening(app) as url, prometheus(url.removeprefix("http://"), tmp_path) as watching:
        watching.await_firing({"ClearwindowCheckMissing"})
        assert testbed.operator.check() == []
        watching.await_firing(set())

        connection = testbed.network.funded(testbed.network.partner(), {"ofcbtc": 1_000})
        # The partner has nothing to pay with.
        settlement = stage(connection.partner, {connection.id: {"USD": "400"}})
        testbed.clock.advance(minutes=13)
        watching.await_firing({"ClearwindowSettlementLate", "ClearwindowWorkOverdue"})
        testbed.run_due()
        testbed.pass_minutes(20)
        assert testbed.state(settlement["id"]) == "failed"
        watching.await_firing({"ClearwindowSettlementFailed"})

        with psycopg.connect(as_superuser(testbed.runtime.database.dsn)) as connection_of_an_intruder:
            connection_of_an_intruder.execute("UPDATE balance SET available = available + 1 WHERE available > 0")
        assert testbed.operator.check() != []
        watching.await_firing({"ClearwindowSettlementFailed", "ClearwindowBooksViolated"})

        testbed.clock.advance(minutes=27 * 60)
        watching.await_firing({"ClearwindowSettlementFailed", "ClearwindowBooksViolated", "ClearwindowCheckOld"})
    # The server has ended, and Prometheus with it: the next one finds nobody.
    (tmp_path / "next").mkdir()
    with prometheus(url.removeprefix("http://"), tmp_path / "next") as watching:
        watching.await_firing({"ClearwindowDown"})
