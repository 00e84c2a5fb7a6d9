"""Routes of members about what they are told by e-mail and chat. They are ours, beside the wire contract."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, Filters, JsonBody, NoContent, ServerRuntime, paged
from clearwindow.identity.guards import NETWORK_V1, CallingMember, member_router
from clearwindow.notifications import preferences, schemas

router: Final = member_router("notifications", f"{NETWORK_V1}/notifications")


@router.get(
    "", operation_id="v1NotificationsGetRoute", summary="Read what you are told by e-mail and chat, and where"
)
def read(runtime: ServerRuntime, member: CallingMember) -> schemas.SettingsAnswer:
    """Your own settings in this enterprise, with the state of each address."""
    return schemas.settings_answer(preferences.read(runtime, member))


@router.put(
    "",
    operation_id="v1NotificationsPutRoute",
    summary="Set what you are told by e-mail and chat, and where",
    responses=may_raise("chat_url_refused", "chat_url_missing", "email_not_set_up", "too_many_notification_codes"),
)
def change(
    runtime: ServerRuntime, member: CallingMember, body: JsonBody[schemas.SettingsRequest]
) -> schemas.SettingsAnswer:
    """Replaces your settings as a whole. A new e-mail address gets a code, and nothing else before you confirm it.

    Without `eventTypes`, you hear of what you may have to act on. Quiet hours hold back what has no deadline.
    """
    return schemas.settings_answer(preferences.change(runtime, member, body.model.to_model()))


@router.delete("", operation_id="v1NotificationsDeleteRoute", summary="Stop all messages to you", status_code=204)
def stop(runtime: ServerRuntime, member: CallingMember) -> NoContent:
    """Each confirmed address gets one last message that says so."""
    preferences.stop(runtime, member)
    return NoContent()


@router.post(
    "/verify",
    operation_id="v1NotificationsVerifyPostRoute",
    summary="Confirm your e-mail address",
    responses=may_raise("notification_code_missing", "notification_code_wrong"),
)
def verify(
    runtime: ServerRuntime, member: CallingMember, body: JsonBody[schemas.CodeRequest]
) -> schemas.SettingsAnswer:
    """With the code that was sent to it. A code counts for 30 minutes, and five wrong ones end it."""
    return schemas.settings_answer(preferences.verify(runtime, member, body.model.code))


@router.post(
    "/test",
    operation_id="v1NotificationsTestPostRoute",
    summary="Send yourself a test message",
    responses=may_raise("notification_channel_missing"),
)
def send_test(runtime: ServerRuntime, member: CallingMember) -> schemas.TestAnswer:
    """To each confirmed address."""
    return schemas.TestAnswer(sent_to=preferences.send_test(runtime, member))


@router.get(
    "/deliveries",
    operation_id="v1NotificationDeliveriesGetRoute",
    summary="List what was and will be sent to you, newest first",
)
def list_deliveries(
    runtime: ServerRuntime, member: CallingMember, filters: Filters[schemas.DeliveryFilters]
) -> Answer[schemas.DeliveriesAnswer]:
    """With the last problem of each, and until when it is held."""
    found = preferences.list_own(runtime, member, filters.to_model(), filters.slice)
    return paged(schemas.deliveries_answer(found.items), found, filters)
