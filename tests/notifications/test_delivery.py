"""Messages arrive in order and at least once, after confirmation alone, and only where they belong. Protocol §9."""

from __future__ import annotations

import asyncio
import re
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from clearwindow.core.clock import ManualClock
from clearwindow.events import outbox
from clearwindow.events.data_schemas import data_schema
from clearwindow.events.models import Event, EventType
from clearwindow.notifications import rules, telling
from clearwindow.notifications.senders import Senders
from clearwindow.outbound.client import Outgoing
from tests.notifications.support import Person, Post
from tests.support.networks import ClientHandle, Network, ok
from tests.support.races import Gate, in_background
from tests.support.receivers import answering, receiving

ADDRESS = "trader@fund.example"
NAMED = {
    EventType.DISPUTE_CREATED: "disputeId",
    EventType.SETTLEMENT_FAILED: "externalId",
    EventType.MEMBER_UPDATED: "userId",
}
"""The field of each event that has the name that a test gives it."""


@pytest.fixture
def trader(network: Network) -> ClientHandle:
    return network.client("fund")


def happens(post: Post, *names: str, kind: EventType = EventType.DISPUTE_CREATED, to: str = "fund") -> None:
    """Records one event for each name, which its message tells."""
    described = data_schema(kind)
    others = {name: example(described["properties"][name]) for name in described["required"]}
    with post.runtime.transaction() as tx:
        outbox.record(tx, [Event(kind, to, tx.new_id(), others | {NAMED[kind]: name}) for name in names])


def example(schema: dict[str, Any]) -> object:
    """Returns a value of this kind, for a field that the test does not look at."""
    values = {"boolean": True, "array": [], "object": {}, "string": "2026-01-05T12:00:00.000Z"}
    return schema["enum"][0] if "enum" in schema else values[schema["type"]]


def told(post: Post, address: str = ADDRESS) -> list[str]:
    """Returns the names that the messages to an address tell, in order."""
    text = "\n".join(mail.body() for mail in post.server.to(address))
    return re.findall(r"^(?:Dispute|External id|User): (.*?)\r?$", text, flags=re.MULTILINE)


def test_nothing_is_sent_before_the_address_is_confirmed(
    network: Network, trader: ClientHandle, post: Post
) -> None:
    # While nobody hears, events are not even listed.
    colleague = "colleague@fund.example"
    post.confirmed(Person(network.member("fund", user_id="colleague")), colleague)
    person = Person(trader.api)
    ok(person.put(email=ADDRESS))
    happens(post, "before")
    code = post.code_for(ADDRESS)
    assert [mail.subject for mail in post.server.to(ADDRESS)] == ["Your code"]
    assert told(post, colleague) == ["before"]
    wrong = "00000000" if code != "00000000" else "00000001"
    assert person.verify(wrong).json()["name"] == "notification_code_wrong"
    assert person.channel()["status"] == "unverified"
    assert ok(person.verify(code))["notifications"]["channels"][0]["status"] == "active"
    assert person.verify(code).json()["name"] == "notification_code_missing"
    happens(post, "after")
    post.deliver()
    assert told(post) == ["after"]


def test_five_wrong_codes_void_a_code_and_codes_are_limited(
    trader: ClientHandle, post: Post, clock: ManualClock
) -> None:
    person = Person(trader.api)
    ok(person.put(email=ADDRESS))
    code = post.code_for(ADDRESS)
    wrong = "00000000" if code != "00000000" else "00000001"
    for _ in range(rules.MAX_CODE_FAILURES):
        assert person.verify(wrong).status_code == 422
    assert person.verify(code).json()["name"] == "notification_code_missing"
    for _ in range(rules.CODES_PER_HOUR - 1):
        ok(person.put(email=ADDRESS))
    refused = person.put(email=ADDRESS)
    assert (refused.status_code, refused.json()["name"]) == (422, "too_many_notification_codes")
    last = post.code_for(ADDRESS)
    clock.advance(minutes=31)
    assert person.verify(last).json()["name"] == "notification_code_missing"


def test_people_who_ask_together_send_no_more_codes_to_one_address(network: Network, post: Post) -> None:
    network.client("fund")
    people = [Person(network.member("fund", user_id=f"user-{number}")) for number in range(rules.CODES_PER_HOUR)]
    first = Person(network.member("fund", user_id="first"))
    ok(first.put(email=ADDRESS))
    gate = Gate(post.runtime)
    with ExitStack() as stack:
        with gate.closed("notification"):
            asked = [stack.enter_context(in_background(partial(person.put, email=ADDRESS))) for person in people]
            gate.wait_for(len(people))
        answers = [each.result() for each in asked]
    refused = [answer.json()["name"] for answer in answers if answer.status_code != 200]
    assert refused == ["too_many_notification_codes"]


