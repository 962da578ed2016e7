"""What docker-compose.yml relies on, run without containers."""

import os
import subprocess
from pathlib import Path

import asyncpg
import pytest

from bank_graphql.kit.embedded import EmbeddedPostgres, binaries
from tests.client import Client
from tests.e2e.processes import Server, command
from tests.sync import ROOT


@pytest.mark.deep
async def test_a_login_for_migrations_and_one_for_the_server_suffice(folder: Path) -> None:
    async with EmbeddedPostgres(folder / "database") as superuser:
        at_postgres = superuser.replace("/bank?", "/postgres?")
        connection = await asyncpg.connect(at_postgres)
        await connection.execute("DROP DATABASE bank")  # the container's PostgreSQL is empty
        await connection.close()
        socket = superuser.partition("host=")[2]
        made = {"POSTGRES_USER": "bank", "OWNER_PASSWORD": "an owner's", "APP_PASSWORD": "the application's", "PGHOST": socket}
        path = f"{binaries()}:{os.environ['PATH']}"
        script = ROOT / "infrastructure" / "postgres" / "10-logins.sh"
        subprocess.run(["sh", str(script)], check=True, env={**os.environ, **made, "PATH": path})
        owner, app = (superuser.replace("//bank@", f"//{login}@") for login in ("bank_owner", "bank_app"))
        migrated = command("migrate", folder=folder, DATABASE_URL=app, BANK_OWNER_DATABASE_URL=owner)
        assert migrated.returncode == 0, migrated.stderr
        async with Server(folder, "--no-migrate", DATABASE_URL=app, BANK_SANDBOX="true") as server:
            ada = await Client(server.http).sign_up("ada@example.com", "Ada Lovelace")
            account = await ada.open(deposit="10.00")
            assert (await ada.deposit(account["id"], "1.00"))["__typename"] == "MoneyMoved"
            assert "bank_database_oldest_transaction_seconds" in (await server.http.get("/metrics")).text
        rewriting = await asyncpg.connect(app)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await rewriting.execute("UPDATE entries SET amount = 1")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await rewriting.execute("CREATE TABLE x ()")
        await rewriting.close()
