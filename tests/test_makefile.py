"""The help of the Makefile."""

import re
import subprocess

from tests.sync import ROOT


def test_the_help_lists_each_documented_command_in_columns() -> None:
    documented = re.findall(r"^([a-z-]+):.*## (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    assert [line.split(maxsplit=2)[1:] for line in shown] == [list(command) for command in documented]
    assert len({line.index(description) for line, (_, description) in zip(shown, documented, strict=True)}) == 1
