"""Simulates transfers through one primary, by what a transfer was measured to take: `python -m bench.scaling.simulation`.

Clients wait for their answer and send the next transfer. A server process works on one thing at a time, gathers commands as
`kit/batch.py` does, and runs three batches at most. A batch takes the locks of its accounts in one order, then a core of the
database, then a flush of the log, which all that wait for it share, and gives the locks back.
"""

import heapq
import json
import random
import statistics
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

import typer

from bench.scaling.figures import FILE

RUNNING = 3
ROUND_TRIPS = 4
PYTHON_ROUND_TRIP, POSTGRES_ROUND_TRIP = 37e-6, 25e-6
"""Seconds that each side spends on a round trip: docs/performance.md."""
ACCOUNTS = 100_000
HOT = -1
Then = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is simulated.

    Attributes:
        processes: of the server, each with a core of its own.
        cores: of the database.
        flush: seconds that a flush of the log takes, with the standby that it waits for.
        hot: the part of the transfers that has one account in common.
        clients: how many clients there are for each process.
        seconds: how long.
    """

    processes: int = 1
    cores: int = 1
    flush: float = 0.0001
    hot: float = 0
    clients: int = 32
    seconds: float = 4


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of processor time: of a transfer, and of a batch of transfers, on either side."""

    python: float
    postgres: float
    python_batch: float = ROUND_TRIPS * PYTHON_ROUND_TRIP
    postgres_batch: float = ROUND_TRIPS * POSTGRES_ROUND_TRIP

    @classmethod
    def measured(cls) -> "Costs":
        """Return what was measured, less the part of a transfer in its batch."""
        found = json.loads(FILE.read_text(encoding="utf-8"))
        size = found["transfers_in_a_commit"]
        return cls(
            found["python_microseconds"] / 1e6 - ROUND_TRIPS * PYTHON_ROUND_TRIP / size,
            found["postgres_microseconds"] / 1e6 - ROUND_TRIPS * POSTGRES_ROUND_TRIP / size,
        )


class Time:
    """The simulated time, and what happens later."""

    def __init__(self) -> None:
        self.now = 0.0
        self._later: list[tuple[float, int, Then]] = []
        self._count = 0

    def after(self, seconds: float, then: Then) -> None:
        """Have something happen later."""
        self._count += 1
        heapq.heappush(self._later, (self.now + seconds, self._count, then))

    def run(self, until: float) -> None:
        """Let time pass."""
        while self._later and self._later[0][0] <= until:
            self.now, _, then = heapq.heappop(self._later)
            then()


class Cores:
    """Cores that work on one thing each, in the order in which they come."""

    def __init__(self, time: Time, count: int) -> None:
        self._time, self._free = time, count
        self._waiting: deque[tuple[float, Then]] = deque()
        self.busy = 0.0

    def work(self, seconds: float, then: Then) -> None:
        """Work on something as soon as a core is free."""
        if self._free:
            self._free -= 1
            self._begin(seconds, then)
        else:
            self._waiting.append((seconds, then))

    def _begin(self, seconds: float, then: Then) -> None:
        self.busy += seconds
        self._time.after(seconds, lambda: self._end(then))

    def _end(self, then: Then) -> None:
        if self._waiting:
            self._begin(*self._waiting.popleft())
        else:
            self._free += 1
        then()


class Log:
    """The log, which is flushed for all that wait at once."""

    def __init__(self, time: Time, seconds: float) -> None:
        self._time, self._seconds = time, seconds
        self._waiting: list[Then] = []
        self._is_flushing = False
        self.busy = 0.0

    def flush(self, then: Then) -> None:
        """Have something happen after the next flush."""
        self._waiting.append(then)
        if not self._is_flushing:
            self._begin()

    def _begin(self) -> None:
        self._is_flushing = True
        flushed, self._waiting = self._waiting, []
        self.busy += self._seconds
        self._time.after(self._seconds, lambda: self._end(flushed))

    def _end(self, flushed: list[Then]) -> None:
        self._is_flushing = False
        if self._waiting:
            self._begin()
        for then in flushed:
            then()


class Locks:
    """Locks of accounts, which a batch takes one by one in their order."""

    def __init__(self) -> None:
        self._waiting: dict[int, deque[Then]] = {}
        self.waits = 0

    def take(self, accounts: list[int], then: Then) -> None:
        """Have something happen once all are taken."""
        for number, account in enumerate(accounts):
            if account in self._waiting:
                self.waits += 1
                self._waiting[account].append(lambda rest=accounts[number + 1 :]: self.take(rest, then))  # type: ignore[misc]
                return
            self._waiting[account] = deque()
        then()

    def give_back(self, accounts: list[int]) -> None:
        """Give locks back. Whoever waited longest for one has it then."""
        for account in accounts:
            if self._waiting[account]:
                self._waiting[account].popleft()()
            else:
                del self._waiting[account]


