"""Tools of others on the schema and the server: linters, audits, comparison with the last release, and generated clients."""

import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import DirectiveLocation, build_client_schema, build_schema, find_breaking_changes, print_schema

from bank_graphql.api.schema import build_schema as build_ours
from bank_graphql.api.schema import export
from tests.e2e.processes import Server, command
from tests.sync import ROOT

HERE = Path(__file__).parent
needs_npm = pytest.mark.skipif(
    not (HERE / "node_modules").exists(), reason="npm is not installed, or 'make tools' was not run; .ci/run does"
)
Run = Callable[..., str]


@pytest.fixture
def workshop(tmp_path: Path) -> Path:
    """A folder with the schema and the tools' configuration."""
    shutil.copytree(HERE, tmp_path, ignore=shutil.ignore_patterns("node_modules", "*.py", "__pycache__"), dirs_exist_ok=True)
    shutil.copy(ROOT / "schema.graphql", tmp_path)
    if (HERE / "node_modules").exists():
        (tmp_path / "node_modules").symlink_to(HERE / "node_modules")
    return tmp_path


@pytest.fixture
def run(workshop: Path) -> Run:
    """Return a function that runs a program in the workshop and returns its output."""

    def program(*arguments: str | Path) -> str:
        found = workshop / "node_modules" / ".bin" / str(arguments[0])
        first = str(found) if found.exists() else str(arguments[0])
        ended = subprocess.run(
            [first, *map(str, arguments[1:])], cwd=workshop, capture_output=True, text=True, timeout=110, check=False
        )
        assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    return program


@pytest.fixture
async def bank_server(folder: Path) -> AsyncIterator[Server]:
    async with Server(folder) as running:
        yield running


@needs_npm
def test_the_schema_follows_the_rules_of_graphql_eslint(run: Run) -> None:
    run("eslint", "--max-warnings", "0", "schema.graphql")


@needs_npm
async def test_the_server_passes_every_audit_of_graphql_over_http(bank_server: Server, run: Run) -> None:
    output = run("node", "audit.mjs", f"{bank_server.url}/graphql")
    count = output.split()[0]
    assert output.strip() == f"{count} of {count} audits are ok."
    assert int(count) > 50


@needs_npm
@pytest.mark.deep
async def test_clients_of_code_generator_and_relay_compile_and_run(bank_server: Server, run: Run, workshop: Path) -> None:
    run("graphql-codegen", "--config", "codegen.ts")
    run("relay-compiler")
    run("tsc", "-p", ".")
    ada = await bank_server.ada()
    assert json.loads(run("tsx", "src/typed.ts", f"{bank_server.url}/graphql", str(ada.token))) == ["12.30", "12.30", False]
    output = json.loads(run("tsx", "src/relay.ts", f"{bank_server.url}/graphql", str(ada.token)))
    assert output == ["string", ["Everyday", "Rainy days", "Travel", "Checking EUR"]]
    assert (workshop / "src" / "__generated__" / "holdingsPaginationQuery.graphql.ts").exists()


def breaking_changes(old: str, new: str) -> list[str]:
    """Return the descriptions of what breaks between two schemas."""
    return [change.description for change in find_breaking_changes(build_schema(old), build_schema(new))]


def test_every_breaking_change_since_the_last_release_is_in_the_decisions() -> None:
    decisions = (ROOT / "docs" / "decisions.md").read_text()
    changes = breaking_changes((HERE / "released.graphql").read_text(), (ROOT / "schema.graphql").read_text())
    assert [change for change in changes if change not in decisions] == []


def test_a_breaking_change_is_detected() -> None:
    present = (ROOT / "schema.graphql").read_text()
    assert breaking_changes(present, present.replace("  postedAt: DateTime", "  posted: DateTime")) == [
        "Field Transaction.postedAt was removed."
    ]
    assert breaking_changes(present, present.replace("  number: String!\n", "  number: String\n"))


async def test_the_schema_is_published_as_text_and_as_introspection(http: httpx.AsyncClient, folder: Path) -> None:
    text = await http.get("/schema.graphql")
    assert (text.text, text.headers["content-type"]) == (export(build_ours()), "text/plain; charset=utf-8")
    introspection: Any = (await http.get("/schema.json")).json()
    rebuilt = build_client_schema(introspection["data"])
    assert breaking_changes(print_schema(rebuilt), text.text) == []
    assert rebuilt.get_directive("oneOf") is not None
    assert DirectiveLocation.INPUT_OBJECT in rebuilt.get_directive("oneOf").locations  # type: ignore[union-attr]
    assert command("export-schema", str(folder / "schema.json"), folder=folder).returncode == 0
    assert json.loads((folder / "schema.json").read_text()) == introspection
    assert (await http.get("/version")).json() == {"version": "0.1.0"}
