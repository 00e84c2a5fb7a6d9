# Made from ../aio by `make sdk`: change it there.
"""What people are told of events by e-mail and chat."""

from __future__ import annotations

from typing import Final, Unpack

from clearwindow.client.answers.notifications import (
    Notification,
    NotificationSettings,
    NotificationTest,
    OperatorNotificationChannel,
)
from clearwindow.client.calls import nothing, value_of
from clearwindow.client.list_filters import NotificationChannelFilters, NotificationFilters
from clearwindow.client.requests import WantedNotifications
from clearwindow.client.sync.desk import Desk
from clearwindow.client.sync.operator_desk import OperatorDesk
from clearwindow.client.sync.pages import Pages
from clearwindow.client.text import fields

_OWN: Final = "/notifications"
_OPERATORS_OWN: Final = "/operators/me/notifications"
_SETTINGS: Final = value_of(NotificationSettings, "notifications")


class Notifications:
    """What you are told by e-mail and chat, and where."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def get(self) -> NotificationSettings:
        """Returns what you are told and where, with the state of each address."""
        return self._desk.get(self._desk.path(_OWN), _SETTINGS)

    def change(self, **wanted: Unpack[WantedNotifications]) -> NotificationSettings:
        """Replaces the settings as a whole. What is omitted ends or is as usual.

        A new e-mail address gets a code, and nothing else before `verify`.

        Raises:
            InvalidRequestError: the chat's address must not be called, or an event type is none for you.
            UnprocessableError: the network sends no e-mail, or too many codes were asked for.
        """
        return self._desk.send("PUT", self._desk.path(_OWN), _SETTINGS, fields(**wanted), repeatable=False)

    def stop(self) -> None:
        """Ends all messages to you. Each confirmed address gets one last message."""
        self._desk.send("DELETE", self._desk.path(_OWN), nothing, repeatable=True)

    def verify(self, code: str) -> NotificationSettings:
        """Confirms the e-mail address with the code that was sent to it.

        Not repeated after a lost answer: each wrong code counts.

        Raises:
            ConflictError: no code is waited for.
            UnprocessableError: the code is wrong.
        """
        path = self._desk.path(_OWN + "/verify")
        return self._desk.send("POST", path, _SETTINGS, fields(code=code), repeatable=False)

    def send_test(self) -> NotificationTest:
        """Sends a test message to each confirmed address. Not repeated after a lost answer.

        Raises:
            ConflictError: there is no confirmed address.
        """
        read = value_of(NotificationTest)
        return self._desk.send("POST", self._desk.path(_OWN + "/test"), read, repeatable=False)

    def deliveries(self, **filters: Unpack[NotificationFilters]) -> Pages[Notification]:
        """Lists what was and will be sent to you, newest first."""
        return self._desk.pages(self._desk.path(_OWN + "/deliveries"), "notifications", Notification, filters)


class OperatorNotifications:
    """The same for an operator, and everybody's addresses."""

    def __init__(self, desk: OperatorDesk) -> None:
        self._desk = desk

    def get(self) -> NotificationSettings:
        """Returns what you are told and where, with the state of each address."""
        return self._desk.get(self._desk.path(_OPERATORS_OWN), _SETTINGS)

    def change(self, **wanted: Unpack[WantedNotifications]) -> NotificationSettings:
        """Replaces the settings as a whole. What is omitted ends or is as usual.

        A new e-mail address gets a code, and nothing else before `verify`.

        Raises:
            InvalidRequestError: the chat's address must not be called, or an event type is none for you.
            UnprocessableError: the network sends no e-mail, or too many codes were asked for.
        """
        return self._desk.send(
            "PUT", self._desk.path(_OPERATORS_OWN), _SETTINGS, fields(**wanted), repeatable=False
        )

    def stop(self) -> None:
        """Ends all messages to you. Each confirmed address gets one last message."""
        self._desk.send("DELETE", self._desk.path(_OPERATORS_OWN), nothing, repeatable=True)

    def verify(self, code: str) -> NotificationSettings:
        """Confirms the e-mail address with the code that was sent to it.

        Not repeated after a lost answer: each wrong code counts.

        Raises:
            ConflictError: no code is waited for.
            UnprocessableError: the code is wrong.
        """
        path = self._desk.path(_OPERATORS_OWN + "/verify")
        return self._desk.send("POST", path, _SETTINGS, fields(code=code), repeatable=False)

    def send_test(self) -> NotificationTest:
        """Sends a test message to each confirmed address. Not repeated after a lost answer.

        Raises:
            ConflictError: there is no confirmed address.
        """
        read = value_of(NotificationTest)
        return self._desk.send("POST", self._desk.path(_OPERATORS_OWN + "/test"), read, repeatable=False)

    def deliveries(self, **filters: Unpack[NotificationFilters]) -> Pages[Notification]:
        """Lists what was and will be sent to you, newest first."""
        return self._desk.pages(_OPERATORS_OWN + "/deliveries", "notifications", Notification, filters)

    def channels(self, **filters: Unpack[NotificationChannelFilters]) -> Pages[OperatorNotificationChannel]:
        """Lists everybody's addresses with their state and failures, newest first."""
        model = OperatorNotificationChannel
        return self._desk.pages("/notification-channels", "notificationChannels", model, filters)
