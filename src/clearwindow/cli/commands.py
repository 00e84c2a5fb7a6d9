"""All commands: where they are, and the line that the help shows. Nothing here imports them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from clearwindow.cli.lazy import Lazy

_PEOPLE: Final = "For traders, exchanges and operators"
_SERVER: Final = "Run a network"
_TRIAL: Final = "Try a network out"
_OFFLINE: Final = "Keys, offline"
_CLI: Final = "clearwindow.cli"

COMMANDS: Final[Mapping[str, Lazy]] = {
    "profile": Lazy(_PEOPLE, f"{_CLI}.people.profile_commands:profile_app", "Keep who you are at which network."),
    "settle": Lazy(_PEOPLE, f"{_CLI}.people.settling:settle", "Preview, sign, stage and follow a settlement."),
    "balances": Lazy(_PEOPLE, f"{_CLI}.people.reading:balances", "Show what you have."),
    "statement": Lazy(
        _PEOPLE, f"{_CLI}.people.statements:statement", "Show what changed an account, and what is held."
    ),
    "settlements": Lazy(
        _PEOPLE, f"{_CLI}.people.reading:settlements", "List settlements, show one, or take one back."
    ),
    "forecast": Lazy(
        _PEOPLE, f"{_CLI}.people.forecasts:forecast", "Show what the deadlines of a settlement bring."
    ),
    "calendar": Lazy(_PEOPLE, f"{_CLI}.people.calendars:calendar", "List when the windows of settlements end."),
    "top-ups": Lazy(
        _PEOPLE, f"{_CLI}.people.calendars:top_ups", "List what an exchange must pay in, and until when."
    ),
    "movable": Lazy(
        _PEOPLE, f"{_CLI}.people.forecasts:movable", "Show how much can be moved now, and why not more."
    ),
    "disputes": Lazy(
        _PEOPLE, f"{_CLI}.people.disputing:disputes_app", "List, show, raise, retract and close disputes."
    ),
    "connections": Lazy(_PEOPLE, f"{_CLI}.people.reading:connections", "List your connections."),
    "connect": Lazy(_PEOPLE, f"{_CLI}.people.moving:connect", "Connect to an exchange, as its client."),
    "allocate": Lazy(_PEOPLE, f"{_CLI}.people.moving:allocate", "Allocate funds to a connection."),
    "deallocate": Lazy(_PEOPLE, f"{_CLI}.people.moving:deallocate", "Take funds of a connection back."),
    "approvals": Lazy(
        _PEOPLE, f"{_CLI}.people.moving:approvals", "List, approve and reject what waits for a second person."
    ),
    "watch": Lazy(_PEOPLE, f"{_CLI}.people.watching:watch", "Show your events as they come."),
    "webhooks": Lazy(
        _PEOPLE,
        f"{_CLI}.people.watching:webhooks_app",
        "List webhook endpoints, send an event, forward events here.",
    ),
    "call": Lazy(_PEOPLE, f"{_CLI}.people.calling:call", "Make one request of the API, signed if you say so."),
    "operator": Lazy(_PEOPLE, f"{_CLI}.people.operating:operator_app", "Everything that operators do."),
    "serve": Lazy(_SERVER, f"{_CLI}.serve:serve", "Run the network on this machine."),
    "worker": Lazy(_SERVER, f"{_CLI}.worker:worker", "Run due work beside servers."),
    "migrate": Lazy(_SERVER, f"{_CLI}.ledger:migrate", "Bring the database to this version."),
    "check": Lazy(_SERVER, f"{_CLI}.ledger:check", "Verify the books."),
    "backup": Lazy(_SERVER, f"{_CLI}.backups:backup", "Copy the embedded database and the secret key."),
    "restore": Lazy(_SERVER, f"{_CLI}.backups:restore", "Make a data folder of a backup."),
    "lost-requests": Lazy(_SERVER, f"{_CLI}.lost_requests:lost_requests", "Name what a restore has lost."),
    "operators": Lazy(_SERVER, f"{_CLI}.operators:operators_app", "Open a network in earnest."),
    "token": Lazy(_SERVER, f"{_CLI}.tokens:token_app", "Make tokens."),
    "secret": Lazy(_SERVER, f"{_CLI}.secret:secret_app", "Encrypt all stored secrets anew."),
    "demo": Lazy(_TRIAL, f"{_CLI}.demo:demo", "Settle in a temporary network, and show the books."),
    "sandbox": Lazy(_TRIAL, f"{_CLI}.sandbox:sandbox_app", "Work with a sandbox, whose clock you can move."),
    "exchange": Lazy(_TRIAL, f"{_CLI}.exchange:exchange", "Run a simulated exchange."),
    "trader": Lazy(_TRIAL, f"{_CLI}.trader:trader", "Run simulated traders."),
    "rehearsal": Lazy(_TRIAL, f"{_CLI}.rehearsal:rehearsal", "Rehearse with faults and killed processes."),
    "partner-check": Lazy(_TRIAL, f"{_CLI}.partner_check:partner_check", "Check an exchange's own endpoint."),
    "keys": Lazy(_OFFLINE, f"{_CLI}.keys:keys_app", "Make keys that sign, and encrypt connection keys."),
    "sign": Lazy(_OFFLINE, f"{_CLI}.keys:sign", "Sign a payload."),
}
