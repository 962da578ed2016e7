"""The scripts that deploy, against servers of two versions behind a small proxy: their order, the weights, and the ways back."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bank_graphql.kit.embedded import EmbeddedPostgres
from tests.client import Client
from tests.e2e.cloud import Cloud
from tests.e2e.processes import Server
from tests.e2e.test_rolling import paying, until_there_are
from tests.e2e.versions import NEWEST, SCHEMA, OldServer, extract_code_before
from tests.kit.postgres import query
from tests.sync import ROOT

SCRIPTS = ROOT / "infrastructure" / "scripts"
OLD, NEW = f"bank@sha256:{1:064x}", f"bank@sha256:{2:064x}"
pytestmark = [pytest.mark.deep, pytest.mark.timeout(300)]


class Rollout:
    """A bank of one version under load, and the scripts that replace it by another."""

    def __init__(self, cloud: Cloud, environment: dict[str, str], folder: Path, dsn: str) -> None:
        self.cloud = cloud
        self.dsn = dsn
        self._environment = {**environment, "POLL_SECONDS": "0.1", "WATCH_SECONDS": "1"}
        self._folder = folder

    async def script(self, name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a script to its end."""
        process = await self.start(name, *arguments)
        out, err = await process.communicate()
        return subprocess.CompletedProcess(name, process.returncode or 0, out.decode(), err.decode())

    async def start(self, name: str, *arguments: str, **more: str) -> asyncio.subprocess.Process:
        """Start a script."""
        environment = {**self._environment, **more}
        # Whoever started the tests may ignore hang-ups, and a script cannot undo that.
        return await asyncio.create_subprocess_exec(
            "env",
            "--default-signal=HUP",
            SCRIPTS / name,
            *arguments,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    async def plan(self, revision: str) -> str:
        """Plan a revision of the new image, and return the plan's file."""
        file = str(self._folder / "plan")
        planned = await self.script("plan.sh", "staging", file, NEW, revision)
        assert planned.returncode == 0, planned.stderr
        assert "Digest: " in planned.stdout
        return file

    async def deploy(self, revision: str = "new") -> "subprocess.CompletedProcess[str]":
        """Deploy the new image."""
        return await self.script("deploy.sh", await self.plan(revision), NEW, revision)


@pytest.fixture
async def rollout(folder: Path, tmp_path: Path) -> AsyncIterator[Rollout]:
    """A bank of the version before the newest migration, which has all the traffic."""
    code, programs = tmp_path / "code", tmp_path / "programs"
    programs.mkdir()
    extract_code_before(code)
    async with EmbeddedPostgres(folder) as dsn, AsyncExitStack() as servers:

        async def start(image: str) -> Server:
            more = {"BANK_DRAIN_SECONDS": "0.5", "BANK_LOG_IN_RATE_LIMIT": "100000"}
            if image == OLD:
                return await servers.enter_async_context(OldServer(code, folder, "--no-demo", **more))
            return await servers.enter_async_context(Server(folder, "--no-demo", BANK_MIGRATE="false", **more))

        cloud = Cloud(folder, start)
        async with cloud.running(programs) as environment:
            await cloud.add("old", OLD)
            cloud.weights["bank--old"], cloud.labels["blue"] = 100, "bank--old"
            yield Rollout(cloud, environment, tmp_path, dsn)


async def test_a_version_replaces_another_under_load_and_goes_back_without_a_failed_request(rollout: Rollout) -> None:
    cloud = rollout.cloud
    ada = await Client(cloud.revisions["bank--old"].http).sign_up("ada@bank.test", "Ada Lovelace")
    account = (await ada.open())["id"]
    assert await query(rollout.dsn, SCHEMA) != NEWEST.name[:4]
    async with paying(cloud.url, ada.token or "", account) as paid:
        await until_there_are(20, paid)
        deployed = await rollout.deploy()
        assert deployed.returncode == 0, deployed.stdout + deployed.stderr
        assert await query(rollout.dsn, SCHEMA) == NEWEST.name[:4]
        assert cloud.commands == [
            "migrate", "add revision", "smoke", "weights new=10 old=90", "smoke", "weights new=50 old=50", "smoke",
            "weights new=100 old=0", "smoke",
        ]  # fmt: skip
        assert cloud.labels == {"blue": "bank--new", "previous": "bank--old"}
        assert cloud.answered["bank--new"] > 20
        before, answered = len(paid), cloud.answered["bank--old"]
        await until_there_are(before + 20, paid)
        assert cloud.answered["bank--old"] == answered, "the old revision still has traffic"

        still = await rollout.script("roll-back.sh")
        assert (still.returncode, cloud.weights["bank--new"]) == (0, 100), "no deployment is under way, so nothing changes"
        back = await rollout.script("roll-back.sh", "previous")
        assert back.returncode == 0, back.stderr
        assert (cloud.weights, cloud.labels) == (
            {"bank--new": 0, "bank--old": 100}, {"blue": "bank--old", "previous": "bank--new"},
        )  # fmt: skip
        await until_there_are(len(paid) + 20, paid)
        assert cloud.answered["bank--old"] > answered + 10

        again = await rollout.deploy("newer")
        assert again.returncode == 0, again.stdout + again.stderr
        assert set(cloud.revisions) == {"bank--old", "bank--newer"}, "what nobody goes back to is stopped"
        await until_there_are(len(paid) + 20, paid)
    assert set(paid) == {"MoneyMoved"}
    assert float(await Client(cloud.revisions["bank--newer"].http, ada.token).booked(account)) == len(paid)


async def test_a_revision_that_fails_its_smoke_test_gets_no_traffic(rollout: Rollout) -> None:
    cloud = rollout.cloud
    plan = await rollout.plan("bad")
    for step in (("migrate.sh", NEW), ("add-revision.sh", plan, "bad")):
        done = await rollout.script(*step)
        assert done.returncode == 0, done.stderr
    os.kill(cloud.revisions["bank--bad"].process.pid, signal.SIGKILL)
    smoked = await rollout.script("smoke.sh")
    assert (smoked.returncode, smoked.stderr.count("\n")) == (1, 1)
    assert "The job smoke ended as Failed" in smoked.stderr
    assert cloud.weights == {"bank--old": 100, "bank--bad": 0}
    back = await rollout.script("roll-back.sh")
    assert (back.returncode, cloud.weights) == (0, {"bank--old": 100, "bank--bad": 0})
    again = await rollout.script("roll-back.sh")
    assert (again.returncode, cloud.weights["bank--old"]) == (0, 100)
    further = await rollout.script("roll-back.sh", "previous")
    assert (further.returncode, cloud.weights["bank--old"]) == (1, 100)
    assert "No revision has the label previous" in further.stderr
    refused = await rollout.script("shift-traffic.sh", "10")
    assert "There are no two revisions" in refused.stderr


async def test_a_revision_that_breaks_in_traffic_loses_it(rollout: Rollout) -> None:
    cloud = rollout.cloud
    deploying = asyncio.create_task(rollout.deploy("rotten"))
    async with asyncio.timeout(90):
        while cloud.weights.get("bank--rotten") != 10:
            await asyncio.sleep(0.05)
    os.kill(cloud.revisions["bank--rotten"].process.pid, signal.SIGKILL)
    deployed = await deploying
    assert deployed.returncode == 1
    assert cloud.commands[-1] == "weights old=100 rotten=0"
    assert cloud.labels == {"blue": "bank--old"}


@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGTERM])
async def test_a_deployment_that_is_stopped_goes_back(rollout: Rollout, how: signal.Signals) -> None:
    cloud = rollout.cloud
    plan = await rollout.plan("half")
    deploying = await rollout.start("deploy.sh", plan, NEW, "half", WATCH_SECONDS="60")
    async with asyncio.timeout(90):
        while cloud.weights.get("bank--half") != 10:
            await asyncio.sleep(0.05)
    deploying.send_signal(how)
    await deploying.communicate()
    assert deploying.returncode == 128 + how
    assert cloud.weights == {"bank--old": 100, "bank--half": 0}