def test_messages_wait_for_the_mail_server_and_stay_in_order(
    trader: ClientHandle, post: Post, clock: ManualClock
) -> None:
    person = post.confirmed(Person(trader.api), ADDRESS)
    post.server.answer = lambda _: "451 later"
    happens(post, "one", "two")
    assert post.deliver() == 0
    channel = person.channel()
    assert (channel["failures"], channel["problem"]) == (1, "the mail server answered 451")
    assert person.deliveries(statuses=["owed"])[0]["status"] == "owed"
    post.server.answer = lambda _: "250 kept"
    assert post.deliver() == 0
    clock.advance(minutes=1)
    assert post.deliver() == 2
    assert told(post) == ["one", "two"]
    assert person.channel()["failures"] == 0


def test_refused_message_does_not_hold_up_the_next(trader: ClientHandle, post: Post) -> None:
    person = post.confirmed(Person(trader.api), ADDRESS)
    answers = iter(["550 no", "250 kept"])
    post.server.answer = lambda _: next(answers)
    happens(post, "one", "two")
    assert post.deliver() == 1
    assert told(post) == ["two"]
    refused = person.deliveries(statuses=["refused"])[0]
    assert refused["problem"] == "the mail server answered 550"


def test_killed_worker_sends_again_under_the_same_id(trader: ClientHandle, post: Post, clock: ManualClock) -> None:
    """Sends and then records nothing, as a worker that is killed between both."""
    person = post.confirmed(Person(trader.api), ADDRESS)
    happens(post, "one", "two")
    telling.tell_all(post.runtime)
    (claimed,) = telling.claim(post.runtime, 10)

    async def send_first() -> None:
        async with Senders(post.runtime) as senders:
            mailbox = senders.mailbox(claimed)
            assert mailbox is not None
            await senders.send(claimed, claimed.messages[0], mailbox)
            await mailbox.aclose()

    asyncio.run(send_first())
    assert post.deliver() == 0, "the lease stands"
    clock.advance(minutes=2)
    happens(post, "three")
    assert post.deliver() == 3
    assert told(post) == ["one", "one", "two", "three"]
    ids = [mail.id for mail in post.server.to(ADDRESS)]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert [each["status"] for each in person.deliveries()][:3] == ["sent"] * 3


def test_quiet_hours_hold_a_message_until_they_end(trader: ClientHandle, post: Post, clock: ManualClock) -> None:
    quiet = {"from": "12:00", "until": "14:00"}
    person = post.confirmed(Person(trader.api), ADDRESS, quietHours=quiet, timeZone="UTC")
    happens(post, "waits")
    happens(post, "now", kind=EventType.SETTLEMENT_FAILED)
    post.deliver()
    assert told(post) == ["now"]
    assert person.deliveries(statuses=["owed"])[0]["heldUntil"] == "2026-01-05T14:00:00.000Z"
    clock.advance(minutes=120)
    post.deliver()
    assert told(post) == ["now", "waits"]


@pytest.mark.parametrize("per_hour", [2])
def test_beyond_the_limit_the_rest_is_one_message(trader: ClientHandle, post: Post, per_hour: int) -> None:
    post.confirmed(Person(trader.api), ADDRESS)
    happens(post, *(f"event {number}" for number in range(10)))
    post.deliver()
    assert len(post.server.received) == per_hour + 1
    assert told(post) == [f"event {number}" for number in range(10)]
    assert post.server.received[-1].subject.startswith("8 events: ")


def test_each_person_hears_only_of_its_enterprise_and_of_what_its_role_may_see(
    network: Network, trader: ClientHandle, post: Post
) -> None:
    stranger = network.client("stranger")
    network.operator.user("fund", "viewer", role="viewer")
    viewer = Person(network.member("fund", user_id="viewer"))
    post.confirmed(Person(stranger.api), "stranger@other.example")
    for person, address in ((Person(trader.api), ADDRESS), (viewer, "viewer@fund.example")):
        post.confirmed(person, address, eventTypes=["dispute.created", "member.updated"])
    happens(post, "dispute")
    happens(post, "member", kind=EventType.MEMBER_UPDATED)
    post.deliver()
    assert told(post) == ["dispute", "member"]
    assert told(post, "viewer@fund.example") == ["dispute"]
    assert told(post, "stranger@other.example") == []
    assert all(each["address"] == "viewer@fund.example" for each in viewer.deliveries())


def test_former_administrator_is_not_told_what_was_owed_to_it(
    network: Network, trader: ClientHandle, post: Post
) -> None:
    post.confirmed(Person(trader.api), ADDRESS, eventTypes=["dispute.created", "member.updated"])
    happens(post, "member", kind=EventType.MEMBER_UPDATED)
    happens(post, "dispute")
    telling.tell_all(post.runtime)
    network.operator.user("fund", "another")
    ok(network.operator.patch("/enterprises/fund/users/user-of-fund", {"role": "viewer"}))
    post.deliver()
    assert told(post) == ["dispute"]


def test_former_member_hears_nothing_more(network: Network, trader: ClientHandle, post: Post) -> None:
    del trader
    leaver = Person(network.member("fund", user_id="leaver"))
    post.confirmed(leaver, "leaver@fund.example")
    happens(post, "owed")
    telling.tell_all(post.runtime)
    assert network.operator.delete("/enterprises/fund/users/leaver").status_code == 204
    happens(post, "later")
    post.deliver()
    assert post.server.to("leaver@fund.example") == []
    listed = ok(network.operator.get("/notification-channels", enterpriseIds="fund"))["notificationChannels"]
    assert [(each["address"], each["endedReason"]) for each in listed] == [("leaver@fund.example", "left")]


