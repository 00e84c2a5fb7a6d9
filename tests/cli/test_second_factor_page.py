"""How to use a second factor, word for word, except for the port, by three operators of a network in earnest."""

from __future__ import annotations

import base64
import re
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from clearwindow.identity.second_factor import rules
from tests.support.long import long
from tests.support.networks import ok
from tests.support.operators import OperatorClient
from tests.support.processes import COMMAND, command, environment, serving_folder

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "use-a-second-factor.md"
BLOCKS = re.findall(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
ENROL, CONFIRM, APPROVE, APPROVE_WITH_CURL, SHOW, REMOVE, REMOVE_OF_ANOTHER = BLOCKS
NAMES = ("Ada", "Ben", "Carl")


@dataclass
class Reader:
    """Does what the page says at one server."""

    folder: Path
    url: str
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, block: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """Runs a block of the page, and types a line if something is asked for."""
        given = "".join(f"{name}={value}\n" for name, value in self.variables.items())
        steps = (BLOCKS[0].splitlines()[0] + "\n" + block).replace("http://127.0.0.1:8080", self.url)
        search = f'export PATH="{Path(COMMAND[0]).parent}:$PATH"\n'
        return subprocess.run(  # noqa: S603 - the page's own words
            ["/bin/bash", "-euo", "pipefail", "-c", search + given + steps],
            cwd=self.folder,
            env=environment() | {"NO_PROXY": "127.0.0.1"},
            input=f"{typed}\n",
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    def done(self, block: str, typed: str = "") -> str:
        ran = self.run(block, typed)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def enrolled(self) -> tuple[str, list[str]]:
        """Returns the secret and the recovery codes of Ada, who follows the first section."""
        said = self.done(ENROL)
        secret = re.findall(r"^secret +(\S+)$", said, flags=re.MULTILINE)[0]
        assert re.search(rf"^otpauth +otpauth://totp/\S*{secret}", said, flags=re.MULTILINE)
        # On a machine that is busy, the code may be too old when the command has started.
        tries = (self.run(CONFIRM, code_of(secret)) for _ in range(3))
        confirmed = next(each for each in tries if each.returncode == 0)
        return secret, confirmed.stdout.split()

    def enrolled_by_program(self, who: str) -> str:
        """Returns the secret of another operator, who sends the same requests without the commands."""
        with self.client(who) as operator:
            secret = str(ok(operator.post("/operators/me/second-factor"))["secondFactor"]["secret"])
            ok(operator.post("/operators/me/second-factor/confirm", {"code": code_of(secret)}))
        return secret

    def client(self, who: str) -> OperatorClient:
        return OperatorClient(self.url, (self.folder / f"{who}.token").read_text().strip())

    def propose(self, who: str, name: str) -> None:
        """Has somebody propose a further operator, and keeps the id of the proposal as the page does."""
        with self.client(who) as operator:
            self.variables["PROPOSAL"] = operator.post("/operators", {"name": name}).json()["proposal"]["id"]

    def refusal(self, who: str) -> str:
        """Returns why somebody may not approve without a code."""
        with self.client(who) as operator:
            refused = operator.post(f"/proposals/{self.variables['PROPOSAL']}/approve")
        assert refused.status_code == 403, refused.text
        return str(refused.json()["name"])

    def status(self) -> str:
        with self.client("carl") as operator:
            return str(operator.get(f"/proposals/{self.variables['PROPOSAL']}").json()["proposal"]["status"])


def code_of(secret: str, *, next_one: bool = False) -> str:
    """Returns the code that an authenticator shows. The next one is accepted, too, and for longer."""
    padded = secret + "=" * (-len(secret) % 8)
    return rules.totp(base64.b32decode(padded), int(time.time()) // rules.STEP_SECONDS + next_one)


@long
def test_every_step_of_the_page_works(open_folder: Path) -> None:
    folder = open_folder / "earnest"
    folder.mkdir(mode=0o711)
    named = [part for name in NAMES for part in ("--name", name)]
    assert command("migrate", "--data", str(folder / "data")).returncode == 0
    opened = command("operators", "init", *named, "--data", str(folder / "data"))
    tokens = dict(line.split("\t")[:2] for line in opened.stdout.splitlines())
    for name in NAMES:
        (folder / f"{name.lower()}.token").write_text(tokens[name])

    # The last section's setting is there from the beginning, which saves a start.
    settings = {"approvals_needed": "1", "second_factor_required": "true"}
    with serving_folder(folder / "data", **settings) as served:
        page = Reader(folder, served.url)
        page.propose("ben", "Dora")
        assert page.refusal("ada") == "second_factor_missing"
        of_ada, recovery = page.enrolled()
        assert len(recovery) == rules.RECOVERY_CODES
        assert page.refusal("ada") == "code_missing"
        page.done(APPROVE, code_of(of_ada, next_one=True))
        assert page.status() == "carried_out"
        page.propose("ben", "Eve")
        page.variables["CODE"] = recovery[0]
        page.done(APPROVE_WITH_CURL)
        assert page.status() == "carried_out"
        page.propose("ben", "Fay")
        again = page.run(APPROVE_WITH_CURL)
        assert (again.returncode == 0, "code_wrong" in again.stdout) == (False, True)
        shown = page.done(SHOW)
        assert re.search(r"^approvals need one +yes\nrecovery codes left +9$", shown, flags=re.MULTILINE)
        assert page.done(REMOVE, recovery[1]) == "Removed.\n"

        page.enrolled_by_program("ada")
        of_ben, of_carl = page.enrolled_by_program("ben"), page.enrolled_by_program("carl")
        with page.client("ada") as ada:
            page.variables["ADA"] = ok(ada.get("/whoami"))["operator"]["id"]
        proposed = page.done(REMOVE_OF_ANOTHER, code_of(of_ben, next_one=True))
        page.variables["PROPOSAL"] = re.findall(r"\(proposal (\S+)\)", proposed)[0]
        with page.client("carl") as carl:
            path = f"/proposals/{page.variables['PROPOSAL']}/approve"
            assert ok(carl.post(path, code=code_of(of_carl, next_one=True)))["proposal"]["status"] == "carried_out"
        with page.client("ada") as ada:
            assert ok(ada.get("/operators/me/second-factor"))["secondFactor"]["status"] == "none"