@pytest.mark.parametrize(
    ("script", "arguments", "weight"),
    [
        ("migrate.sh", [NEW], 0),
        ("add-revision.sh", ["PLAN", "REVISION"], 0),
        ("smoke.sh", [], 0),
        ("shift-traffic.sh", ["10"], 0),
        ("roll-back.sh", [], 50),
        ("finish.sh", [], 100),
    ],
)
async def test_a_script_ends_when_a_command_of_azure_fails(
    rollout: Rollout, script: str, arguments: list[str], weight: int
) -> None:
    cloud = rollout.cloud
    assert (await rollout.script("migrate.sh", NEW)).returncode == 0
    for each in ("new", "other"):
        await cloud.add(each, NEW)
    for number in range(1, 20):
        cloud.weights = dict.fromkeys(cloud.revisions, 0) | {"bank--old": 100 - weight, "bank--new": weight}
        cloud.labels = {"blue": "bank--old", "green": "bank--new"}
        given = {"PLAN": await rollout.plan(f"r{number}"), "REVISION": f"r{number}"}
        cloud.fails_after = number
        done = await rollout.script(script, *(given.get(each, each) for each in arguments))
        if cloud.fails_after > 0:
            assert done.returncode == 0, done.stderr
            return
        assert done.returncode != 0, f"{script} goes on after its command {number} has failed: {done.stdout}"
        assert "out of order" in done.stderr
        await cloud.end("bank--" + given["REVISION"])
    raise AssertionError(f"{script} does not come to an end")


async def test_who_uses_a_script_wrongly_learns_how(rollout: Rollout) -> None:
    for script in sorted(SCRIPTS.glob("*.sh")):
        if script.name not in {"azure.sh", "container.sh"}:
            wrong = await rollout.script(script.name, *["x"] * 7)
            assert (wrong.returncode, wrong.stdout) == (2, "")
            assert f"Usage: {script.name}" in wrong.stderr
    assert "named by its digest" in (await rollout.script("migrate.sh", "evil/bank:latest")).stderr
    assert "already" in (await rollout.script("add-revision.sh", "no-plan", "old")).stderr
    assert "from 0 to 100" in (await rollout.script("shift-traffic.sh", "010")).stderr
    assert "from 0 to 100" in (await rollout.script("shift-traffic.sh", "101")).stderr
