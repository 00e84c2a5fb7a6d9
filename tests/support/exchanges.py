"""Records every exchange of the tests, and checks it at once against the wire contract and our own document.

The server of the test process is wrapped, so that it does not matter which client a test uses. For servers in other
processes, our own clients pass on the answers.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

import httpx2
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clearwindow.web.openapi import NETWORK_PREFIX
from tests.support.descriptions import Answer, Tally, contract, contract_problems, own, own_problems

_NOT_OF_THE_API: Final = ("/docs", "/console", "/openapi.json", "/probe", "/api/probe", "/bench")
_EXAMPLE_CHARACTERS: Final = 6_000


@dataclass(frozen=True)
class Example:
    status: int
    request: bytes
    answer: bytes


class Recorder:
    def __init__(self) -> None:
        self.tally = Tally()
        self.seen: dict[str, set[int]] = {}
        """The statuses of each operation since the last ``new_test``."""
        self.examples: dict[str, Example] = {}
        self._checked: set[str] = set()
        self._raised = 0
        self._lock = threading.Lock()

    def record(self, answer: Answer, request: bytes = b"") -> None:
        """Checks an exchange, once."""
        if answer.method == "HEAD" or answer.path.startswith(_NOT_OF_THE_API):
            return
        with self._lock:
            request_id = answer.headers.get("x-request-id", "")
            if request_id and request_id in self._checked:
                return
            self._checked.add(request_id)
            self._check(answer)
            self._keep(answer, request)

    def _check(self, answer: Answer) -> None:
        of_contract, of_own = contract_problems(answer), own_problems(answer)
        problems = list(of_contract or [])
        if of_contract is not None:
            self.tally.by_contract += 1
        if of_own is not None:
            self.tally.by_own += 1
            problems += of_own
        elif answer.status not in {404, 405}:
            problems.append("our document has no such operation")
        if problems:
            shown = answer.body[:2_000].decode(errors="replace")
            self.tally.mismatches.append(f"{answer.name}, but {'; '.join(problems)}: {shown}")

    def _keep(self, answer: Answer, request: bytes) -> None:
        operation = contract().operation(answer.method, answer.path) or own().operation(answer.method, answer.path)
        if operation is None:
            return
        self.seen.setdefault(operation.id, set()).add(answer.status)
        size = len(request) + len(answer.body)
        if answer.status >= 300 or not answer.body or size > _EXAMPLE_CHARACTERS:
            return
        if not answer.path.startswith(NETWORK_PREFIX):
            # The operator's API answers with tokens: an example would look like a leaked secret.
            return
        known = self.examples.get(operation.id)
        # The largest example shows most.
        if known is None or size > len(known.request) + len(known.answer):
            self.examples[operation.id] = Example(answer.status, request, answer.body)

    def new_test(self) -> None:
        self.seen = {}

    def raise_new_mismatches(self) -> None:
        with self._lock:
            new = self.tally.mismatches[self._raised :]
            self._raised = len(self.tally.mismatches)
        assert not new, "\n".join(new)


RECORDER: Final = Recorder()


class Recording:
    """Wraps an application, and checks every answer before its last byte is sent."""

    def __init__(self, app: ASGIApp, recorder: Recorder = RECORDER) -> None:
        self._app = app
        self._recorder = recorder
        # The product's server looks there for what stands before the application.
        self.state = getattr(app, "state", None)
        # Compile them now, not while the first request waits.
        contract()
        own()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked: list[bytes] = []
        answered: list[bytes] = []
        start: Message = {}

        async def receive_noting() -> Message:
            message = await receive()
            if sum(map(len, asked)) <= _EXAMPLE_CHARACTERS:
                asked.append(message.get("body", b""))
            return message

        async def send_noting(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
            else:
                answered.append(message.get("body", b""))
                if not message.get("more_body"):
                    self._recorder.record(_answer(scope, start, b"".join(answered)), b"".join(asked))
            await send(message)

        await self._app(scope, receive_noting, send_noting)


def _answer(scope: Scope, start: Message, body: bytes) -> Answer:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(scope["method"], scope["path"], start["status"], headers, body)


def check_response(response: httpx2.Response) -> None:
    """The hook of our clients: fails in the line of the request if the answer is not as documented."""
    response.read()
    request = response.request
    path = unquote(request.url.path)
    RECORDER.record(Answer(request.method, path, response.status_code, response.headers, response.content))
    RECORDER.raise_new_mismatches()


@contextmanager
def checked_exchanges(must_show: Collection[str] = ()) -> Iterator[None]:
    """Fails at the end of a test if an answer in it was not as documented.

    Args:
        must_show: the operations that the test must carry out.
    """
    RECORDER.new_test()
    yield
    RECORDER.raise_new_mismatches()
    for operation_id in must_show:
        assert any(status < 300 for status in RECORDER.seen.get(operation_id, ())), (
            f"{operation_id} was not carried out"
        )


def examples() -> dict[str, Any]:
    """Returns the recorded example of each operation, as /openapi.json shows it."""
    shown: dict[str, Any] = {}
    for operation_id, kept in sorted(RECORDER.examples.items()):
        example: dict[str, Any] = {"status": str(kept.status), "answer": json.loads(kept.answer)}
        if kept.request:
            example["request"] = json.loads(kept.request)
        shown[operation_id] = example
    return shown
