"""The newest migration runs while the version before it serves, and both versions then serve together."""

import asyncio
from pathlib import Path

import pytest

from bank_graphql.kit.embedded import EmbeddedPostgres
from tests.client import Client
from tests.e2e.processes import Server, command
from tests.e2e.test_rolling import Balancer, follow, paying, until_there_are
from tests.e2e.versions import NEWEST, SCHEMA, OldServer, extract_code_before
from tests.kit.postgres import query


@pytest.mark.deep
async def test_the_newest_migration_runs_while_the_version_before_serves(folder: Path, tmp_path: Path) -> None:
    extract_code_before(tmp_path)
    balancer = Balancer()
    seen: list[str] = []
    async with EmbeddedPostgres(folder) as dsn, OldServer(tmp_path, folder, "--no-demo") as old:
        balancer.ready = [old]
        ada = await Client(old.http).sign_up("ada@bank.test", "Ada Lovelace")
        token, account = ada.token or "", (await ada.open())["id"]
        cursor = (await ada.run("{ feedCursor }"))["feedCursor"]
        following = asyncio.create_task(follow(balancer, token, cursor, seen))
        async with paying(old.url, token, account) as paid:
            await until_there_are(20, paid)
            assert await query(dsn, SCHEMA) != NEWEST.name[:4]
            migrated = command("migrate", folder=folder)
            assert migrated.returncode == 0, migrated.stderr
            assert await query(dsn, SCHEMA) == NEWEST.name[:4]
            await until_there_are(len(paid) + 20, paid)
            async with Server(folder, "--no-demo") as new, paying(new.url, token, account) as paid_to_new:
                balancer.ready = [new]
                await until_there_are(len(paid) + 20, paid)
                await until_there_are(20, paid_to_new)
        async with Server(folder, "--no-demo") as new:
            balancer.ready = [new]
            assert await old.end() == 0
            await until_there_are(len(paid) + len(paid_to_new), seen)
            following.cancel()
    assert set(paid) == set(paid_to_new) == {"MoneyMoved"}
    assert len(seen) == len(set(seen)) == len(paid) + len(paid_to_new)
    assert command("verify", folder=folder).returncode == 0
