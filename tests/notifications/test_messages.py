"""People hear of what they chose, with amounts and deadlines, and of nothing else. Protocol §9."""

from __future__ import annotations

from tests.notifications.support import SENDER, Person, Post
from tests.support.networks import ok
from tests.support.receivers import receiving
from tests.support.settlements import Testbed, stage


def test_trader_hears_of_a_settlement_with_its_amounts_and_deadline(testbed: Testbed, post: Post) -> None:
    partner = testbed.network.partner(deposits={"ofcbtc": 10**9})
    connection = testbed.network.funded(partner, {"ofcbtc": 5 * 10**8}, name="fund")
    trader = post.confirmed(Person(connection.client.api), "trader@fund.example", timeZone="Europe/Berlin")
    staged = stage(partner, {connection.id: {"BTC": "-150000000", "USD": "1234"}}, externalId="day-1")
    assert post.deliver() == 1
    (mail,) = post.server.to("trader@fund.example")
    assert mail.subject == "Settlement day-1 takes 1.5 BTC"
    assert mail.message["From"].addresses[0].addr_spec == SENDER
    text = mail.body()
    assert "Takes: 1.5 BTC\nGives: 12.34 USD\nPartner: exchange\n" in text.replace("\r\n", "\n")
    assert "Dispute before: 2026-01-05 13:10:00 Europe/Berlin (12:10:00 UTC)" in text
    assert staged["id"] in text
    assert "Takes: 1.5 BTC" in mail.body("html")
    sent = trader.deliveries(statuses=["sent"])[0]
    assert (sent["eventType"], sent["channel"], sent["attempts"]) == ("settlement.initiated", "email", 1)
    assert mail.id == f"<{sent['messageId']}@clearwindow.example>"


def test_operator_hears_of_a_pause(testbed: Testbed, post: Post) -> None:
    operator = Person(testbed.operator, "/operators/me/notifications")
    post.confirmed(operator, "desk@clearwindow.example")
    with receiving() as chat:
        ok(operator.put(email="desk@clearwindow.example", chat={"form": "slack", "url": chat.url}))
        ok(testbed.operator.post("/pauses", {"kind": "network", "reason": "drill"}))
        assert post.deliver() == 2
        assert chat.received[0].json["text"].startswith("*Paused: network*")
    assert [mail.subject for mail in post.server.received] == ["Paused: network"]
