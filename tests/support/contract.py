"""Checks single answers against the network's wire contract. Protocol, source 2."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote, urlsplit

import httpx2

from tests.support.descriptions import Answer, contract_problems

# Our own operations under the prefix of the contract.
_BESIDE: Final = re.compile(
    r"/api/network/v1/enterprises/[^/]+/clients/(approval-thresholds|pending-approvals(/[^/]+)?)"
)


def assert_answers_contract(method: str, path: str, response: httpx2.Response) -> None:
    """Fails if the contract does not allow this answer to the operation.

    Args:
        method: in any case.
        path: the whole path of the request, with or without a query.
        response: its body has been read.
    """
    path = unquote(urlsplit(path).path)
    answer = Answer(method, path, response.status_code, response.headers, response.content)
    problems = contract_problems(answer)
    if problems is None and _BESIDE.fullmatch(path):
        return
    assert problems is not None, f"the contract has no {method} {path}"
    assert not problems, f"{answer.name}, but {'; '.join(problems)}: {response.text}"
