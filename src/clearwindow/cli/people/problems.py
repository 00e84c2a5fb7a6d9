"""How a command for people ends: one line on standard error, and an exit code that a script can use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearwindow.cli.people.harmless import harmless

if TYPE_CHECKING:
    from clearwindow.client import ApiError
    from clearwindow.client.answers.proposals import OperatorProposal

REFUSED: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
NOT_YET: Final = 4
INTERRUPTED: Final = 130

_SERVER_ERRORS: Final = 500
_MOST_DETAILS: Final = 20
_IN_BASE_UNITS: Final = frozenset({"liability", "available", "held", "needed", "shortfall", "quantity"})


class EndError(Exception):
    """Ends the command with this line and code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def usage(message: str) -> EndError:
    """What was asked for cannot be understood."""
    return EndError(message, USAGE)


def refused(message: str) -> EndError:
    """It was understood, and is not done."""
    return EndError(message, REFUSED)


def not_yet(message: str) -> EndError:
    """It was accepted, and is not done yet."""
    return EndError(message, NOT_YET)


def waits_for_approval(proposal: OperatorProposal) -> EndError:
    """It was proposed, and other operators decide."""
    return not_yet(
        f"Nothing was done yet. Another operator must approve: {proposal.summary}\n"
        f"  clearwindow operator proposals approve {proposal.id}"
    )


def end_of(error: Exception) -> EndError | None:  # noqa: PLR0911 - one line for each kind
    """Returns how the command ends after this error; None for a defect."""
    from clearwindow.client import (  # noqa: PLC0415 - offline commands do not need the SDK
        ApiError,
        ClearwindowError,
        NoAnswerError,
        SigningError,
        UnexpectedAnswerError,
        UnusableEnvironmentError,
    )
    from clearwindow.client.answers.proposals import WaitsForApprovalError  # noqa: PLC0415 - as above

    if isinstance(error, EndError):
        return error
    if isinstance(error, WaitsForApprovalError):
        return waits_for_approval(error.proposal)
    if isinstance(error, ApiError):
        return EndError(_told(error), UNREACHABLE if error.status >= _SERVER_ERRORS else REFUSED)
    if isinstance(error, NoAnswerError | UnexpectedAnswerError | UnusableEnvironmentError):
        return EndError(str(error), UNREACHABLE)
    if isinstance(error, SigningError | ValueError | UnicodeError):
        return usage(str(error))
    if isinstance(error, ClearwindowError):
        return refused(str(error))
    if isinstance(error, OSError):
        named = f"{error.filename}: " if error.filename else ""
        return refused(f"{named}{error.strerror or error}")
    return None


def _told(error: ApiError) -> str:
    lines = [error.error]
    details = dict(error.details)
    problems = details.get("problems")
    if isinstance(problems, list) and len(problems) == 1:
        # The sentence has the only one.
        details = {name: value for name, value in details.items() if name not in ("problems", "problemCount")}
    for name, value in list(details.items())[:_MOST_DETAILS]:
        entries = value if isinstance(value, list) else [value]
        lines += [f"  {name}: {_entry(entry)}" for entry in entries[:_MOST_DETAILS]]
        if len(entries) > _MOST_DETAILS:
            lines.append(f"  {name}: … and {len(entries) - _MOST_DETAILS} more")
    quoted = ", ".join(
        text for text in (error.name, f"request {error.request_id}" if error.request_id else "") if text
    )
    lines.append(f"  ({error.status}{': ' if quoted else ''}{quoted})")
    return "\n".join(harmless(line) for line in lines)


def _entry(entry: object) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    return ", ".join(
        f"{name} {value}{' base units' if name in _IN_BASE_UNITS else ''}" for name, value in entry.items()
    )
