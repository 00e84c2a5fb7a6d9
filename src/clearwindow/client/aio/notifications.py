"""What people are told of events by e-mail and chat."""

from __future__ import annotations

from typing import Final, Unpack

from clearwindow.client.aio.desk import AsyncDesk
from clearwindow.client.aio.operator_desk import AsyncOperatorDesk
from clearwindow.client.aio.pages import AsyncPages
from clearwindow.client.answers.notifications import (
    Notification,
    NotificationSettings,
    NotificationTest,
    OperatorNotificationChannel,
)
from clearwindow.client.calls import nothing, value_of
from clearwindow.client.list_filters import NotificationChannelFilters, NotificationFilters
from clearwindow.client.requests import WantedNotifications
from clearwindow.client.text import fields

_OWN: Final = "/notifications"
_OPERATORS_OWN: Final = "/operators/me/notifications"
_SETTINGS: Final = value_of(NotificationSettings, "notifications")


class AsyncNotifications:
    """What you are told by e-mail and chat, and where."""

    def __init__(self, desk: AsyncDesk) -> None:
        self._desk = desk

    async def get(self) -> NotificationSettings:
        """Returns what you are told and where, with the state of each address."""
        return await self._desk.get(self._desk.path(_OWN), _SETTINGS)

    async def change(self, **wanted: Unpack[WantedNotifications]) -> NotificationSettings:
        """Replaces the settings as a whole. What is omitted ends or is as usual.

        A new e-mail address gets a code, and nothing else before `verify`.

        Raises:
            InvalidRequestError: the chat's address must not be called, or an event type is none for you.
            UnprocessableError: the network sends no e-mail, or too many codes were asked for.
        """
        return await self._desk.send("PUT", self._desk.path(_OWN), _SETTINGS, fields(**wanted), repeatable=False)

    async def stop(self) -> None:
        """Ends all messages to you. Each confirmed address gets one last message."""
        await self._desk.send("DELETE", self._desk.path(_OWN), nothing, repeatable=True)

    async def verify(self, code: str) -> NotificationSettings:
        """Confirms the e-mail address with the code that was sent to it.

        Not repeated after a lost answer: each wrong code counts.

        Raises:
            ConflictError: no code is waited for.
            UnprocessableError: the code is wrong.
        """
        path = self._desk.path(_OWN + "/verify")
        return await self._desk.send("POST", path, _SETTINGS, fields(code=code), repeatable=False)

    async def send_test(self) -> NotificationTest:
        """Sends a test message to each confirmed address. Not repeated after a lost answer.

        Raises:
            ConflictError: there is no confirmed address.
        """
        read = value_of(NotificationTest)
        return await self._desk.send("POST", self._desk.path(_OWN + "/test"), read, repeatable=False)

    def deliveries(self, **filters: Unpack[NotificationFilters]) -> AsyncPages[Notification]:
        """Lists what was and will be sent to you, newest first."""
        return self._desk.pages(self._desk.path(_OWN + "/deliveries"), "notifications", Notification, filters)


class AsyncOperatorNotifications:
    """The same for an operator, and everybody's addresses."""

    def __init__(self, desk: AsyncOperatorDesk) -> None:
        self._desk = desk

    async def get(self) -> NotificationSettings:
        """Returns what you are told and where, with the state of each address."""
        return await self._desk.get(self._desk.path(_OPERATORS_OWN), _SETTINGS)

    async def change(self, **wanted: Unpack[WantedNotifications]) -> NotificationSettings:
        """Replaces the settings as a whole. What is omitted ends or is as usual.

        A new e-mail address gets a code, and nothing else before `verify`.

        Raises:
            InvalidRequestError: the chat's address must not be called, or an event type is none for you.
            UnprocessableError: the network sends no e-mail, or too many codes were asked for.
        """
        return await self._desk.send(
            "PUT", self._desk.path(_OPERATORS_OWN), _SETTINGS, fields(**wanted), repeatable=False
        )

    async def stop(self) -> None:
        """Ends all messages to you. Each confirmed address gets one last message."""
        await self._desk.send("DELETE", self._desk.path(_OPERATORS_OWN), nothing, repeatable=True)

    async def verify(self, code: str) -> NotificationSettings:
        """Confirms the e-mail address with the code that was sent to it.

        Not repeated after a lost answer: each wrong code counts.

        Raises:
            ConflictError: no code is waited for.
            UnprocessableError: the code is wrong.
        """
        path = self._desk.path(_OPERATORS_OWN + "/verify")
        return await self._desk.send("POST", path, _SETTINGS, fields(code=code), repeatable=False)

    async def send_test(self) -> NotificationTest:
        """Sends a test message to each confirmed address. Not repeated after a lost answer.

        Raises:
            ConflictError: there is no confirmed address.
        """
        read = value_of(NotificationTest)
        return await self._desk.send("POST", self._desk.path(_OPERATORS_OWN + "/test"), read, repeatable=False)

    def deliveries(self, **filters: Unpack[NotificationFilters]) -> AsyncPages[Notification]:
        """Lists what was and will be sent to you, newest first."""
        return self._desk.pages(_OPERATORS_OWN + "/deliveries", "notifications", Notification, filters)

    def channels(self, **filters: Unpack[NotificationChannelFilters]) -> AsyncPages[OperatorNotificationChannel]:
        """Lists everybody's addresses with their state and failures, newest first."""
        model = OperatorNotificationChannel
        return self._desk.pages("/notification-channels", "notificationChannels", model, filters)
