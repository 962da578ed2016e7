"""No test waits for a fixed time: it is too long on a fast machine, and too short on a busy one. Tests poll for what they wait for."""

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
MAX_SECONDS = 0.05
"""The maximum of the pause between two polls."""


def long_sleeps(source: str) -> Iterator[int]:
    """Find the lines that call `sleep` with a fixed time above the maximum."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).rpartition(".")[2] == "sleep":
            seconds = node.args[0]
            if isinstance(seconds, ast.Constant) and isinstance(seconds.value, int | float) and seconds.value > MAX_SECONDS:
                yield node.lineno


def test_no_test_waits_for_a_fixed_time() -> None:
    paths = [*TESTS.glob("*.py"), *TESTS.glob("*/*.py")]
    assert len(paths) > 80
    assert [f"{path}:{line}" for path in paths for line in long_sleeps(path.read_text(encoding="utf-8"))] == []


def test_a_long_sleep_is_found() -> None:
    assert list(long_sleeps("await asyncio.sleep(0.05)\ntime.sleep(1)\nsleep(0.1)\nsleep(pause)")) == [2, 3]
