"""Requests that must be refused: each differs from a valid one in one respect, and must write nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import httpx2
from psycopg import sql

from clearwindow.runtime import Runtime
from clearwindow.signing.keys import PrivateKey
from tests.support.networks import ConnectionHandle, Json, PartnerHandle, ok, sign_body
from tests.support.settlements import Testbed, fields_of, post

PATH = "/partners/settlements"


def all_rows(runtime: Runtime) -> dict[str, tuple[int, int]]:
    """Returns the number of rows and a checksum of each table."""
    with runtime.transaction() as tx:
        tables = tx.scalars(
            str,
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'",
        )
        each = [
            sql.SQL("SELECT {}, count(*), coalesce(sum(hashtext(t::text)), 0)::bigint FROM {} AS t").format(
                sql.Literal(table), sql.Identifier(table)
            )
            for table in tables
        ]
        rows = tx.connection.execute(sql.SQL(" UNION ALL ").join(each)).fetchall()
    assert len(rows) > 20
    return {table: (count, content) for table, count, content in rows}


EVIDENCE: Final = frozenset({"nonce", "signed_request", "key_set", "sealed_payload", "used_text"})
"""What keeps the texts and signatures of a request that comes again, signed anew."""


@contextmanager
def nothing_written(runtime: Runtime, *, but: Collection[str] = ()) -> Iterator[None]:
    """Asserts that the block changes no table, except for those of ``but``."""
    before = all_rows(runtime)
    yield
    after = all_rows(runtime)
    assert [table for table in after if after[table] != before[table] and table not in but] == []


class Staging:
    """A partner with one valid settlement request, and requests that differ from it in one respect."""

    def __init__(self, testbed: Testbed, partner: PartnerHandle, connection: ConnectionHandle) -> None:
        self.testbed = testbed
        self.partner = partner
        self.connection = connection
        self.fields = fields_of({connection.id: {"BTC": "-7"}}, notes="of the fifth of January")

    @property
    def key(self) -> PrivateKey:
        return self.partner.enterprise.account.key

    def signed(self, **changes: object) -> Json:
        return sign_body({**self.fields, **changes}, self.key)

    def without(self, *names: str) -> Json:
        return sign_body({name: value for name, value in self.fields.items() if name not in names}, self.key)

    def amounts(self, amounts: object) -> Json:
        """Returns the request with these amounts for its connection."""
        return self.signed(settlementAmounts={self.connection.id: amounts})

    def send(self, body: Mapping[str, object] | bytes) -> httpx2.Response:
        if isinstance(body, bytes):
            return self.partner.api.post_raw(PATH, body, version=2)
        return post(self.partner, body)

    def refuses(
        self, body: Mapping[str, object] | bytes, name: str, *mentions: str, status: int = 400
    ) -> httpx2.Response:
        """Fails unless the body is refused with this name, the text has these words, and nothing is written."""
        with nothing_written(self.testbed.runtime):
            response = self.send(body)
            shown = f"{str(body)[:500]} answered {response.status_code} {response.text[:1000]}"
            assert response.status_code == status, shown
        assert response.json()["name"] == name, shown
        for text in mentions:
            assert text in response.json()["error"], shown
        assert len(response.text) < 20_000, "an error must not echo a large request"
        return response

    def accepts(self, body: Mapping[str, object] | bytes | None = None) -> Json:
        """Sends the valid request. Refused requests with its externalId and nonce must not have used them up."""
        answer = ok(self.send(self.signed() if body is None else body))
        self.testbed.assert_proven()
        settlement: Json = answer["settlement"]
        return settlement


def staging(testbed: Testbed, *, allocated: int = 1_000, **settings: object) -> Staging:
    """Makes a partner with one connection that has this many satoshi."""
    partner = testbed.network.partner(**settings)  # type: ignore[arg-type]  # settings of its configuration
    return Staging(testbed, partner, testbed.network.funded(partner, {"ofcbtc": allocated}))
