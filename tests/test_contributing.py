"""CONTRIBUTING.md is right: each of its recipes works on a copy of the tree, and the files and symbols that documents name exist."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.folders import reachable_folder
from tests.sync import ROOT

DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "bench/README.md")]
DOCUMENTS += sorted((ROOT / "docs").rglob("*.md"))
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
COPIED = (
    "bank_graphql",
    "migrations",
    "tests",
    "bench",
    "docs",
    "pyproject.toml",
    "schema.graphql",
    "Makefile",
    "README.md",
    "CONTRIBUTING.md",
)
LEFT_OUT = shutil.ignore_patterns("node_modules", "dist", "__pycache__", "results")
TOOLS = Path(sys.executable).parent


@dataclass(frozen=True)
class Recipe:
    """A recipe: its title, the changes of its diff blocks, and the commands of its bash block."""

    title: str
    changes: tuple[str, ...]
    commands: tuple[str, ...]


def recipes() -> Iterator[Recipe]:
    """Yield the recipes in their order."""
    for section in re.split(r"^### ", CONTRIBUTING.partition("\n## Recipes\n")[2], flags=re.MULTILINE)[1:]:
        title, _, text = section.partition("\n")
        blocks = re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        commands = [line for kind, block in blocks if kind == "bash" for line in block.splitlines()]
        yield Recipe(title, tuple(block for kind, block in blocks if kind == "diff"), tuple(commands))


RECIPES = list(recipes())


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of mypy for all copies: without one, it takes half a minute for each."""
    folder = tmp_path_factory.mktemp("mypy")
    if (ROOT / ".mypy_cache").exists():
        shutil.copytree(ROOT / ".mypy_cache", folder, dirs_exist_ok=True)
    return folder


@pytest.fixture
def copy() -> Iterator[Path]:
    """A copy of the tree."""
    with reachable_folder() as folder:
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=LEFT_OUT)
            else:
                shutil.copy(source, folder / name)
        yield folder


def apply(change: str, folder: Path) -> str:
    """Make a change: a diff without line numbers, whose context occurs once. Return the changed file's path.

    `---` names a file that is changed, `+++` one that is new. `@@` separates the changes of a file. NNNN is replaced by the number
    of the next migration, MMMM by that of the last.
    """
    first, *lines = change.splitlines()
    last = max(path.name[:4] for path in (folder / "migrations" / "versions").glob("[0-9]*.py"))
    path = first[4:].replace("NNNN", f"{int(last) + 1:04}")
    file = folder / path
    if first.startswith("+++ "):
        assert not file.exists(), f"{path} exists"
        file.parent.mkdir(parents=True, exist_ok=True)
        text = "\n".join(line.removeprefix("+") for line in lines) + "\n"
        file.write_text(text.replace("NNNN", f"{int(last) + 1:04}").replace("MMMM", last))
        return path
    assert first.startswith("--- "), first
    text = file.read_text()
    for place in "\n".join(lines).split("\n@@\n"):
        old, new = ("\n".join(line[1:] for line in place.splitlines() if line[:1] != other) + "\n" for other in "+-")
        assert text.count(old) == 1, f"{path} has {text.count(old)} times:\n{old}"
        text = text.replace(old, new)
    file.write_text(text)
    return path


def test_the_most_frequent_additions_have_a_recipe() -> None:
    titles = " ".join(recipe.title for recipe in RECIPES)
    for word in ("mutation", "column", "rejection", "job", "account kind"):
        assert word in titles, word


def follow(recipe: Recipe, copy: Path) -> list[str]:
    """Apply and lint the changes of a recipe. Return the changed modules."""
    changed = [apply(change, copy) for change in recipe.changes]
    modules = [path for path in changed if path.endswith(".py")]
    run(copy, "ruff", "check", *modules)
    run(copy, "ruff", "format", "--check", *modules)
    return modules


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.title)
def test_the_changes_of_a_recipe_fit_the_tree(recipe: Recipe, copy: Path) -> None:
    assert follow(recipe, copy)


@pytest.mark.deep
@pytest.mark.timeout(400)
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.title)
def test_a_recipe_passes_the_checks(recipe: Recipe, copy: Path, types: Path) -> None:
    modules = follow(recipe, copy)
    run(copy, "mypy", "--cache-dir", str(types), *(path for path in modules if path.startswith("bank_graphql/")))
    for command in recipe.commands:
        program, *arguments = shlex.split(command)
        assert program.startswith(".venv/bin/"), command
        run(copy, program.removeprefix(".venv/bin/"), *arguments)


def run(folder: Path, program: str, *arguments: str) -> None:
    """Run a program of the environment on a copy of the tree, which must succeed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("BANK_", "PYTEST_", "DATABASE_URL"))}
    ended = subprocess.run(
        [str(TOOLS / program), *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{program} {' '.join(arguments)}\n{ended.stdout[-8000:]}{ended.stderr[-4000:]}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    text = re.sub(r"^```diff\n.*?^```", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    named = re.findall(r"`((?:[\w.-]+/)+(?:[\w-]+\.(?:py|md|sql|ts|toml|yml|json|graphql|svg|txt))?)`", text)
    named += [path for path in re.findall(r"\]\(([^)#:]+)\)", text) if not path.startswith("http")]
    for path in named:
        if not path.startswith((".bank/", ".venv/", "results/")):
            bases = (ROOT, ROOT / "bank_graphql", document.parent)
            assert any((base / path).exists() for base in bases), path


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_symbol_is_in_the_file_that_a_document_names_for_it(document: Path) -> None:
    for symbol, path in re.findall(r"`([A-Za-z_]\w*)(?:\(\))?` in\s+`([\w/]+\.py)`", document.read_text(encoding="utf-8")):
        file = next(base / path for base in (ROOT, ROOT / "bank_graphql") if (base / path).exists())
        assert re.search(rf"^\s*(?:class|(?:async )?def) {symbol}\b|^\s*{symbol}\b[^=\n]*=", file.read_text(), re.MULTILINE), (
            f"{symbol} in {path}"
        )


def test_the_hooks_run_the_commands_of_make() -> None:
    makefile = (ROOT / "Makefile").read_text()
    made = [
        command
        for target in ("lint", "types")
        for command in re.findall(r"\t\$\(BIN\)/(.+)", makefile.partition(f"\n{target}: ")[2].partition("\n\n")[0])
    ]
    hooks = re.findall(r"entry: \.venv/bin/(.+)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert hooks == made


def test_editors_and_ruff_have_the_same_line_length() -> None:
    limit = re.search(r"^line-length = (\d+)", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert limit is not None
    assert f"max_line_length = {limit[1]}" in (ROOT / ".editorconfig").read_text()


def test_the_changelog_has_the_current_version() -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in changelog
    assert f"## [{version[1]}]" in changelog
