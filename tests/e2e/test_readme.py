"""The README does what it says: its tour is walked word for word, and its commands and files exist."""

import re
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from bank_graphql.api.schema import build_schema
from bank_graphql.cli import app
from tests.e2e.processes import Server, environment
from tests.sync import ROOT

README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"```(?P<kind>[a-z]+)(?P<tour> tour)?\n(?P<text>.*?)```", re.DOTALL)


async def test_the_tour(folder: Path) -> None:
    async with Server(folder) as server:
        steps = list(BLOCK.finditer(README))
        script, expected = "set -e\n", []
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            if not step["tour"]:
                continue
            script += step["text"].replace(".venv/bin/bank-graphql", f"{sys.executable} -m bank_graphql") + "echo; echo =====\n"
            is_shown = following is not None and not following["tour"] and following["kind"] in {"json", "text"}
            expected.append(following["text"] if is_shown and following else "")
        walked = subprocess.run(
            ["bash", "-c", script],
            env=environment(folder, BANK_PORT=server.url.rpartition(":")[2]),
            capture_output=True,
            text=True,
            check=True,
            timeout=100,
        )
    answers = walked.stdout.split("=====\n")
    assert len(expected) >= 8
    for answer, text in zip(answers, expected, strict=False):
        pattern = re.escape(text.strip()).replace("…", ".+")
        assert re.fullmatch(pattern, answer.strip(), re.DOTALL), f"{answer}\n\nis not\n\n{text}"


def usage(*command: str) -> str:
    """What a command says of itself."""
    return CliRunner().invoke(app, [*command, "--help"]).stdout


def test_every_command_is_described_and_exists() -> None:
    described = set(re.findall(r"^\| `bank-graphql ([a-z0-9-]+)` \|", README, re.MULTILINE))
    listed = usage().partition("Commands:")[2]
    assert described == set(re.findall(r"^  ([a-z0-9-]+)", listed, re.MULTILINE))
    for name in described:
        row = next(line for line in README.splitlines() if line.startswith(f"| `bank-graphql {name}` |"))
        text = usage(name)
        for option in re.findall(r"--[a-z-]+", row):
            assert option in text, f"{name} {option}"


def test_every_mutation_says_what_a_repetition_does() -> None:
    table = README.partition("### Repeating a request")[2].partition("###")[0]
    described = [name for row in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    schema = build_schema()._schema
    assert schema.mutation_type is not None
    assert sorted(described) == sorted(schema.mutation_type.fields)


def test_every_make_target_and_file_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?:`|^)(?:[A-Z_]+=\S+ )?make ([a-z-]+)", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"`((?:kit|payments|docs)/[a-z_/]+\.(?:py|md))`", README):
        assert (ROOT / "bank_graphql" / path).exists() or (ROOT / path).exists(), path
