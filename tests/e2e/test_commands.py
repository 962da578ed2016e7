"""The command line, beside `serve`."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.e2e.processes import Server, command, environment
from tests.sync import ROOT


def test_a_life_on_the_command_line(folder: Path) -> None:
    assert command("migrate", folder=folder).stdout == "The schema is up to date.\n"
    demo = command("demo", folder=folder)
    assert "ada@example.com" in demo.stdout
    again = command("demo", folder=folder)
    assert (again.returncode, len(again.stderr.splitlines())) == (1, 1)
    user = ["create-user", "--role", "ADMIN", "--email", "root@bank.test", "--full-name", "Root"]
    weak = command(*user, folder=folder, stdin="password\n")
    assert (weak.returncode, len(weak.stderr.splitlines())) == (1, 1)
    assert command(*user, folder=folder, stdin="a fine long passphrase\n").stdout == "root@bank.test can sign in as ADMIN.\n"
    taken = command(*user, folder=folder, stdin="a fine long passphrase\n")
    assert "already" in taken.stderr
    verified = command("verify", folder=folder)
    assert verified.returncode == 0
    assert "ok    zero sums: " in verified.stdout
    counted = command("psql", "--", "-Atc", "SELECT count(*) FROM users", folder=folder)
    assert counted.stdout == "4\n"
    falsified = "SET session_replication_role = replica; UPDATE entries SET amount = amount + 1 WHERE id = 1"
    assert command("psql", "--", "-qc", falsified, folder=folder).returncode == 0
    wrong = command("verify", folder=folder)
    assert wrong.returncode == 1
    assert "WRONG zero sums" in wrong.stdout


def test_the_schema_is_exported(folder: Path) -> None:
    assert command("export-schema", folder=folder).stdout == (ROOT / "schema.graphql").read_text()
    target = folder / "exported.graphql"
    assert command("export-schema", str(target), folder=folder).returncode == 0
    assert target.read_text() == (ROOT / "schema.graphql").read_text()
    assert command("export-schema", "/no/such/folder/x", folder=folder).returncode == 1


def test_the_demo_is_for_sandboxes(folder: Path) -> None:
    ended = command("demo", folder=folder, BANK_SANDBOX="false")
    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)


async def test_signing_keys_rotate_without_logging_anyone_out(folder: Path) -> None:
    port = {"BANK_PUBLIC_URL": "http://bank.example"}
    async with Server(folder, **port) as server:
        ada = await server.ada()
        await server.end()
    assert command("rotate-signing-keys", folder=folder).returncode == 0
    assert len(json.loads((folder / "keys" / "signing-keys.json").read_text())["keys"]) == 2
    async with Server(folder, **port) as server:
        ada.http = server.http
        assert (await ada.run("{ me { email } }"))["me"]["email"] == "ada@example.com"


@pytest.mark.skipif(sys.version_info[:2] != (3, 11) and "CI" not in os.environ, reason="once is enough")
def test_an_installed_wheel_works_outside_the_checkout(folder: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, check=True, capture_output=True
    )
    wheel = next(folder.glob("bank_graphql-*"))
    installed = folder / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", "import bank_graphql, bank_graphql.cli as c; print(bank_graphql.__file__); c.main()", "demo"],
        cwd=elsewhere, env=environment(folder / "data", PYTHONPATH=str(installed)), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert str(installed) in ended.stdout
    assert "migrate" in ended.stderr
    for step in ("migrate", "demo"):
        ended = subprocess.run(
            [sys.executable, "-m", "bank_graphql", step],
            cwd=elsewhere, env=environment(folder / "data", PYTHONPATH=str(installed)), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
