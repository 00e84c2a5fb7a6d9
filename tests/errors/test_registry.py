"""The registry of errors and the code name the same errors. Protocol §2."""

from __future__ import annotations

from typing import Final

import httpx2
import pytest

from clearwindow.allocations.models import Refusal
from clearwindow.core.error_registry import ErrorCode, documentation_of, error_codes
from clearwindow.postgres.constraints import MEANING
from clearwindow.web.common_errors import common_errors
from clearwindow.web.openapi import operations
from tests.errors import reach
from tests.support.descriptions import own_document
from tests.support.http import loopback_client
from tools.errors_page import PAGE, page

ANSWERED_OTHERWISE: Final = {
    # api.problems gives these names to other exceptions than RequestError.
    "internal_error": {500},
    "no_such_path": {404},
    "method_not_allowed": {405},
    "request_refused": {400},
    # Answers of all errors that say what the server cannot do now have this name.
    "unavailable": {500, 503},
    # Operations of our own answer it with 503.
    "outcome_unknown": {500, 503},
    # Version 1 answers with the settlement beside the name.
    "settlement_not_covered": {401},
    "settlement_rejected": {401},
}


def raised() -> dict[str, set[int | None]]:
    """Returns every name that the code gives to an error, with its statuses."""
    statuses: dict[str, set[int | None]] = {}
    for tree in reach.modules().values():
        for name, status in reach.raised_in(tree):
            statuses.setdefault(name, set()).add(status)
    return {name: given for name, given in statuses.items() if name in error_codes() or given != {None}}


def registered() -> dict[str, set[int]]:
    return {name: set(code.statuses) for name, code in error_codes().items()}


def test_every_raised_error_is_registered_with_its_status() -> None:
    for name, statuses in raised().items():
        assert statuses - {None} <= registered().get(name, set()), name


def test_every_registered_error_is_raised_with_every_status() -> None:
    in_use: dict[str, set[int | None]] = {name: {kind.status} for name, (kind, _) in MEANING.items()}
    in_use |= {str(refusal): {422} for refusal in Refusal}
    for names in (raised(), ANSWERED_OTHERWISE):
        for name, statuses in names.items():
            in_use.setdefault(name, set()).update(statuses)
    for name, statuses in registered().items():
        assert None in in_use.get(name, set()) or statuses <= in_use.get(name, set()), name


def test_every_error_of_guards_and_body_readers_is_a_common_error() -> None:
    identity = "clearwindow.identity."
    before_routes = ("clearwindow.api.", f"{identity}guards", f"{identity}rules", f"{identity}call_codes")
    found = {
        name
        for module, tree in reach.modules().items()
        if module.startswith(before_routes)
        for name, _ in reach.raised_in(tree)
    }
    common = {name for _, path, operation in operations(own_document()) for name in common_errors(path, operation)}
    codes = error_codes()
    assert {codes[name].alias_of or name for name in found} - common == set()


def test_every_constraint_with_a_meaning_is_registered() -> None:
    codes = error_codes()
    for constraint, (kind, _) in MEANING.items():
        assert kind.status in codes[constraint].statuses, constraint


def test_every_reason_for_a_refused_allocation_is_registered() -> None:
    assert {str(refusal) for refusal in Refusal} <= set(error_codes())


@pytest.mark.parametrize("code", list(error_codes().values()), ids=lambda code: code.name)
def test_every_entry_has_meaning_cause_and_cure(code: ErrorCode) -> None:
    for text in (code.meaning, code.cause, code.cure):
        assert len(text.split()) > 1
        assert text.endswith((".", "-"))


def test_alias_names_an_error_that_stays() -> None:
    codes = error_codes()
    for code in codes.values():
        if code.alias_of is not None:
            assert codes[code.alias_of].alias_of is None


def test_reference_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: make errors"


def test_error_links_to_its_entry_on_the_server(base_url: str) -> None:
    with loopback_client(base_url=base_url) as client:
        refused = client.get("/api/network/v1/enterprises/acme/clients/connections")
        assert refused.status_code == 401
        path, _, anchor = refused.json()["documentation"].partition("#")
        assert (path, anchor) == ("/docs/errors", "token_missing")
        shown: httpx2.Response = client.get(path)
        assert shown.status_code == 200
        assert "default-src 'none'" in shown.headers["content-security-policy"]
        assert f'id="{anchor}"' in shown.text
        assert all(f'id="{name}"' in shown.text for name in error_codes())


def test_documentation_of_a_name_is_a_path() -> None:
    assert documentation_of("nonce_used") == "/docs/errors#nonce_used"
