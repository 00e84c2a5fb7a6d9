"""Posts events to an address on this machine, as a webhook would, but without a signature."""

from __future__ import annotations

import json
import time
from datetime import UTC
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from clearwindow.cli.people.problems import usage

if TYPE_CHECKING:
    from clearwindow.client.answers.webhooks import MemberEvent

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_POST_SECONDS: Final = 10
_PAUSES_SECONDS: Final = (0.5, 1)
"""Between the attempts."""


def forwarded(url: str, event: MemberEvent) -> str:
    """Posts one event. Returns the status of the answer, or why there is none."""
    import httpx2  # noqa: PLC0415 - the SDK takes a while to import

    moment = event.created_at.astimezone(UTC)
    written = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = json.dumps({"type": event.type, "timestamp": written, "data": event.data}, default=str)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": event.id,
        "webhook-timestamp": str(int(moment.timestamp())),
    }
    # Without the environment: a proxy must not see the events.
    with httpx2.Client(timeout=_POST_SECONDS, trust_env=False, follow_redirects=False) as http:
        for pause_seconds in (*_PAUSES_SECONDS, None):
            try:
                return str(http.post(url, content=body.encode(), headers=headers).status_code)
            except httpx2.RequestError as error:
                if pause_seconds is None:
                    return f"no answer ({type(error).__name__})"
                time.sleep(pause_seconds)
    raise AssertionError("the last attempt returns")


def require_this_machine(url: str) -> None:
    """Refuses every address but those of this machine.

    Raises:
        EndError: it is another one, or none.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise usage(f"{url!r} is no address.") from None
    if parts.scheme != "http" or host not in _LOOPBACK:
        raise usage("--forward-to must be an http address on this machine, such as http://127.0.0.1:3000/hook.")
