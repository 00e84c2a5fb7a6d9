"""The worker takes the due steps of many settlements together: the same books and events as one after the other."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

import psycopg
import pytest

from clearwindow.network.models import Partner
from clearwindow.postgres.pool import Transaction
from clearwindow.settlements import batches, rules
from clearwindow.settlements.models import Candidate, Settlement, SettlementState, SettlementType
from tests.conftest import START
from tests.support.networks import ConnectionHandle, Json, PartnerHandle, ok
from tests.support.operators import OperatorClient
from tests.support.pauses import pause, resume
from tests.support.settlements import Testbed, dispute, stage

CURRENCIES: Final = {"BTC": "ofcbtc", "ETH": "ofceth"}
FUNDS: Final = 10_000
_BROKEN: Final = """
CREATE FUNCTION break_it() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a defect';
END $$;
CREATE TRIGGER broken BEFORE UPDATE OF state ON settlement
    FOR EACH ROW WHEN (NEW.id = '{}' AND NEW.state = 'completed') EXECUTE FUNCTION break_it()"""


def candidate(due_seconds: int = 0, **given: object) -> Candidate:
    at = START + timedelta(seconds=due_seconds)
    settlement = Settlement(
        id=UUID(int=due_seconds),
        partner_id=uuid4(),
        external_id="x",
        state=SettlementState.TOP_UP_WINDOW,
        settlement_type=SettlementType.OFFCHAIN,
        request_sha256=b"",
        staged_answer="",
        notes=None,
        initiated_by="u",
        cutoff_at=None,
        created_at=START,
        updated_at=START,
        dispute_deadline_at=at,
        top_up_deadline_at=at,
        execute_when_funded=False,
        immediate=False,
        due_at=at,
        attempts=0,
        last_error=None,
        finalized_at=None,
        reason=None,
    )
    fields: dict[str, object] = {
        "settlement": settlement,
        "transfers": 1,
        "in_dispute": False,
        "paused": False,
        "change": {},
    }
    return Candidate(**(fields | given))  # type: ignore[arg-type]


def test_batch_ends_before_the_first_settlement_in_dispute() -> None:
    plain, disputed = candidate(1), candidate(2, in_dispute=True)
    assert rules.batch_of([plain, plain, disputed, plain], {}) == [plain, plain]
    assert rules.batch_of([disputed, plain], {}) == []


def test_batch_ends_before_the_first_withdrawn_settlement() -> None:
    plain = candidate(1)
    withdrawn = candidate(2, settlement=replace(plain.settlement, withdrawn_at=START, withdrawn_reason="no"))
    assert rules.batch_of([plain, plain, withdrawn, plain], {}) == [plain, plain]
    assert rules.batch_of([withdrawn, plain], {}) == []


def test_batch_ends_where_losses_exceed_what_the_partner_has() -> None:
    loses, gains = candidate(1, change={"ofcbtc": -6}), candidate(2, change={"ofcbtc": 100})
    assert rules.batch_of([loses, gains, loses], {"ofcbtc": 11}) == [loses, gains]
    assert rules.batch_of([loses, gains, loses], {"ofcbtc": 12}) == [loses, gains, loses]
    assert rules.batch_of([loses], {}) == []


def test_batch_has_a_bounded_number_of_transfers() -> None:
    large, small = candidate(1, transfers=rules.BATCH_TRANSFERS - 1), candidate(2, transfers=1)
    assert rules.batch_of([large, small, small], {}) == [large, small]
    assert rules.batch_of([candidate(1, transfers=rules.BATCH_TRANSFERS + 1), small], {}) == []


def test_what_is_due_after_the_batch_does_not_wait_for_later_ones() -> None:
    first, second, third = (candidate(seconds) for seconds in (1, 2, 3))
    now = START + timedelta(seconds=10)
    assert rules.executed_before([first, third], second.settlement, now) == [first]
    assert rules.executed_before([first, third], None, now) == [first, third]
    assert rules.executed_before([first, third], None, START + timedelta(seconds=2)) == [first]


def test_paused_settlement_takes_its_place_in_a_batch_and_does_not_execute() -> None:
    plain, paused = candidate(1), candidate(2, paused=True)
    assert rules.batch_of([plain, paused, plain], {}) == [plain, paused, plain]
    now = START + timedelta(seconds=10)
    assert rules.executed_before([plain, paused], None, now) == [plain]


class Twins:
    """Two partners with the same connections, settlements and disputes. One gets no batches."""

    def __init__(self, testbed: Testbed, chance: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
        self.testbed, self.chance = testbed, chance
        flag = chance.random() < 0.5
        few = dict.fromkeys(CURRENCIES.values(), chance.choice([5, 60, FUNDS]))
        top_up = chance.choice([0, 5])
        self.partners = [
            testbed.network.partner(name, top_up_window=top_up, deposits=few, executeWhenFunded=flag)
            for name in ("together", "alone")
        ]
        funds = dict.fromkeys(CURRENCIES.values(), FUNDS)
        self.connections = [
            [
                testbed.network.funded(partner, funds, name=f"{partner.enterprise.id}-{number}")
                for number in range(3)
            ]
            for partner in self.partners
        ]
        self.settlements: list[tuple[str, str]] = []
        self.taken = 0
        alone, take = UUID(self.partners[1].id), batches.take

        def take_of_one(tx: Transaction, partner: Partner, most: int) -> int:
            taken = 0 if partner.id == alone else take(tx, partner, most)
            self.taken += taken
            return taken

        monkeypatch.setattr(batches, "take", take_of_one)

    def act(self) -> None:
        amounts = {
            number: {name: str(self.chance.choice([-7, -3, 2, 9])) for name in CURRENCIES}
            for number in self.chance.sample(range(3), 2)
        }
        made = [
            stage(partner, {own[number].id: given for number, given in amounts.items()})
            for partner, own in zip(self.partners, self.connections, strict=True)
        ]
        if self.chance.random() < 0.15:
            number = next(iter(amounts))
            for own, settlement in zip(self.connections, made, strict=True):
                ok(dispute(own[number], settlement["id"]))
        self.settlements.append((made[0]["id"], made[1]["id"]))
        self.testbed.clock.advance(minutes=self.chance.choice([0.1, 0.2, 1, 3]))

    def pause(self, number: int) -> list[str]:
        """Pauses the client of this connection of both partners."""
        return [pause(self.testbed.operator, "client", own[number].client.id)["id"] for own in self.connections]

    def outcome(self, which: int) -> Mapping[str, object]:
        testbed, partner = self.testbed, self.partners[which]
        ids = [pair[which] for pair in self.settlements]
        names = {each: str(number) for number, each in enumerate(ids)}
        events = ok(testbed.operator.get("/events", enterpriseId=partner.enterprise.id, pageSize=500))["events"]
        by_settlement: dict[str, list[str]] = {}
        for event in reversed(events):
            subject = names.get(str(event["payload"].get("settlementId")), "")
            by_settlement.setdefault(subject, []).append(event["type"])
        with testbed.runtime.transaction() as tx:
            rows = tx.connection.execute(
                "SELECT cause_id::text, kind, posting.currency, bucket, sum(quantity)::text, count(*)"
                " FROM ledger_entry JOIN posting ON posting.entry_id = ledger_entry.id"
                " WHERE cause_id = ANY(%s::uuid[]) AND quantity > 0 GROUP BY 1, 2, 3, 4",
                [ids],
            ).fetchall()
            balances = tx.connection.execute(
                "SELECT name, currency, available::text, held::text FROM balance"
                " JOIN connection ON network_account_id = account_id WHERE partner_id = %s",
                [partner.id],
            ).fetchall()
        return {
            "states": [testbed.state(each) for each in ids],
            "events": by_settlement,
            "postings": sorted((names[row[0]], *row[1:]) for row in rows),
            "balances": sorted((row[0].removeprefix(partner.enterprise.id), *row[1:]) for row in balances),
        }


@pytest.mark.parametrize("seed", [0, 2])
def test_batches_do_what_single_steps_do(testbed: Testbed, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    twins = Twins(testbed, random.Random(seed), monkeypatch)  # noqa: S311 - a test's choices
    for _ in range(8):
        twins.act()
    testbed.clock.advance(minutes=10)
    for _ in range(3):
        testbed.pass_minutes(10)
        assert twins.outcome(0) == twins.outcome(1)
    assert twins.taken > 0
    testbed.assert_proven()


@pytest.mark.parametrize("seed", [2, 3])
def test_batches_do_what_single_steps_do_during_and_after_a_pause(
    testbed: Testbed, operator: OperatorClient, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    twins = Twins(testbed, random.Random(seed), monkeypatch)  # noqa: S311 - a test's choices
    for _ in range(8):
        twins.act()
    paused = twins.pause(0)
    for _ in range(3):
        testbed.pass_minutes(10)
        assert twins.outcome(0) == twins.outcome(1)
    assert "top_up_window" in twins.outcome(0)["states"]  # type: ignore[operator]
    with operator.another() as second:
        for pause_id in paused:
            resume(operator, second, pause_id)
    for _ in range(3):
        testbed.pass_minutes(10)
        assert twins.outcome(0) == twins.outcome(1)
    assert twins.taken > 0
    testbed.assert_proven()


def _staged(partner: PartnerHandle, connection: ConnectionHandle, count: int) -> list[str]:
    return [str(stage(partner, {connection.id: {"BTC": "-1"}})["id"]) for _ in range(count)]


def test_settlement_that_fails_takes_no_other_with_it(testbed: Testbed, dsn: str) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    settlements = _staged(partner, connection, 6)
    with psycopg.connect(dsn) as owner:
        owner.execute(_BROKEN.format(settlements[3]).encode())
    testbed.pass_minutes(20)
    # A look that completes nothing is a worker's last one until something changes.
    testbed.run_due()
    states = [testbed.state(each) for each in settlements]
    assert states == ["completed"] * 3 + ["top_up_window"] + ["completed"] * 2
    (work,) = ok(testbed.operator.get("/work"))["work"]
    assert work["id"] == settlements[3]
    assert "a defect" in work["lastError"]
    testbed.assert_proven()


def test_each_settlement_of_a_batch_has_its_own_events_and_entry(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    settlements = _staged(partner, connection, 3)
    testbed.pass_minutes(20)
    for settlement in settlements:
        found: Json = ok(testbed.operator.get("/events", subjectId=settlement, enterpriseId=partner.enterprise.id))
        types = [event["type"] for event in reversed(found["events"])]
        assert types == [
            "settlement.initiated",
            "settlement.finalizing",
            "settlement.completed",
            "balance.changed",
        ]