@dataclass
class Process:
    """A server process, with what waits in it for a batch."""

    cores: Cores
    waiting: list[tuple[int, int, Then]] = field(default_factory=list)
    running: list[int] = field(default_factory=list)


class Primary:
    """One database with its server processes and their clients.

    Attributes:
        done: when each transfer was answered, and how long it took.
    """

    def __init__(self, scenario: Scenario, costs: Costs, seed: int = 1) -> None:
        self._scenario, self._costs, self._chance = scenario, costs, random.Random(seed)
        self._time = Time()
        self._cores = Cores(self._time, scenario.cores)
        self._log = Log(self._time, scenario.flush)
        self._locks = Locks()
        self._processes = [Process(Cores(self._time, 1)) for _ in range(scenario.processes)]
        self._batches = 0
        self.done: list[tuple[float, float]] = []

    def run(self) -> dict[str, float]:
        """Simulate, and return transfers per second, milliseconds, and how busy everything was."""
        for process in self._processes:
            for _ in range(self._scenario.clients):
                self._send(process)
        self._time.run(self._scenario.seconds)
        waits = [took for at, took in self.done if at > self._scenario.seconds / 4]
        seconds = self._scenario.seconds
        return {
            "per second": len(waits) / (seconds * 3 / 4),
            "median": statistics.median(waits) * 1000,
            "p99": statistics.quantiles(waits, n=100)[98] * 1000,
            "processes": sum(each.cores.busy for each in self._processes) / seconds / len(self._processes),
            "cores": self._cores.busy / seconds / self._scenario.cores,
            "log": self._log.busy / seconds,
            "batch": len(self.done) / max(1, self._batches),
            "waits": self._locks.waits / max(1, self._batches),
        }

    def _account(self) -> int:
        return self._chance.randrange(ACCOUNTS)

    def _send(self, process: Process) -> None:
        sent = self._time.now
        target = HOT if self._chance.random() < self._scenario.hot else self._account()

        def answered() -> None:
            self.done.append((self._time.now, self._time.now - sent))
            self._send(process)

        def arrived() -> None:
            process.waiting.append((self._account(), target, answered))
            self._gather(process)

        process.cores.work(self._costs.python / 2, arrived)

    def _gather(self, process: Process) -> None:
        """Begin a batch if none runs, or if it would be half as large as all that run."""
        if not process.waiting or len(process.running) >= RUNNING or 2 * len(process.waiting) < sum(process.running):
            return
        batch, process.waiting = process.waiting, []
        size = len(batch)
        process.running.append(size)
        self._batches += 1
        accounts = sorted({account for each in batch for account in each[:2]})
        costs = self._costs

        def committed() -> None:
            self._locks.give_back(accounts)
            process.cores.work(costs.python_batch / 2, answer)

        def answer() -> None:
            process.running.remove(size)
            for _, _, answered in batch:
                process.cores.work(costs.python / 2, answered)
            self._gather(process)

        def locked() -> None:
            self._cores.work(costs.postgres_batch + size * costs.postgres, lambda: self._log.flush(committed))

        process.cores.work(costs.python_batch / 2, lambda: self._locks.take(accounts, locked))


_HEAD = (
    "processes,database cores,flush ms,hot,transfers/s,median ms,p99 ms,processes busy,cores busy,log busy,in a batch,log MB/s"
)
SCENARIOS = (
    *(Scenario(processes=n, cores=max(1, n)) for n in (1, 2, 4, 8, 16)),
    *(Scenario(processes=16, cores=n) for n in (2, 4, 8)),
    *(Scenario(processes=16, cores=16, flush=each) for each in (0.001, 0.002, 0.005)),
    *(Scenario(processes=n, cores=n, hot=1) for n in (1, 4, 16)),
    *(Scenario(processes=16, cores=16, hot=each) for each in (0.01, 0.1)),
    Scenario(processes=16, cores=16, hot=1, flush=0.002),
)


def main(seconds: Annotated[float, typer.Option(help="How long to simulate each scenario.")] = 4) -> None:
    """Print what one primary can do, by the figures in `figures.json`."""
    costs, wal = Costs.measured(), json.loads(FILE.read_text(encoding="utf-8"))["wal_bytes"]
    print(f"| {' | '.join(_HEAD.split(','))} |\n|{'---|' * len(_HEAD.split(','))}")
    for each in SCENARIOS:
        scenario = Scenario(each.processes, each.cores, each.flush, each.hot, each.clients, seconds)
        found = Primary(scenario, costs).run()
        print(
            f"| {each.processes} | {each.cores} | {each.flush * 1000:g} | {each.hot:.0%} | {found['per second']:,.0f} | {found['median']:.1f} "
            f"| {found['p99']:.1f} | {found['processes']:.0%} | {found['cores']:.0%} | {found['log']:.0%} | {found['batch']:.0f} "
            f"| {found['per second'] * wal / 1e6:.1f} |"
        )


if __name__ == "__main__":
    typer.run(main)
