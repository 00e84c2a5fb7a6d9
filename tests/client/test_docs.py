"""The pages of the Python SDK: the examples run as they stand, and the tables list every operation."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from clearwindow.signing.message import sign_message
from tests.client.contract import own
from tests.client.networks import build
from tests.client.operations import CLIENT, PARTNER
from tests.client.own_operations import EXCHANGE, MEMBER, OPERATOR
from tests.client.shapes import opened
from tests.client.test_webhooks import headers, v1
from tests.conftest import OPERATOR_TOKEN
from tests.support.operators import make_key
from tools import sdk_examples_page

DOCS: Final = Path(__file__).parents[2] / "docs"
PAGE: Final = DOCS / "how-to" / "use-the-python-sdk.md"
REFERENCE: Final = DOCS / "reference" / "python-sdk.md"
SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class SigningService:
    """Stands for the function of this name in the page."""

    def sign(self, _name: str, payload: str) -> str:
        return sign_message(make_key(2), payload)


def test_examples_of_the_page_run(
    base_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASTER_XPRV", make_key(2).xprv)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "meridian.key").write_text(make_key(1).xprv)
    with opened("sync") as shapes:
        sdk_network = build(shapes, base_url, OPERATOR_TOKEN)
        names: dict[str, Any] = {
            "meridian_token": sdk_network.partner_token,
            "aster_token": sdk_network.client_token,
            "operator_token": OPERATOR_TOKEN,
            "signing_service": SigningService(),
            "webhook_secret": SECRET,
        }
        run = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
        for example in run:
            exec(example.replace("https://network.example", base_url), names)  # noqa: S102 - our own page
        printed = capsys.readouterr().out.splitlines()
        assert printed[0].endswith(" pending")
        assert printed[1] == "pending"
        assert printed[2] == "repeated"
        assert "external id" in printed[3].lower() or "externalid" in printed[3].lower()
        assert printed[4].startswith("not covered: [{")
        assert printed[5] == "800000000 150000000"
        assert names["dispute"].expected_transfers == {"ofcbtc": -100_000_000}
        assert printed[6] == f"['{names['dispute'].id}']"
        assert printed[7].startswith("True [datetime.datetime(")
        found = names["trader"].settlements.list(statuses=["pending"]).page().items[0]
        assert names["trader"].settlements.summary(found.id) == names["trader"].settlements.get(found.id).settlement
        assert sdk_network.operator.settlements.summary(found.id).id == found.id
        for name in ("exchange", "trader"):
            names[name].close()


def test_webhook_receiver_of_the_page_accepts_genuine_delivery(capsys: pytest.CaptureFixture[str]) -> None:
    example = next(part for part in PAGE.read_text(encoding="utf-8").split("```python\n") if "def receive" in part)
    names: dict[str, Any] = {"webhook_secret": SECRET}
    exec(example.partition("```")[0], names)  # noqa: S102 - our own page
    body, now = b'{"type":"dispute.created","data":{"disputeId":"d"}}', datetime.now(UTC)
    genuine = headers(v1(body, at=now), at=now)
    assert [names["receive"](genuine, body) for _ in range(2)] == [204, 204]
    assert capsys.readouterr().out == "dispute.created {'disputeId': 'd'}\n"
    assert names["receive"](genuine, b"{}") == 400
    assert names["receive"](headers(v1(body)), body) == 400


def test_page_of_examples_has_the_calls_of_the_tests() -> None:
    page = sdk_examples_page.page()
    assert sdk_examples_page.PAGE.read_text(encoding="utf-8") == page, "run python -m tools.sdk_examples_page"
    for method in {
        method for table in (CLIENT, PARTNER, MEMBER, EXCHANGE, OPERATOR) for method, _ in table.values()
    }:
        assert f"{method}(" in page, method


def test_table_of_contract_operations_is_complete() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `([\w.]+)` \|$", REFERENCE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert dict(rows) == {operation: method for operation, (method, _) in (CLIENT | PARTNER).items()}  # type: ignore[operator]


def test_table_of_own_routes_is_complete() -> None:
    rows = re.findall(
        r"^\| `([A-Z]+) …?(\S+)` \| `([\w.]+)` \|$", REFERENCE.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    own_operations = {**MEMBER, **EXCHANGE, **OPERATOR}
    methods = {operation: method for operation, (method, _) in own_operations.items()}
    # Members and operators have some paths with the same end.
    assert set(rows) == {
        (
            way.upper(),
            re.sub("^/api/(network/v[12]/enterprises/{enterpriseId}|operator/v1)", "", path),
            methods[operation["operationId"]],
        )
        for path, ways in own().document["paths"].items()
        for way, operation in ways.items()
        if operation["operationId"] in methods
    }
