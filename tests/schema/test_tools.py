"""What others do with the schema and the server: lint, audit, compare with the last release, generate clients and run them."""

import json
import shutil
import subprocess
import sys
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
UV = Path(sys.executable).parent / "uv"
needs_npm = pytest.mark.skipif(
    not (HERE / "node_modules").exists(), reason="npm is not installed, or 'make tools' was not run; .ci/run does"
)
Run = Callable[..., str]


@pytest.fixture
def workshop(tmp_path: Path) -> Path:
    """A folder with the schema, and what is done with it."""
    shutil.copytree(HERE, tmp_path, ignore=shutil.ignore_patterns("node_modules", "*.py", "__pycache__"), dirs_exist_ok=True)
    shutil.copy(HERE / "use_ariadne.py", tmp_path)
    shutil.copy(ROOT / "schema.graphql", tmp_path)
    if (HERE / "node_modules").exists():
        (tmp_path / "node_modules").symlink_to(HERE / "node_modules")
    return tmp_path


@pytest.fixture
def run(workshop: Path) -> Run:
    """Runs a program in it, and gives what it prints."""

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
async def bank_at_work(folder: Path) -> AsyncIterator[Server]:
    async with Server(folder) as running:
        yield running


@needs_npm
def test_the_schema_keeps_to_graphql_eslints_rules(run: Run) -> None:
    run("eslint", "--max-warnings", "0", "schema.graphql")


@needs_npm
async def test_every_audit_of_graphql_over_http_passes(bank_at_work: Server, run: Run) -> None:
    told = run("node", "audit.mjs", f"{bank_at_work.url}/graphql")
    count = told.split()[0]
    assert told.strip() == f"{count} of {count} audits are ok."
    assert int(count) > 50


@needs_npm
async def test_the_code_generators_client_compiles_and_runs(bank_at_work: Server, run: Run, workshop: Path) -> None:
    run("graphql-codegen", "--config", "codegen.ts")
    run("relay-compiler")
    run("tsc", "-p", ".")
    ada = await bank_at_work.ada()
    assert json.loads(run("tsx", "src/typed.ts", f"{bank_at_work.url}/graphql", str(ada.token))) == ["12.30", "12.30", False]
    told = json.loads(run("tsx", "src/relay.ts", f"{bank_at_work.url}/graphql", str(ada.token)))
    assert told == ["string", ["Everyday", "Rainy days", "Travel", "Checking EUR"]]
    assert (workshop / "src" / "__generated__" / "holdingsPaginationQuery.graphql.ts").exists()


async def test_ariadnes_client_is_generated_and_runs(bank_at_work: Server, run: Run, workshop: Path) -> None:
    # It needs an older graphql-core than ours, so it gets an environment of its own.
    python = workshop / "venv" / "bin" / "python"
    run(UV, "venv", "-q", "--python", sys.executable, "venv")
    run(UV, "pip", "install", "-q", "--python", python, "--require-hashes", "-r", "constraints-ariadne.txt")
    run(python.parent / "ariadne-codegen", "--config", "ariadne.toml")
    ada = await bank_at_work.ada()
    told = json.loads(run(python, "use_ariadne.py", f"{bank_at_work.url}/graphql", str(ada.token)))
    assert told == ["ada@example.com", True, "NotFoundRejection"]


def breaking(old: str, new: str) -> list[str]:
    return [change.description for change in find_breaking_changes(build_schema(old), build_schema(new))]


def test_nothing_breaks_since_the_last_release_but_what_the_decisions_name() -> None:
    decisions = (ROOT / "docs" / "decisions.md").read_text()
    changes = breaking((HERE / "released.graphql").read_text(), (ROOT / "schema.graphql").read_text())
    assert [change for change in changes if change not in decisions] == []


def test_a_breaking_change_would_be_seen() -> None:
    present = (ROOT / "schema.graphql").read_text()
    assert breaking(present, present.replace("  reference: String!", "  ref: String!")) == [
        "Field Transaction.reference was removed."
    ]
    assert breaking(present, present.replace("  number: String!\n", "  number: String\n"))


async def test_the_schema_is_published_as_text_and_as_introspection(http: httpx.AsyncClient, folder: Path) -> None:
    text = await http.get("/schema.graphql")
    assert (text.text, text.headers["content-type"]) == (export(build_ours()), "text/plain; charset=utf-8")
    told: Any = (await http.get("/schema.json")).json()
    rebuilt = build_client_schema(told["data"])
    assert breaking(print_schema(rebuilt), text.text) == []
    assert rebuilt.get_directive("oneOf") is not None
    assert DirectiveLocation.INPUT_OBJECT in rebuilt.get_directive("oneOf").locations  # type: ignore[union-attr]
    assert command("export-schema", str(folder / "schema.json"), folder=folder).returncode == 0
    assert json.loads((folder / "schema.json").read_text()) == told
    assert (await http.get("/version")).json() == {"version": "0.1.0"}
