"""The mail server is used as its settings say: encrypted and with a login, and never in clear instead."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from clearwindow.core.clock import ManualClock
from clearwindow.notification_settings import NotificationSettings
from clearwindow.runtime import MailTerms, MailTls
from tests.notifications.support import SENDER, Person, Post
from tests.support.certificates import self_signed, without_key
from tests.support.mail import mail_server
from tests.support.networks import Network, ok

HOST = "localhost"
ADDRESS = "trader@fund.example"


def through(post: Post, terms: MailTerms) -> Post:
    """Returns a pump that sends by another mail server."""
    return replace(
        post, runtime=replace(post.runtime, notifications=replace(post.runtime.notifications, mail=terms))
    )


# The library does not count TLS from the first byte.
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("starttls", [True, False])
def test_connection_is_encrypted_and_logs_in_with_the_password_of_the_file(
    network: Network, post: Post, clock: ManualClock, tmp_path: Path, *, starttls: bool
) -> None:
    certificate = self_signed(HOST, tmp_path)
    password_file = tmp_path / "password"
    password_file.write_text("wrong\n")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    person = Person(network.client("fund").api)
    with mail_server(tls=context, starttls=starttls, password="right") as server:
        tls = MailTls.STARTTLS if starttls else MailTls.IMPLICIT
        terms = MailTerms(HOST, SENDER, server.port, tls, without_key(certificate), "clearwindow", password_file)
        sending = through(post, terms)
        ok(person.put(email=ADDRESS))
        assert sending.deliver() == 0
        assert person.channel()["problem"] == "the mail server answered 535 before any message"
        password_file.write_text("right\n")
        clock.advance(minutes=1)
        assert sending.deliver() == 1
        # A wrong password is tried with each method of the server, the right one once.
        *wrong, right = server.logins
        assert (set(wrong), right) == ({(b"clearwindow", b"wrong")}, (b"clearwindow", b"right"))
        assert (server.encrypted, [mail.to for mail in server.received]) == ([True], [ADDRESS])


def test_unknown_certificate_and_missing_encryption_get_no_message(
    network: Network, post: Post, clock: ManualClock, tmp_path: Path
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(self_signed(HOST, tmp_path))
    person = Person(network.client("fund").api)
    ok(person.put(email=ADDRESS))
    with mail_server(tls=context) as unknown, mail_server() as clear:
        for server in (unknown, clear):
            assert through(post, MailTerms(HOST, SENDER, server.port)).deliver() == 0
            clock.advance(minutes=5)
        assert person.channel()["failures"] == 2
        assert unknown.received == clear.received == []


def test_refused_sender_does_not_lose_the_message(network: Network, post: Post, clock: ManualClock) -> None:
    person = Person(network.client("fund").api)
    ok(person.put(email=ADDRESS))
    post.server.sender_answer = "550 not you"
    assert post.deliver() == 0
    assert person.channel()["problem"] == "the mail server answered 550 to the sender"
    post.server.sender_answer = "250 ok"
    clock.advance(minutes=1)
    assert post.deliver() == 1


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"smtp_from": None}, "CLEARWINDOW_SMTP_FROM: is needed with CLEARWINDOW_SMTP_HOST"),
        ({"smtp_user": "me"}, "CLEARWINDOW_SMTP_USER: set it and CLEARWINDOW_SMTP_PASSWORD_FILE together"),
        ({"smtp_password_file": "/p"}, "CLEARWINDOW_SMTP_USER: set it and CLEARWINDOW_SMTP_PASSWORD_FILE together"),
        (
            {"smtp_user": "me", "smtp_password_file": "/p", "smtp_tls": "none"},
            "CLEARWINDOW_SMTP_TLS: must not be none with a password",
        ),
    ],
)
def test_contradictions_of_the_settings_are_named(settings: dict[str, object], problem: str) -> None:
    given = {"smtp_host": "mail.example", "smtp_from": SENDER} | settings
    with pytest.raises(ValueError, match=problem):
        NotificationSettings.model_validate(given).notifications()


@pytest.mark.parametrize(
    ("settings", "port"), [({}, 587), ({"smtp_tls": "tls"}, 465), ({"smtp_tls": "tls", "smtp_port": 2525}, 2525)]
)
def test_port_follows_from_the_encryption(settings: dict[str, object], port: int) -> None:
    given = {"smtp_host": "mail.example", "smtp_from": SENDER} | settings
    mail = NotificationSettings.model_validate(given).notifications().mail
    assert mail is not None
    assert mail.port == port


def test_without_a_host_there_is_no_mail_server() -> None:
    assert NotificationSettings.model_validate({"smtp_from": SENDER}).notifications().mail is None
