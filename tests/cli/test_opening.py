"""``operators init`` opens a network in earnest, once, and shuts the other doors. Protocol §2."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from clearwindow.identity.enterprises import add_user, ensure_enterprise
from clearwindow.identity.models import Enterprise, TrustOrg, User
from clearwindow.identity.opening import SINGLE_OPERATOR, DoorShutError, open_network
from clearwindow.postgres.sandbox import SandboxError, clock_of
from clearwindow.runtime import Runtime
from tests.cli.conftest import Command
from tests.conftest import OPERATOR_TOKEN
from tests.support.http import loopback_client
from tests.support.operators import OperatorClient

INIT = ("operators", "init")
TWO = (*INIT, "--name", "Ada", "--name", "Ben")


def names_of(runtime: Runtime) -> list[str]:
    with runtime.transaction() as tx:
        return tx.scalars(str, "SELECT name FROM operator ORDER BY name")


def readiness(base_url: str) -> object:
    with loopback_client(base_url=base_url) as client:
        return client.get("/readyz").json()["network"]


def pages_say_alone(base_url: str) -> bool:
    """Returns whether every page for people says that one person runs the network alone. All say the same."""
    with loopback_client(base_url=base_url) as client:
        pages = [client.get(path) for path in ("/docs", "/docs/errors")]
    assert {page.status_code for page in pages} == {200}
    (said,) = {SINGLE_OPERATOR in page.text for page in pages}
    return said


def test_two_administrators_get_a_token_each(command: Command, base_url: str) -> None:
    assert readiness(base_url) == {"mode": "unopened", "singleOperator": False}
    code, printed, note = command(*TWO)
    assert (code, note) == (0, "Each token is shown only once: give it to its owner, and to nobody else.\n")
    shown = dict(line.split("\t") for line in printed.splitlines())
    assert list(shown) == ["Ada", "Ben"]
    assert readiness(base_url) == {"mode": "earnest", "singleOperator": False}
    assert not pages_say_alone(base_url)
    for name, token in shown.items():
        with OperatorClient(base_url, token) as theirs:
            made = theirs.operator(name)
            assert made["role"] == "administrator"
            (record,) = theirs.audit_log(action="network.opened")
            assert record["details"] == {"names": ["Ada", "Ben"], "singleOperator": False}
            assert token not in str(theirs.audit_log())


def test_one_person_must_say_that_they_are_alone(command: Command, runtime: Runtime, base_url: str) -> None:
    code, printed, said = command(*INIT, "--name", "Ada")
    assert (code, printed) == (2, "")
    assert "--single-operator" in said
    assert names_of(runtime) == ["bootstrap"]
    assert not pages_say_alone(base_url)
    code, printed, _ = command(*INIT, "--name", "Ada", "--single-operator", "--json")
    made = json.loads(printed)
    assert (code, made["singleOperator"], [each["name"] for each in made["operators"]]) == (0, True, ["Ada"])
    assert readiness(base_url) == {"mode": "earnest", "singleOperator": True}
    assert pages_say_alone(base_url)
    with OperatorClient(base_url, made["operators"][0]["token"]) as ada:
        said_to_her = ada.get("/whoami").json()["network"]
    assert said_to_her == {"mode": "earnest", "singleOperator": True}


@pytest.mark.parametrize(
    "names",
    [
        ("Ada", "Ada"),
        ("Ada", "ADA"),
        ("Ada", "\u0410d\u0430"),
        ("Ada", " Ben"),
        ("Ada", "B\u200ben"),
        ("Ada", ""),
        ("Ada", "b" * 256),
        ("Ada", "bootstrap"),
        ("Ada", "B00tstrap"),
    ],
)
def test_names_that_look_alike_or_are_none_open_nothing(
    command: Command, runtime: Runtime, base_url: str, names: tuple[str, str]
) -> None:
    code, printed, said = command(*INIT, "--name", names[0], "--name", names[1])
    assert (code > 0, printed, len(said.splitlines())) == (True, "", 1)
    assert names_of(runtime) == ["bootstrap"]
    assert readiness(base_url) == {"mode": "unopened", "singleOperator": False}


def test_single_operator_with_two_names_is_refused(command: Command, runtime: Runtime) -> None:
    assert command(*TWO, "--single-operator")[0] == 2
    assert command(*INIT)[0] == 2
    assert names_of(runtime) == ["bootstrap"]


def test_token_in_the_settings_opens_nothing_after_the_opening(
    command: Command, operator: OperatorClient, base_url: str
) -> None:
    operator.enterprise("acme")
    own = operator.operator("bootstrap")
    spare = operator.operator_token(own["id"])
    assert command(*TWO)[0] == 0
    for token in (OPERATOR_TOKEN, spare):
        with OperatorClient(base_url, token) as former:
            answer = former.get("/audit-log")
            assert (answer.status_code, answer.json()["name"]) == (401, "token_invalid")
            assert former.post("/enterprises", {"name": "x", "licensed": True}).status_code == 401


def test_command_line_makes_no_tokens_after_the_opening(command: Command, runtime: Runtime) -> None:
    with runtime.transaction() as tx:
        now = tx.now()
        wanted = Enterprise("acme", "Acme", TrustOrg.TRUST, licensed=True, created_at=now, updated_at=now)
        ensure_enterprise(tx, wanted)
        add_user(tx, "acme", User("u1", "Ada", None, now))
    member = ("token", "create", "--enterprise", "acme", "--user", "u1")
    assert command(*member)[0] == 0
    assert command(*TWO)[0] == 0
    with runtime.transaction() as tx:
        before = tx.scalars(int, "SELECT count(*) FROM access_token")
    for arguments in (("token", "create", "--operator", "Ada"), ("token", "create", "--operator", "Eve"), member):
        code, printed, said = command(*arguments)
        assert (code, printed, len(said.splitlines())) == (1, "", 1)
        assert "administrator" in said
    code, printed, said = command(*TWO)
    assert (code, printed) == (1, "")
    assert "opened before" in said
    assert names_of(runtime) == ["Ada", "Ben", "bootstrap"]
    with runtime.transaction() as tx:
        assert tx.scalars(int, "SELECT count(*) FROM access_token") == before


def test_outside_a_sandbox_the_command_line_makes_the_first_operator_only(
    command: Command, runtime: Runtime, base_url: str
) -> None:
    assert command("token", "create", "--operator", "Ada")[0] == 0
    for name in ("Ada", "Ben"):
        code, printed, said = command("token", "create", "--operator", name)
        assert (code, printed) == (1, "")
        assert "operators init" in said
    assert names_of(runtime) == ["Ada", "bootstrap"]
    # Operators who exist count as existing: who is named becomes an administrator.
    code, printed, _ = command(*TWO)
    assert code == 0
    with OperatorClient(base_url, printed.splitlines()[0].split("\t")[1]) as ada:
        assert ada.operator("Ada")["role"] == "administrator"


def test_network_opens_once_of_many_at_the_same_instant(runtime: Runtime) -> None:
    def attempt(number: int) -> bool:
        try:
            open_network(runtime, [f"Ada {number}", f"Ben {number}"], single_operator=False)
        except DoorShutError:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(attempt, (2, 3, 4, 5))) == [False, False, False, True]
    assert len(names_of(runtime)) == 3


def test_opened_network_never_becomes_a_sandbox(
    command: Command, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command(*TWO)[0] == 0
    with pytest.raises(SandboxError, match="opened in earnest"):
        clock_of(dsn, sandbox=True)
    with psycopg.connect(dsn) as connection, pytest.raises(psycopg.errors.IntegrityConstraintViolation):
        connection.execute("SELECT mark_sandbox()")
    monkeypatch.setenv("CLEARWINDOW_SANDBOX", "1")
    code, _, said = command("worker")
    assert code == 2
    assert "opened in earnest" in said


def test_sandbox_is_never_opened_in_earnest(command: Command, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock_of(dsn, sandbox=True)
    for setting in ("0", "1"):
        monkeypatch.setenv("CLEARWINDOW_SANDBOX", setting)
        code, printed, said = command(*TWO)
        assert (code, printed, len(said.splitlines())) == (1, "", 1)
        assert "sandbox" in said
    with psycopg.connect(dsn) as connection, pytest.raises(psycopg.errors.IntegrityConstraintViolation):
        connection.execute("INSERT INTO opening (opened_at, single_operator) VALUES (now(), false)")
    for name in ("Ada", "Ben", "Ada"):
        assert command("token", "create", "--operator", name)[0] == 0


def test_opening_is_kept_for_ever(command: Command, dsn: str) -> None:
    assert command(*INIT, "--name", "Ada", "--single-operator")[0] == 0
    for statement in (
        "UPDATE opening SET single_operator = false",
        "DELETE FROM opening",
        "TRUNCATE opening",
        "INSERT INTO opening (only_row, opened_at, single_operator) VALUES (false, now(), false)",
    ):
        with psycopg.connect(dsn) as connection, pytest.raises(psycopg.errors.IntegrityError):
            connection.execute(statement)


def test_token_of_the_shell_narrows_its_holders_role(command: Command) -> None:
    code, printed, _ = command("token", "create", "--operator", "Ada", "--role", "viewer", "--json")
    assert (code, json.loads(printed)["token"]["role"]) == (0, "viewer")
    code, printed, said = command("token", "create", "--operator", "Ben", "--role", "trader")
    assert (code, printed) == (2, "")
    assert "choose from viewer, operator, approver, administrator" in said
