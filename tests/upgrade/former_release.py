"""Makes ``former_release.sql.xz`` and ``former_release.json.xz``: a database of a release, and what is read of it.

Run it with the code of that release, in a worktree of its commit, after copying this folder there:

    pytest tests/upgrade/former_release.py --basetemp=/tmp/former

The files are then in ``tests/upgrade`` of that worktree. The database was made by the commit before the journal got
its lean postings (``e13f017``), and has each state in which a settlement can be.
"""

from __future__ import annotations

import json
import lzma
import subprocess
from pathlib import Path

from clearwindow.postgres.embedded.binaries import find_binaries
from tests.support.chains import ChainDesk
from tests.support.networks import ok
from tests.support.settlements import Testbed, close_dispute, dispute, stage, try_settle
from tests.upgrade.record import read_everything
from tests.webhooks.support import deliver, hooks_of

FOLDER = Path(__file__).parent
_SETTINGS_OF_NEWER_SERVERS = ("SET transaction_timeout", "\\restrict", "\\unrestrict")


def test_make_the_former_release(testbed: Testbed, dsn: str) -> None:
    network = testbed.network
    partner = network.partner(deposits={"ofcbtc": 1_000, "ofcusd": 50}, onchainEnabled=True)
    ann, bob = (network.funded(partner, {"ofcbtc": 1_000, "ofceth": 1_000}, name=name) for name in ("ann", "bob"))
    # Nobody listens there: what is sent to it stays half delivered.
    hooks_of(network, partner.enterprise.id).make("http://127.0.0.1:9/hook")
    ok(ann.deallocate("ofcbtc", 5))

    completed = stage(partner, {ann.id: {"BTC": "-9", "USD": "7"}, bob.id: {"BTC": "4", "ETH": "-2"}})
    closed = stage(partner, {ann.id: {"BTC": "-20"}, bob.id: {"ETH": "-3"}})
    raised = ok(dispute(ann, closed["id"], {"ofcbtc": "-5"}))["dispute"]
    testbed.pass_minutes(10)
    ok(close_dispute(ann, raised["id"]))
    testbed.pass_minutes(10)
    assert testbed.state(completed["id"]) == "completed"
    stage(partner, {bob.id: {"BTC": "-1"}})
    testbed.pass_minutes(20)

    failed = stage(partner, {ann.id: {"USD": "400"}, bob.id: {"BTC": "-11"}})
    testbed.pass_minutes(20)
    assert testbed.state(failed["id"]) == "failed"
    rejected = stage(partner, {ann.id: {"BTC": "-6"}})
    testbed.operator.post(f"/settlements/{rejected['id']}/reject", {"reason": "wrong day"})
    try_settle(partner, {ann.id: {"BTC": "-8"}})

    onchain = ChainDesk(testbed, partner, ann, bob)
    onchain.initiate({ann.id: {"BTC": "-30", "ETH": "4"}, bob.id: {"BTC": "10", "ETH": "-7"}})
    testbed.run_due()
    deliver(testbed.runtime)
    disputed = stage(partner, {ann.id: {"BTC": "-40"}, bob.id: {"BTC": "-12"}})
    ok(dispute(ann, disputed["id"], {"ofcbtc": "-1"}))
    stage(partner, {ann.id: {"BTC": "-2"}, bob.id: {"ETH": "-5", "BTC": "3"}})
    testbed.assert_proven()

    everything = read_everything(testbed.operator, dsn)
    everything["now"] = testbed.clock.now().isoformat()
    dump = subprocess.run(  # noqa: S603 - the program of the embedded server
        [str(find_binaries().bin_dir / "pg_dump"), "--no-owner", "--no-privileges", dsn],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    lines = (line for line in dump.splitlines() if not line.startswith(_SETTINGS_OF_NEWER_SERVERS))
    (FOLDER / "former_release.sql.xz").write_bytes(lzma.compress("\n".join(lines).encode()))
    (FOLDER / "former_release.json.xz").write_bytes(lzma.compress(json.dumps(everything).encode()))
