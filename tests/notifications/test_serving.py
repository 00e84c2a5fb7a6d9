"""A running server sends by itself."""

from __future__ import annotations

import re
import time

from clearwindow.simulator.server import temporary_folder
from tests.notifications.support import PATIENCE_SECONDS, SENDER, Person
from tests.support.mail import Mail, MailServer, mail_server
from tests.support.networks import Network, ok
from tests.support.operators import OperatorClient
from tests.support.processes import START_TOKEN, serving_folder
from tests.support.settlements import stage

ADDRESS = "trader@fund.example"


def mails(server: MailServer, count: int) -> list[Mail]:
    """Waits for so many messages."""
    end = time.monotonic() + PATIENCE_SECONDS
    while len(server.received) < count and time.monotonic() < end:
        time.sleep(0.05)
    assert len(server.received) == count
    return server.received


def test_mail_of_a_staged_settlement_arrives_by_itself() -> None:
    with mail_server() as server, temporary_folder("test") as folder:
        settings = {
            "smtp_host": "127.0.0.1",
            "smtp_port": str(server.port),
            "smtp_tls": "none",
            "smtp_from": SENDER,
        }
        with (
            serving_folder(folder / "data", **settings) as served,
            OperatorClient(served.url, START_TOKEN) as operator,
            Network(operator) as network,
        ):
            partner = network.partner(deposits={"ofcbtc": 10**9})
            connection = network.funded(partner, {"ofcbtc": 5 * 10**8}, name="fund")
            trader = Person(connection.client.api)
            ok(trader.put(email=ADDRESS, eventTypes=["settlement.initiated"]))
            code = re.search(r"Code: ([0-9]{8})", mails(server, 1)[0].body())
            assert code is not None
            ok(trader.verify(code[1]))
            stage(partner, {connection.id: {"BTC": "-150000000"}}, externalId="day-1")
            assert mails(server, 2)[1].subject == "Settlement day-1 takes 1.5 BTC"
            assert served.end()[0] == 0
        log = served.log.read_text()
    assert ADDRESS not in log
    assert code[1] not in log
