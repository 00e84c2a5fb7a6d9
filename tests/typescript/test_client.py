"""The TypeScript client: its types come from our document, and the programs of its page run against a server."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from clearwindow.core.clock import ManualClock
from clearwindow.signing.message import sign_message
from tests.support.long import long
from tests.support.networks import Network
from tests.support.operators import make_key
from tests.typescript.support import built, compile_programs, run
from tools import typescript
from tools.typescript import BuildError

PAGE: Final = Path(__file__).parents[2] / "docs" / "how-to" / "use-the-typescript-client.md"
DOCUMENTED_URL: Final = "https://network.example"
TEXTS: Final = ("{}", '{"notes":"Ålesund, 東京, 𝄞"}', "x" * 252, "x" * 253, "x" * 70_000)
"""Payloads whose lengths are written in one, three and five bytes."""

SIGNING: Final = """
import { keySigner } from "clearwindow-client";
const texts: string[] = JSON.parse(process.env.TEXTS ?? "[]");
console.log(JSON.stringify(await Promise.all(texts.map(keySigner(process.env.XPRV ?? "")))));
try {
  keySigner("xprv-of-nobody");
} catch (error) {
  console.log(String(error));
}
"""
REFUSED_BY_TYPES: Final = """
import { connect } from "clearwindow-client";
const network = connect({ url: "https://network.example", token: "" });
const params = { path: { enterpriseId: "meridian" } };
const settlements = "/api/network/v2/enterprises/{enterpriseId}/partners/settlements";
const body = { externalId: "1", nonce: "1", settlementAmounts: {}, cutoffAt: "" };
export async function wrong() {
  // @ts-expect-error there is no such path
  await network.GET("/api/network/v1/nothing", {});
  // @ts-expect-error the path has an id
  await network.GET("/api/network/v1/enterprises/{enterpriseId}/partners/settlements", {});
  // @ts-expect-error the body has no signature
  await network.POST(settlements, { params, body });
  const { data } = await network.GET("/api/network/v1/whoami", {});
  // @ts-expect-error the answer has no such field
  return data?.nothing;
}
"""


@pytest.fixture
def clock() -> ManualClock:
    """The programs take the time of this machine for their cutoffs."""
    return ManualClock(datetime.now(UTC))


@long
def test_programs_of_the_page_stage_and_list_and_others_do_not_compile(network: Network, tmp_path: Path) -> None:
    page = "\n".join(re.findall(r"```ts\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL))
    assert DOCUMENTED_URL in page
    programs = {
        "page": page.replace(DOCUMENTED_URL, network.operator.base_url).replace("meridian", "exchange"),
        "signing": SIGNING,
        "refused": REFUSED_BY_TYPES,
    }
    compile_programs(built(), tmp_path, programs)

    partner = network.partner("exchange", amountUnit="decimal")
    network.funded(partner, {"ofcbtc": 5 * 10**8}, name="fund")
    key = partner.enterprise.account.key
    token = network.operator.user_token("exchange")
    staged, refused, *pages = run(tmp_path, "page", TOKEN=token, XPRV=key.xprv).splitlines()
    assert (staged, refused) == ("day-1 pending", "422 liabilities_exceed_balance")
    # The clock stands still: the settlements of one moment have no order that is known.
    assert sorted(pages) == ["[ 'day-1' ]", "[ 'day-2' ]"]

    signatures, refusal = run(tmp_path, "signing", TEXTS=json.dumps(TEXTS), XPRV=make_key(1).xprv).splitlines()
    assert json.loads(signatures) == [sign_message(make_key(1), text) for text in TEXTS]
    assert refusal == "TypeError: the key is not an xprv or tprv"


def test_version_of_the_package_is_ours() -> None:
    project = (typescript.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    version = json.loads((typescript.SOURCE / "package.json").read_text(encoding="utf-8"))["version"]
    assert f'\nversion = "{version}"\n' in project
    assert f"clearwindow-client-{version}.tgz" in PAGE.read_text(encoding="utf-8")


def test_error_of_a_program_is_told(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="install node and npm"):
        typescript.run_module(tmp_path, "tsc")


def test_types_leave_out_examples_and_join_errors() -> None:
    problem = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    described = {"properties": {"example": {}}, "example": 1}
    answer = {"headers": {}, "content": {"text/csv": {}, "application/json": {"schema": described}}}
    whole = {"paths": {"/a": {"get": {"responses": {"200": answer, "400": problem, "404": problem}}}}}
    responses = typescript.typed_part(whole)["paths"]["/a"]["get"]["responses"]
    assert list(responses) == ["200", "default"]
    assert responses["200"] == {"content": {"application/json": {"schema": {"properties": {"example": {}}}}}}
