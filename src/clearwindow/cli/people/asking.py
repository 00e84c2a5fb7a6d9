"""Secrets that a person types, or that a pipe gives. None is ever an argument: all on the machine see arguments."""

from __future__ import annotations

import os
import sys
from typing import Final

import typer

from clearwindow.cli.people.problems import usage

CODE_VARIABLE: Final = "CLEARWINDOW_CODE"

_MOST_SECRET: Final = 64 * 1024


def typed_secret(question: str) -> str:
    """Returns what is typed without being shown, or all that a pipe gives; it may be empty."""
    if sys.stdin.isatty():
        return str(typer.prompt(question, hide_input=True, err=True)).strip()
    return sys.stdin.read(_MOST_SECRET).strip()


def second_factor_code() -> str:
    """Returns a code, of a second factor or of an e-mail: of the environment, else typed.

    Raises:
        EndError: there is none.
    """
    code = os.environ.get(CODE_VARIABLE, "").strip() or typed_secret("Code")
    if not code:
        raise usage(f"There is no code: type it, or set {CODE_VARIABLE}.")
    return code
