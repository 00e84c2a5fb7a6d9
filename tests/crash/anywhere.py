"""Kills at every moment of every kind of request, and checks that the rest went as if nobody had."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import httpx2

from tests.crash import moments
from tests.crash.facts import Facts, difference, facts, finish, hasten, wait_until_told
from tests.crash.holds import forget_standby
from tests.crash.kinds import Asked, Kind, Scene, open_scene
from tests.crash.moments import Moment
from tests.crash.servers import OPERATOR_TOKEN, AnyServer, Target, connected, is_alive, stopped, wait_until

TIMEOUT_SECONDS: Final = 60
_HASTEN_SECONDS: Final = 0.1
_REACH_SECONDS: Final = 30

Change = Mapping[tuple[str, ...], int]


class Sending:
    """Sends a request in a thread of its own. It may never be answered."""

    def __init__(self, asked: Asked) -> None:
        self.response: httpx2.Response | None = None
        self._defect: BaseException | None = None
        self._asked = asked
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def outcome(self) -> httpx2.Response | None:
        """Returns the answer, or None if the connection broke before it came."""
        self._thread.join(TIMEOUT_SECONDS)
        assert self.ended, "the request was not answered, and its connection is still open"
        if self._defect is not None:
            raise self._defect
        return self.response

    def _send(self) -> None:
        try:
            self.response = self._asked.send()
        except httpx2.HTTPError:
            self.response = None
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            self._defect = error


@dataclass
class Watched:
    """A kind, the moments of one of its requests that nobody killed, and what that left."""

    kind: Kind
    moments: Sequence[Moment]
    change: Change


class NotReachedError(AssertionError):
    """The request and what followed from it ended without coming to the moment."""


@dataclass
class Anywhere:
    """A server on which every moment of every kind can be held."""

    server: AnyServer
    scene: Scene
    thorough: bool
    kinds: dict[str, Watched] = field(default_factory=dict)

    def watch(self, kind_of: type[Kind]) -> Watched:
        """Builds the kind if it is new, and watches one of its requests."""
        if kind_of.name not in self.kinds:
            kind = kind_of(self.scene)
            # The first request of its kind may leave more than the others: a first balance, or nonce.
            self._let_run(kind.prepare())
            with connected(self.server.dsn) as connection:
                asked, before = self._prepared(kind)
                moments.forget(connection)
                self._let_run(asked)
                found = moments.noted(connection)
                self.kinds[kind_of.name] = Watched(kind, found, difference(before, facts(connection)))
        return self.kinds[kind_of.name]

    def crash(self, watched: Watched, moment: Moment, target: Target) -> None:
        """Sends a request of the kind and kills the target at the moment."""
        asked, before = self._prepared(watched.kind)
        with moments.held(self.server, moment) as holder:
            sending = Sending(asked)
            backend = self._wait_until_held(moment, sending)
            with stopped(holder):
                self.server.kill(target, backend)
        if moment.durable and target not in (Target.SERVER, Target.EVERYTHING):
            forget_standby(self.server)
        self._wait_until_ended(backend)
        answered = sending.outcome()
        self.server.recover(target)
        moments.release(self.server)
        with connected(self.server.dsn) as connection:
            # PostgreSQL does not know that the caller of a commit has died.
            may_commit = moment.what == moments.COMMIT and target in (Target.API, Target.WORKER)
            left = difference(before, facts(connection))
        if moment.before_commit and not may_commit and target is not Target.WORKER:
            assert left == {}, f"nothing was committed, and yet: {left}"
        self._require_honest(asked, answered, left)
        last = self._repeated(asked)
        if answered is not None and answered.status_code in asked.last and asked.repeats:
            assert last.json() == answered.json(), "an acknowledged request gets another answer after the kill"
        finish(self.scene.dsn)
        with connected(self.server.dsn) as connection:
            left = difference(before, facts(connection))
        assert left == watched.change, f"not as without a kill: {difference(watched.change, left)}"
        self._check()

    def _prepared(self, kind: Kind) -> tuple[Asked, Facts]:
        asked = kind.prepare()
        wait_until_told(self.scene.dsn)
        with connected(self.server.dsn) as connection:
            return asked, facts(connection)

    def _let_run(self, asked: Asked) -> None:
        answer = asked.send()
        assert answer.status_code in asked.last, answer.text
        finish(self.scene.dsn)

    def _wait_until_held(self, moment: Moment, sending: Sending) -> int:
        """Returns the process of PostgreSQL that is at the moment; hastens what follows from the request."""
        give_up_at = time.monotonic() + _REACH_SECONDS
        hastened_at = time.monotonic()
        with connected(self.server.dsn) as connection:
            while (found := moments.holder_of(connection, moment)) is None:
                if time.monotonic() > give_up_at:
                    raise NotReachedError(f"{moment} was not reached")
                if sending.ended and time.monotonic() > hastened_at + _HASTEN_SECONDS:
                    hasten(connection)
                    hastened_at = time.monotonic()
                time.sleep(0.01)
        return found

    def _wait_until_ended(self, backend: int) -> None:
        """Waits until the held transaction has ended.

        PostgreSQL goes on with the statement of a caller that died, and then ends. If somebody else was killed, the
        transaction goes on as if nothing had happened.
        """

        def ended() -> bool:
            if not is_alive(backend):
                return True
            with connected(self.server.dsn) as connection:
                working = "SELECT FROM pg_stat_activity WHERE pid = %s AND state <> 'idle'"
                return connection.execute(working, [backend]).fetchone() is None

        wait_until(ended, TIMEOUT_SECONDS, "the held transaction did not end")

    def _require_honest(self, asked: Asked, answered: httpx2.Response | None, left: Change) -> None:
        if answered is None or answered.status_code in asked.last:
            return
        assert answered.status_code in {500, 502, 503}, answered.text
        assert "internal_error" not in answered.text, answered.text
        if "nothing was written" in answered.text:
            assert left == {}, f"nothing was written, it says, and yet: {left}"

    def _repeated(self, asked: Asked) -> httpx2.Response:
        """Sends the same request until its last answer comes."""
        answers: list[httpx2.Response] = []

        def answered() -> bool:
            answers.append(asked.send())
            if answers[-1].status_code in asked.last:
                return True
            assert answers[-1].status_code in {500, 502, 503}, answers[-1].text
            with connected(self.server.dsn) as connection:
                hasten(connection)
            return False

        wait_until(answered, TIMEOUT_SECONDS, "the same request was never answered")
        return answers[-1]

    def _check(self) -> None:
        if self.thorough:
            self.server.check()
        assert self.scene.operator.check() == []


@contextmanager
def open_anywhere(server: AnyServer, *, thorough: bool) -> Iterator[Anywhere]:
    """Prepares a running server for kills at every moment."""
    moments.install(server)
    with open_scene(server.url, server.dsn, OPERATOR_TOKEN) as scene:
        yield Anywhere(server, scene, thorough)
