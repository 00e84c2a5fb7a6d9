"""Operators say what they are told, as members do, and see the state of everybody's addresses."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, Filters, JsonBody, NoContent, ServerRuntime, paged
from clearwindow.identity.guards import ActingOperator, operator_router
from clearwindow.notifications import preferences, schemas

router: Final = operator_router("notifications")
_OWN: Final = "/operators/me/notifications"


@router.get(_OWN, summary="Read what you are told by e-mail and chat, and where")
def get_own_notifications(runtime: ServerRuntime, actor: ActingOperator) -> schemas.SettingsAnswer:
    return schemas.settings_answer(preferences.read(runtime, actor))


@router.put(
    _OWN,
    summary="Set what you are told by e-mail and chat, and where",
    responses=may_raise(
        "chat_url_refused",
        "chat_url_missing",
        "email_not_set_up",
        "event_type_not_for_operators",
        "too_many_notification_codes",
    ),
)
def change_own_notifications(
    runtime: ServerRuntime, actor: ActingOperator, body: JsonBody[schemas.SettingsRequest]
) -> schemas.SettingsAnswer:
    """Replaces your settings as a whole. Operators hear of pauses, of proposals, and of failed settlements."""
    wanted = preferences.for_operator(body.model.to_model())
    return schemas.settings_answer(preferences.change(runtime, actor, wanted))


@router.delete(_OWN, summary="Stop all messages to you")
def stop_own_notifications(runtime: ServerRuntime, actor: ActingOperator) -> NoContent:
    """Each confirmed address gets one last message that says so."""
    preferences.stop(runtime, actor)
    return NoContent()


@router.post(
    f"{_OWN}/verify",
    summary="Confirm your e-mail address",
    responses=may_raise("notification_code_missing", "notification_code_wrong"),
)
def verify_own_email(
    runtime: ServerRuntime, actor: ActingOperator, body: JsonBody[schemas.CodeRequest]
) -> schemas.SettingsAnswer:
    """With the code that was sent to it. A code counts for 30 minutes, and five wrong ones end it."""
    return schemas.settings_answer(preferences.verify(runtime, actor, body.model.code))


@router.post(
    f"{_OWN}/test", summary="Send yourself a test message", responses=may_raise("notification_channel_missing")
)
def send_test_notification(runtime: ServerRuntime, actor: ActingOperator) -> schemas.TestAnswer:
    """To each confirmed address."""
    return schemas.TestAnswer(sent_to=preferences.send_test(runtime, actor))


@router.get(f"{_OWN}/deliveries", summary="List what was and will be sent to you, newest first")
def list_own_notifications(
    runtime: ServerRuntime, actor: ActingOperator, filters: Filters[schemas.DeliveryFilters]
) -> Answer[schemas.DeliveriesAnswer]:
    found = preferences.list_own(runtime, actor, filters.to_model(), filters.slice)
    return paged(schemas.deliveries_answer(found.items), found, filters)


@router.get("/notification-channels", summary="List everybody's addresses for notifications, newest first")
def list_notification_channels(
    runtime: ServerRuntime, filters: Filters[schemas.ChannelFilters]
) -> Answer[schemas.ChannelsAnswer]:
    """With their state and failures. Of a chat, only the host is shown."""
    found = preferences.list_channels(runtime, filters.to_model(), filters.slice)
    return paged(schemas.channels_answer(found.items), found, filters)
