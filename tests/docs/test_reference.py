"""The reference is that of the schema and of the commands, and what documents say to run exists."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bank_graphql.api.schema import build_schema
from bank_graphql.cli import app
from tests.docs import reference
from tests.docs.pages import DOCS
from tests.sync import ROOT

COMMANDS = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
REPETITION = (DOCS / "reference" / "repetition.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]


def test_the_committed_reference_is_up_to_date() -> None:
    for page, text in reference.written().items():
        assert page.read_text(encoding="utf-8") == text, f"{page.name}: run 'make schema'"
    assert set(reference.FOLDER.iterdir()) <= set(reference.written())


def usage(*command: str) -> str:
    """What a command says of itself."""
    return CliRunner().invoke(app, [*command, "--help"]).stdout


def test_every_command_is_described_and_exists() -> None:
    described = set(re.findall(r"^\| `bank-graphql ([a-z0-9-]+)` \|", COMMANDS, re.MULTILINE))
    listed = usage().partition("Commands:")[2]
    assert described == set(re.findall(r"^  ([a-z0-9-]+)", listed, re.MULTILINE))
    for name in described:
        row = next(line for line in COMMANDS.splitlines() if line.startswith(f"| `bank-graphql {name}` |"))
        text = usage(name)
        for option in re.findall(r"--[a-z-]+", row):
            assert option in text, f"{name} {option}"


def test_every_mutation_says_what_a_repetition_does() -> None:
    described = [name for row in re.findall(r"^\| (`.+?) \|", REPETITION, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    schema = build_schema()._schema
    assert schema.mutation_type is not None
    assert sorted(described) == sorted(schema.mutation_type.fields)


def options_of(name: str) -> set[str]:
    """The options of a command; it must exist."""
    said = CliRunner().invoke(app, [name, "--help"])
    assert said.exit_code == 0, name
    return set(re.findall(r"--[a-z-]+", said.stdout))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_says_to_run_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8").replace("\\\n", " ")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:`|^ *|&& )(?:[A-Z_]+=\S+ )*make\s+(?:[A-Z_]+=\S+ )*([a-z-]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for name, rest in re.findall(r"(?:`|^ *|/|\S )bank-graphql ([a-z0-9][a-z0-9-]*)([^`\n]*)", text, re.MULTILINE):
        given = re.findall(r"--[a-z][a-z-]+", rest.partition(" -- ")[0])
        assert set(given) <= options_of(name), f"{name} {rest}"
