"""`python -m tests.faults [--seconds S] [--seed N] [--variant V]` injects faults into a bank and prints the violations."""

import argparse
import asyncio
import random
import sys

from tests.faults.harness import run
from tests.faults.variants import VARIANTS
from tests.folders import reachable_folder


def main() -> int:
    """Run a workload with faults and print its report. Return the exit code: 1 if there are violations."""
    parser = argparse.ArgumentParser(prog="faults")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--variant", choices=sorted(VARIANTS))
    given = parser.parse_args()
    print(f"seed {given.seed}, {given.seconds:.0f} s, {given.variant or 'the bank as it is'}", flush=True)
    with reachable_folder() as folder:
        report = asyncio.run(run(folder, seconds=given.seconds, seed=given.seed, variant=given.variant))
    for name, count in sorted(report.counts.items()):
        print(f"{count:8} {name}")
    print(f"{report.slowest_recovery:8.2f} s at most until all servers were ready after PostgreSQL was killed")
    print(f"{len(report.violations):8} violations, in {report.seconds:.0f} s")
    for violation in report.violations[:10]:
        print(f"         {violation}")
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
