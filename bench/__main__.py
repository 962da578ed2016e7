"""Runs the measurements and writes their table: `python -m bench --help`."""

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from bench import measures, report, sides

HERE = Path(__file__).parent
QUICK = measures.Plan(rounds=3, seconds=2, large=None)


def main(
    quick: Annotated[bool, typer.Option(help="Fewer, shorter rounds, and no large bank.")] = False,
    only: Annotated[str, typer.Option(help=f"Measures by name, with commas: {', '.join(measures.ALL)}.")] = "",
    folder: Annotated[Path, typer.Option(help="The folder of the databases.")] = Path("/tmp/bank-bench"),  # noqa: S108
    results: Annotated[Path | None, typer.Option(help="The folder to write the table to.")] = None,
    rounds: Annotated[int | None, typer.Option(help="The number of rounds of each row.")] = None,
    seconds: Annotated[float | None, typer.Option(help="The seconds that each side of a round takes.")] = None,
) -> None:
    """Measure the bank in comparison with PostGraphile and pgbench."""
    plan = QUICK if quick else measures.Plan()
    plan = measures.Plan(rounds or plan.rounds, seconds or plan.seconds, plan.main, plan.small, plan.large)
    missing = [program for program in ("wrk", "npm") if shutil.which(program) is None]
    unknown = set(filter(None, only.split(","))) - set(measures.ALL)
    if missing or unknown:
        sys.exit(
            f"bench: {f'{missing[0]} is missing; bench/README.md says where it comes from' if missing else f'no measure {unknown.pop()}'}."
        )
    if (busy := os.getloadavg()[0]) > 0.5:
        print(f"The machine is busy (load average {busy:.1f}): figures will differ from run to run.", file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    rows = asyncio.run(_measure(folder, plan, only.split(",") if only else list(measures.ALL)))
    print(report.table(rows))
    if results is not None and not only:  # some measures must not overwrite the results of all
        report.write(results, rows, plan)


async def _measure(folder: Path, plan: measures.Plan, names: list[str]) -> list[measures.Row]:
    rows = []
    async with sides.postgres(folder / "data") as server:
        bench = measures.Bench(server, folder / "bank", plan)
        for name in names:
            print(f"measuring: {name}", file=sys.stderr)
            for row in await measures.ALL[name](bench):
                print(f"  {report.line(row)}", file=sys.stderr)
                rows.append(row)
    return rows


if __name__ == "__main__":
    typer.run(main)