def test_address_that_is_replaced_or_stopped_is_told_so(trader: ClientHandle, post: Post) -> None:
    person = post.confirmed(Person(trader.api), ADDRESS)
    post.confirmed(person, "new@fund.example")
    happens(post, "one")
    assert person.stop().status_code == 204
    assert person.stop().status_code == 204
    post.deliver()
    assert [mail.subject for mail in post.server.received] == ["No more messages"]
    assert post.server.received[0].to == "new@fund.example"
    happens(post, "two")
    assert post.deliver() == 0
    assert person.show()["channels"] == []


def test_chat_is_posted_to_and_gone_one_ends(trader: ClientHandle, post: Post) -> None:
    person = Person(trader.api)
    with receiving() as chat:
        ok(person.put(chat={"form": "generic", "url": f"{chat.url}?key=secret"}))
        shown = person.channel("chat")
        assert (shown["address"], shown["status"]) == ("127.0.0.1", "active")
        assert "secret" not in str(person.show())
        assert ok(person.test()) == {"sentTo": ["chat"]}
        happens(post, "one")
        assert post.deliver() == 2
        assert [message.json["subject"] for message in chat.received] == ["Test", "A settlement was disputed"]
        assert chat.received[0].headers["clearwindow-message-id"] == chat.received[0].json["id"]
        ok(person.put(chat={"form": "slack"}))
        chat.behaviour = answering(410)
        happens(post, "two")
        assert post.deliver() == 0
        assert "text" in chat.received[-1].json
        assert person.channel("chat")["endedReason"] == "gone"
        assert person.put(chat={"form": "slack"}).json()["name"] == "chat_url_missing"


WRONG_SETTINGS: list[tuple[dict[str, object], str]] = [
    ({"email": "a@b.example\r\nBcc: c@d.example"}, "request_invalid"),
    ({"email": "nobody"}, "request_invalid"),
    ({}, "request_invalid"),
    ({"timeZone": "Mars/Olympus"}, "request_invalid"),
    ({"timeZone": "../../etc/passwd"}, "request_invalid"),
    ({"eventTypes": ["nothing.happened"]}, "request_invalid"),
    ({"quietHours": {"from": "25:00", "until": "07:00"}}, "request_invalid"),
    ({"quietHours": {"from": "07:00", "until": "07:00"}}, "request_invalid"),
    ({"chat": {"form": "irc", "url": "https://a.example"}}, "request_invalid"),
    ({"chat": {"form": "slack", "url": "ftp://a.example"}}, "chat_url_refused"),
    ({"chat": {"form": "slack"}}, "chat_url_missing"),
]


def test_wrong_settings_are_refused_and_nothing_is_kept(trader: ClientHandle, post: Post) -> None:
    del post
    person = Person(trader.api)
    for settings, name in WRONG_SETTINGS:
        refused = person.put(**settings)
        assert (refused.status_code, refused.json()["name"]) == (400, name), (settings, refused.text)
    assert person.show() == {"channels": [], "eventTypes": [], "timeZone": "UTC"}


def test_chat_inside_the_network_is_refused_and_not_called(trader: ClientHandle, post: Post) -> None:
    person = Person(trader.api)
    with receiving() as chat:
        ok(person.put(chat={"form": "generic", "url": chat.url}))
        happens(post, "one")
        object.__setattr__(post.runtime, "outgoing", Outgoing(allow_private=False))
        assert post.deliver() == 0
        assert chat.received == []
    assert "its address must be" in person.channel("chat")["problem"]
    for url in ("https://10.0.0.1/hook", "http://chat.example/hook", "https://[::1]/hook"):
        refused = person.put(chat={"form": "generic", "url": url})
        assert (refused.status_code, refused.json()["name"]) == (400, "chat_url_refused"), url


def test_operator_chooses_among_its_own_types(network: Network, post: Post) -> None:
    operator = Person(network.operator, "/operators/me/notifications")
    refused = operator.put(email="desk@clearwindow.example", eventTypes=["dispute.created"])
    assert refused.json()["name"] == "event_type_not_for_operators"
    post.confirmed(operator, "desk@clearwindow.example")
    happens_to = network.client("fund").enterprise.id
    happens(post, "failed", kind=EventType.SETTLEMENT_FAILED, to=happens_to)
    happens(post, "dispute", to=happens_to)
    post.deliver()
    assert told(post, "desk@clearwindow.example") == ["failed"]
    ok(operator.test())
    post.deliver()
    assert operator.deliveries()[0]["kind"] == "test"
    assert operator.stop().status_code == 204


def test_network_without_a_mail_server_takes_no_address(trader: ClientHandle) -> None:
    person = Person(trader.api)
    assert person.put(email=ADDRESS).json()["name"] == "email_not_set_up"
    assert person.test().json()["name"] == "notification_channel_missing"
