# Made from ../aio by `make sdk`: change it there.
"""Sends calls with time limits, repeats them if that is safe, and raises an error for every refusal."""

from __future__ import annotations

import codecs
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, TypeVar

import httpx2

from clearwindow.client.answers.base import Meta
from clearwindow.client.calls import (
    LINK_HEADER,
    REPLAY_HEADER,
    REQUEST_ID_HEADER,
    TOTAL_COUNT_HEADER,
    TOTAL_KIND_HEADER,
    WARNING_HEADER,
    Answer,
    Call,
    next_cursor_of,
    parse_body,
    read_answer,
)
from clearwindow.client.errors import (
    ApiError,
    ClearwindowError,
    NoAnswerError,
    SigningError,
    UnexpectedAnswerError,
    error_type,
)
from clearwindow.client.options import HttpOptions, usable_environment
from clearwindow.client.retries import Failure, Harm, failure_of_status, parse_retry_after, wait_seconds
from clearwindow.client.signing import Signer, UnsignedRequest
from clearwindow.client.sync import waiting

T = TypeVar("T")

_MAX_TOTAL_DIGITS: Final = 18

# Nothing has been sent when one of these is raised.
_NEVER_LEFT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class Caller:
    """The connections to one server with one bearer token."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        signer: Signer | None = None,
        options: HttpOptions | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._options = options or HttpOptions()
        self._signer = signer
        root, headers = _root(base_url), _headers(token)
        with usable_environment():
            self._http = httpx2.Client(
                base_url=root,
                headers=headers,
                verify=self._options.tls(),
                trust_env=self._options.may_use_proxy(root),
                transport=transport,
                follow_redirects=False,
            )

    @property
    def can_sign(self) -> bool:
        return self._signer is not None

    def close(self) -> None:
        self._http.close()

    def sign(self, unsigned: UnsignedRequest) -> bytes:
        """Signs a request and returns its body.

        Raises:
            SigningError: there is no signer, or it did not return a signature.
        """
        if self._signer is None:
            raise SigningError("This request must be signed: pass a signer to the client.")
        signature = waiting.signature_of(self._signer, unsigned.payload)
        if not isinstance(signature, str):
            raise SigningError(f"The signer must return a str, not a {type(signature).__name__}.")
        return unsigned.body(signature)

    def send(self, call: Call[T]) -> T:
        """Sends the call, repeats it if that is safe, and reads its answer.

        Raises:
            ApiError: the server refused.
            NoAnswerError: no answer came in time.
            UnexpectedAnswerError: a Clearwindow server does not give such an answer.
        """
        ends_at = time.monotonic() + max(self._options.total_timeout_seconds, call.min_timeout_seconds)
        repeat = 0
        harmless = True
        while True:
            met: Failure | None
            problem: ClearwindowError
            try:
                answer = self._exchange(call, ends_at)
            except (httpx2.RequestError, TimeoutError) as error:
                met = Failure(Harm.NONE if isinstance(error, _NEVER_LEFT) else Harm.UNKNOWN)
                harmless = harmless and met.harm is Harm.NONE
                problem = _no_answer(call, error, harmless=harmless, attempts=repeat + 1)
            except ApiError as error:
                met = failure_of_status(error.status, error.retry_after_seconds)
                harmless = harmless and met is not None and met.harm is Harm.NONE
                problem = error
            else:
                return read_answer(call, answer)
            repeat += 1
            wait = None
            if met is not None:
                wait = wait_seconds(
                    met,
                    repeatable=call.repeatable,
                    repeat=repeat,
                    left_seconds=ends_at - time.monotonic(),
                    options=self._options,
                    chance=random.random(),  # noqa: S311 - spreads repeats, keeps no secret
                )
            if wait is None:
                raise problem
            waiting.sleep(wait)

    def stream(self, call: Call[None]) -> Iterator[str]:
        """Yields the text of an answer in pieces, as they arrive. It is sent once, and has no limit of size.

        ``total_timeout_seconds`` does not count here: it is how long a refusal may take.

        Raises:
            ApiError: the server refused.
            NoAnswerError: there was no answer, or it was cut off. Then what came before is not the whole.
        """
        seconds = self._options.total_timeout_seconds
        timeout = self._timeout(seconds, 0)
        try:
            with self._http.stream(
                call.method, call.path, params=list(call.query) or None, timeout=timeout
            ) as response:
                if response.status_code != HTTPStatus.OK:
                    _answer(call, response, self._read(response, time.monotonic() + seconds))
                decoder = codecs.getincrementaldecoder("utf-8")()
                for part in response.iter_bytes():
                    yield decoder.decode(part)
        except (httpx2.RequestError, TimeoutError) as error:
            raise _no_answer(call, error, harmless=True, attempts=1) from error

    def _exchange(self, call: Call[T], ends_at: float) -> Answer:
        """Makes one attempt.

        Raises:
            ApiError: the server refused.
            httpx2.RequestError, TimeoutError: no complete answer came.
            UnexpectedAnswerError: the answer is too large, a redirect, or not JSON.
        """
        left_seconds = ends_at - time.monotonic()
        headers = {} if call.content is None else {"Content-Type": "application/json"}
        headers |= call.headers
        with waiting.time_limit(left_seconds):
            with self._http.stream(
                call.method,
                call.path,
                params=list(call.query) or None,
                content=call.content,
                headers=headers,
                timeout=self._timeout(left_seconds, call.min_timeout_seconds),
            ) as response:
                raw = self._read(response, ends_at)
        return _answer(call, response, raw)

    def _read(self, response: httpx2.Response, ends_at: float) -> bytes:
        raw = bytearray()
        for part in response.iter_bytes():
            raw += part
            if len(raw) > self._options.answer_bytes:
                raise UnexpectedAnswerError(
                    f"the answer has more than {self._options.answer_bytes} bytes",
                    status=response.status_code,
                    request_id=response.headers.get(REQUEST_ID_HEADER),
                )
            if time.monotonic() > ends_at:
                raise TimeoutError("the answer took too long")
        return bytes(raw)

    def _timeout(self, left_seconds: float, min_timeout_seconds: float) -> httpx2.Timeout:
        # With zero, even a byte that has arrived already would be too late.
        left = max(0.001, left_seconds)
        connect = min(self._options.connect_timeout_seconds, left)
        read = min(max(self._options.read_timeout_seconds, min_timeout_seconds), left)
        return httpx2.Timeout(connect=connect, read=read, write=read, pool=connect)


def _headers(token: str) -> dict[str, str]:
    if not token.isascii() or not token.isprintable():
        raise ValueError("token must be printable ASCII characters")
    return {"Authorization": f"Bearer {token}", "Accept": "application/json"}


def _root(base_url: str) -> str:
    try:
        url = httpx2.URL(base_url)
    except httpx2.InvalidURL:
        url = httpx2.URL("")
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment or url.userinfo:
        raise ValueError("base_url must be an address such as https://network.example, without query and user")
    return base_url.rstrip("/")


def _answer(call: Call[T], response: httpx2.Response, raw: bytes) -> Answer:
    status = response.status_code
    headers = response.headers
    total = headers.get(TOTAL_COUNT_HEADER, "")
    meta = Meta(
        request_id=headers.get(REQUEST_ID_HEADER),
        replayed=headers.get(REPLAY_HEADER) == "true",
        warnings=tuple(name.strip() for name in headers.get(WARNING_HEADER, "").split(",") if name.strip()),
        total=int(total) if total.isascii() and total.isdigit() and len(total) <= _MAX_TOTAL_DIGITS else None,
        total_is_exact=TOTAL_KIND_HEADER not in headers,
        next_cursor=next_cursor_of(headers.get(LINK_HEADER, "")),
    )
    if status >= HTTPStatus.BAD_REQUEST:
        raise _refusal(response, raw, meta)
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        raise UnexpectedAnswerError(
            f"{call.method} {call.path}: the answer is {status}. Redirects are not followed, because they would"
            " send the token and the signed request to another address",
            status=status,
            request_id=meta.request_id,
        )
    try:
        body = parse_body(raw) if raw else None
    except ValueError:
        raise UnexpectedAnswerError(
            f"{call.method} {call.path}: the answer {status} is not JSON",
            status=status,
            request_id=meta.request_id,
        ) from None
    return Answer(status, body, meta)


def _refusal(response: httpx2.Response, raw: bytes, meta: Meta) -> ApiError:
    try:
        body = parse_body(raw)
    except ValueError:
        body = {}
    return error_type(response.status_code)(
        response.status_code,
        body if isinstance(body, dict) else {},
        request_id=meta.request_id,
        retry_after_seconds=parse_retry_after(response.headers.get("Retry-After"), datetime.now(UTC)),
    )


def _no_answer(call: Call[T], error: Exception, *, harmless: bool, attempts: int) -> NoAnswerError:
    reason = str(error) or type(error).__name__
    tried = "once" if attempts == 1 else f"{attempts} times"
    done = "it was never sent" if harmless else "it may have been carried out"
    problem = NoAnswerError(
        f"{call.method} {call.path}: no answer, tried {tried} ({reason}); {done}",
        may_have_been_carried_out=not harmless,
        attempts=attempts,
    )
    problem.__cause__ = error
    return problem
