"""The tutorials do what they say: each is walked block by block, beside a bank that runs, and what it shows is compared."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS
from tests.e2e.processes import Server, environment

BLOCK = re.compile(r"^```(?P<kind>[a-z]+)(?: title=\"(?P<file>[\w.]+)\")?\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
END = "=====\n"


def blocks(page: Path) -> list[re.Match[str]]:
    """Return the blocks of a page, but for those that start the bank."""
    return [block for block in BLOCK.finditer(page.read_text(encoding="utf-8")) if not block["text"].startswith("make ")]


def script(page: Path) -> tuple[str, list[str]]:
    """Return a page as a shell's script, and what the page shows for each of its commands; nothing if it shows nothing."""
    commands, shown = "set -e\n", []
    steps = blocks(page)
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        if step["file"]:
            commands += f"cat > {step['file']} <<'END OF FILE'\n{step['text']}END OF FILE\n"
        elif step["kind"] == "bash":
            commands += f"{step['text']}echo; echo {END}"
            shown.append(
                following["text"] if following and not following["file"] and following["kind"] in {"json", "text"} else ""
            )
    return commands, shown


async def walk(page: Path, server: Server, bank: Path, folder: Path) -> None:
    """Follow a page in a folder, and compare."""
    commands, shown = script(page)
    commands = commands.replace(".venv/bin/bank-graphql", f"{sys.executable} -m bank_graphql").replace(
        "http://127.0.0.1:8000", server.url
    )
    port = server.url.rpartition(":")[2]
    walked = subprocess.run(
        ["bash", "-c", commands],
        cwd=folder,
        env={**environment(bank, BANK_PORT=port), "PATH": os.environ["PATH"], "PYTHONWARNINGS": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert walked.returncode == 0, f"{walked.stdout}\n{walked.stderr}"
    answers = walked.stdout.split(END)[:-1]
    for answer, text in zip(answers, shown, strict=True):
        pattern = re.escape(text.strip()).replace("…", ".+")
        assert re.fullmatch(pattern, answer.strip(), re.DOTALL), f"{answer}\n\nis not\n\n{text}"


async def test_the_quick_start(folder: Path, tmp_path: Path) -> None:
    async with Server(folder) as server:
        await walk(DOCS / "tutorial" / "quick-start.md", server, folder, tmp_path)


@pytest.mark.deep  # for the environment that is made
@pytest.mark.timeout(240)
@pytest.mark.parametrize("page", ["tutorial/first-client.md", "how-to/clients.md"])
async def test_a_client_of_ones_own(folder: Path, tmp_path: Path, page: str) -> None:
    async with Server(folder) as server:
        await walk(DOCS / page, server, folder, tmp_path)
