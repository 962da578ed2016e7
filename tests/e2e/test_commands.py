"""The commands other than `serve`."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from bank_graphql.kit.files import replace_text
from tests.e2e.processes import Server, command, command_from_scratch, environment
from tests.sync import ROOT


@pytest.mark.timeout(300)
@pytest.mark.parametrize("command", [command, pytest.param(command_from_scratch, marks=pytest.mark.deep)])
def test_a_bank_is_created_filled_and_verified_by_commands(
    folder: Path, command: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
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
    assert command("expire-holds", folder=folder).stdout == "Expired holds: 0.\n"
    rotated = command("rotate-card-keys", folder=folder).stdout
    assert rotated == "Cards that use another key now: 1.\n"
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


def run_commands(*commands: list[str]) -> str:
    """Return a program that runs commands in one interpreter, for each takes seconds to start."""
    return f"from bank_graphql.cli import app\nfor each in {commands!r}: app(each, standalone_mode=False)"


@pytest.mark.deep
def test_the_schema_is_exported_in_utf_8_whatever_the_locale(folder: Path) -> None:
    latin = {"LC_ALL": "en_US.ISO-8859-1", "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    target = folder / "exported.graphql"
    ended = subprocess.run(
        [sys.executable, "-c", run_commands(["export-schema", str(target)], ["export-schema", "/dev/stdout"])],
        env=environment(folder, **latin), capture_output=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout == target.read_bytes() == (ROOT / "schema.graphql").read_bytes()


def test_the_introspection_has_all_that_generators_need(folder: Path) -> None:
    target = folder / "exported.json"
    assert command("export-schema", str(target), folder=folder).returncode == 0
    schema = json.loads(target.read_text(encoding="utf-8"))["data"]["__schema"]
    types = {each["name"]: each for each in schema["types"]}
    assert types["TransferDestination"]["isOneOf"] is True
    assert types["TransferInput"]["isOneOf"] is False
    assert types["DateTime"]["specifiedByURL"] == "https://www.rfc-editor.org/rfc/rfc3339"
    assert all("isRepeatable" in each for each in schema["directives"])


def test_a_failed_export_leaves_the_old_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = folder / "exported.graphql"
    replace_text(target, "old")
    with pytest.raises(UnicodeEncodeError):
        replace_text(target, "new" * 100_000 + "\ud800")
    assert target.read_text(encoding="utf-8") == "old"
    assert [each.name for each in folder.iterdir()] == [target.name]


def test_the_version(folder: Path) -> None:
    ended = command_from_scratch("--version", folder=folder)
    assert (ended.returncode, ended.stdout) == (0, f"bank-graphql {version('bank-graphql')}\n")


def test_the_demo_is_for_sandboxes(folder: Path) -> None:
    ended = command("demo", folder=folder, BANK_SANDBOX="false")
    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)


def test_signing_keys_that_are_given_are_not_rotated(folder: Path) -> None:
    ended = command("rotate-signing-keys", folder=folder, BANK_SIGNING_KEYS="{}")
    assert ended.returncode == 1
    assert "BANK_SIGNING_KEYS is set" in ended.stderr


def test_a_command_on_a_bank_makes_none(folder: Path) -> None:
    ended = command("verify", folder=folder)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)
    assert "There is no bank" in ended.stderr
    assert not list(folder.iterdir())


@pytest.mark.deep
async def test_sessions_continue_after_a_rotation_of_signing_keys(folder: Path) -> None:
    port = {"BANK_PUBLIC_URL": "http://bank.example"}
    async with Server(folder, **port) as server:
        ada = await server.ada()
        await server.end()
    assert command("rotate-signing-keys", folder=folder).returncode == 0
    assert len(json.loads((folder / "keys" / "signing-keys.json").read_text())["keys"]) == 2
    async with Server(folder, **port) as server:
        ada.http = server.http
        assert (await ada.run("{ me { email } }"))["me"]["email"] == "ada@example.com"


@pytest.mark.deep
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
    ended = subprocess.run(
        [sys.executable, "-c", run_commands(["migrate"], ["demo"])],
        cwd=elsewhere, env=environment(folder / "data", PYTHONPATH=str(installed)), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr


def test_keys_for_production_are_made_once(tmp_path: Path, folder: Path) -> None:
    made = command("make-keys", str(tmp_path / "secrets"), folder=folder)
    assert made.returncode == 0, made.stderr
    settings = dict(line.split("=", 1) for line in made.stdout.splitlines())
    assert set(settings) == {"BANK_SIGNING_KEYS", "BANK_CARD_KEYS"}
    for path in settings.values():
        assert Path(path).stat().st_mode & 0o077 == 0
    refused = command("serve", "--port", "0", folder=folder, BANK_ENV="production", BANK_DEMO="true", **settings)
    assert "DATABASE_URL" in refused.stderr
    again = command("make-keys", str(tmp_path / "secrets"), folder=folder)
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
