"""The measures: each function measures one or more rows of the table."""

import asyncio
import statistics
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import orjson

from bench import data, feed, load, requests, sides

CLIENTS = 32
BATCH_CLIENTS = 8
BATCH = 500
SUBSCRIBERS = 1000
EVENTS = 200
MAIN = data.Size(accounts=100_000, entries=1_000_000)
SMALL = data.Size(accounts=1_000, entries=10_000)
LARGE = data.Size(accounts=1_000_000, entries=10_000_000, deep=1_000_100)


@dataclass(frozen=True, slots=True)
class Plan:
    """The extent of a run.

    Attributes:
        rounds: how often each side of a row is measured, in turn.
        seconds: the duration of each measurement.
        main: the size of the bank for most rows.
        small: the size of the bank that the large one is compared with.
        large: the size of the large bank; None leaves its rows out.
    """

    rounds: int = 5
    seconds: float = 8
    main: data.Size = MAIN
    small: data.Size = SMALL
    large: data.Size | None = LARGE


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: a measure, its sides, and the target of their ratio.

    Attributes:
        name: the measure.
        against: the other side, which the bank is compared with.
        unit: the unit of the figures.
        ours: the bank's figures, one for each round.
        theirs: the other side's figures; empty where there is only a bound.
        target: the minimum of the ratio of the medians, or its maximum if `is_maximum`; None if there is no target.
        generator: the maximum of the load generator's share of a core.
    """

    name: str
    against: str
    unit: str
    ours: Sequence[float]
    theirs: Sequence[float] = ()
    target: float | None = None
    is_maximum: bool = False
    generator: float = 0

    @property
    def ratio(self) -> float:
        """The median of our figures divided by that of theirs; the median of ours where there is no other side."""
        ours = statistics.median(self.ours)
        return ours / statistics.median(self.theirs) if self.theirs else ours

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None if there is none."""
        if self.target is None:
            return None
        return self.ratio <= self.target if self.is_maximum else self.ratio >= self.target


@dataclass
class Bench:
    """A run: the server of its databases, its folder and its extent. `memory_peaks` has the maximum memory of each measured bank."""

    server: str
    folder: Path
    plan: Plan
    memory_peaks: list[float] = field(default_factory=list)

    async def database(self, name: str, size: data.Size) -> str:
        """Return the address of a bank of this size, which is filled unless an earlier run has filled it."""
        return await sides.database(self.server, name, size)

    async def copy(self) -> str:
        """Return the address of a new copy of the bank for most rows: the writes of one row must not slow another down."""
        return await sides.copy_of(await self.database("bench_main", self.plan.main))

    async def in_turn(self, *measured: Callable[[], Awaitable[float]]) -> list[list[float]]:
        """Measure the sides in turn, round by round, after a first round that does not count. Return the figures of each side."""
        for side in measured:
            await side()
        figures: list[list[float]] = [[] for _ in measured]
        for _ in range(self.plan.rounds):
            for side, found in zip(measured, figures, strict=True):
                found.append(await side())
        return figures

    def throughput(
        self, requested: load.Load, generator: list[float], *, times: int = 1, clients: int = CLIENTS
    ) -> Callable[[], Awaitable[float]]:
        """Return a function that measures requests per second, multiplied by `times`."""

        async def measure() -> float:
            result = await load.run(requested, clients=clients, seconds=self.plan.seconds)
            generator.append(result.generator)
            return result.per_second * times

        return measure


async def against_postgraphile(bench: Bench) -> list[Row]:
    """Nested and point reads, and single transfers, against PostGraphile over the same tables."""
    accounts = bench.plan.main.accounts
    dsn = await bench.copy()
    rows, peer_name = [], "PostGraphile 5"
    async with sides.bank(dsn, bench.folder) as bank, sides.postgraphile(dsn) as peer:
        await bank.log_in()
        for name, target, ours, theirs, against in (
            ("nested read", 2.0, requests.nested(bank), requests.nested_of_tables(peer), peer_name),
            ("nested read", None, requests.nested(bank), requests.nested_of_view(peer), f"{peer_name}, over a view for it"),
            ("point read", 1.5, requests.point(bank, accounts), requests.point_of_tables(peer, accounts), peer_name),
            (
                "transfer, keys, feed and audit included",
                1.5,
                requests.transfer(bank, accounts),
                requests.transfer_by_function(peer, accounts),
                f"{peer_name}, bare function",
            ),
        ):
            generator: list[float] = []
            figures = await bench.in_turn(bench.throughput(ours, generator), bench.throughput(theirs, generator))
            rows.append(Row(name, against, "requests/s", figures[0], figures[1], target=target, generator=max(generator)))
        bench.memory_peaks.append(bank.memory)
    return rows


async def batches(bench: Bench) -> list[Row]:
    """Batches of transfers, against single transfers by a function that pgbench calls."""
    accounts = bench.plan.main.accounts
    dsn = await bench.copy()
    await sides.prepare_peer(dsn)
    script = requests.PGBENCH.format(last=accounts - 1, accounts=accounts)
    async with sides.bank(dsn, bench.folder) as bank:
        await bank.log_in()
        generator: list[float] = []

        async def bare() -> float:
            return await sides.pgbench(dsn, script, clients=CLIENTS, seconds=bench.plan.seconds)

        batch = requests.batch(bank, accounts, BATCH)
        figures = await bench.in_turn(bench.throughput(batch, generator, times=BATCH, clients=BATCH_CLIENTS), bare)
        bench.memory_peaks.append(bank.memory)
    return [
        Row(
            f"transferBatch of {BATCH}",
            "pgbench, bare function",
            "transfers/s",
            figures[0],
            figures[1],
            target=2.5,
            generator=max(generator),
        )
    ]


async def hot_account(bench: Bench) -> list[Row]:
    """Transfers onto one account, against transfers onto all."""
    accounts = bench.plan.main.accounts
    dsn = await bench.copy()
    async with sides.bank(dsn, bench.folder) as bank:
        await bank.log_in()
        generator: list[float] = []
        figures = await bench.in_turn(
            bench.throughput(requests.transfer(bank, accounts, hot=True), generator),
            bench.throughput(requests.transfer(bank, accounts), generator),
        )
        bench.memory_peaks.append(bank.memory)
    return [
        Row("transfer onto one hot account", "spread", "requests/s", figures[0], figures[1], target=0.8, generator=max(generator))
    ]


async def feed_of_many(bench: Bench) -> list[Row]:
    """The delay of events at a thousand subscribers."""
    dsn = await bench.copy()
    delays = []
    async with sides.bank(dsn, bench.folder) as bank:
        await bank.log_in()
        for _ in range(bench.plan.rounds):
            received = await feed.measure(bank, subscribers=SUBSCRIBERS, events_per_second=EVENTS, seconds=bench.plan.seconds)
            delays.append(received.p99)
        bench.memory_peaks.append(bank.memory)
    name = f"feed: {SUBSCRIBERS:,} subscribers, {EVENTS} events/s, decided to received, p99, none lost"
    return [Row(name, "—", "ms", delays, target=100, is_maximum=True)]


async def processes(bench: Bench) -> list[Row]:
    """Two processes against one, with requests that need no PostgreSQL."""
    dsn = await bench.copy()
    async with sides.bank(dsn, bench.folder, workers=2) as two, sides.bank(dsn, bench.folder) as one:
        await two.log_in()
        await one.log_in()
        generator: list[float] = []
        figures = await bench.in_turn(*(bench.throughput(requests.of_schema(each), generator) for each in (two, one)))
    return [Row("two processes", "one", "requests/s", figures[0], figures[1], target=1.6, generator=max(generator))]


async def sizes(bench: Bench) -> list[Row]:
    """A deep page against the first, and a nested read in a large bank against a small one: response times of a single client."""
    if bench.plan.large is None:
        return []
    large = await bench.database("bench_large", bench.plan.large)
    small = await bench.database("bench_small", bench.plan.small)
    connection = await asyncpg.connect(large)
    deep = await connection.fetchval(
        "SELECT id FROM entries WHERE account_id = $1::text::uuid ORDER BY id DESC OFFSET 1000000 LIMIT 1",
        data.account_id(data.DEEP),
    )
    await connection.close()
    owner = data.DEEP % data.USERS
    times = max(50, int(bench.plan.seconds * 40))
    async with sides.bank(large, bench.folder) as bank, sides.bank(small, bench.folder) as small_bank:
        await bank.log_in()
        await small_bank.log_in()

        def response_time(server: sides.Server, body: bytes, user: int) -> Callable[[], Awaitable[float]]:
            return lambda: load.milliseconds(server.url, orjson.loads(body), server.tokens[user], times)

        page = {
            after: requests.body(requests.PAGE, id=requests.account(data.DEEP), after=after)
            for after in (requests.cursor(deep), None)
        }
        pages = await bench.in_turn(*(response_time(bank, body, owner) for body in page.values()))
        nested = await bench.in_turn(
            response_time(bank, requests.body(requests.NESTED), 1), response_time(small_bank, requests.body(requests.NESTED), 1)
        )
    return [
        Row("a page at depth 1,000,000", "the first page", "ms", pages[0], pages[1], target=1.2, is_maximum=True),
        Row("nested read, 10 million entries", "10 thousand entries", "ms", nested[0], nested[1], target=1.2, is_maximum=True),
    ]


async def process(bench: Bench) -> list[Row]:
    """The memory of the banks of the other measures, and a cold start."""
    dsn = await bench.copy()
    if not bench.memory_peaks:
        async with sides.bank(dsn, bench.folder) as bank:
            await bank.log_in()
            await load.run(requests.nested(bank), clients=CLIENTS, seconds=bench.plan.seconds)
            bench.memory_peaks.append(bank.memory)
    starts = [await sides.cold_start(bench.folder / "cold") for _ in range(bench.plan.rounds)]
    return [
        Row("memory of a process under load", "—", "MB", [max(bench.memory_peaks)], target=250, is_maximum=True),
        Row("cold start with a data folder, to the first answer", "—", "s", starts, target=2, is_maximum=True),
    ]


async def documents(bench: Bench) -> list[Row]:
    """The time and the memory that documents of 10,000 entries take."""
    rows = []
    for ending, name in (("pdf", "PDF"), ("csv", "CSV"), ("xml", "camt.053")):
        runs = [await _document(ending) for _ in range(bench.plan.rounds)]
        rows += [
            Row(f"statement of 10,000 entries as {name}", "—", "s", [seconds for seconds, _ in runs]),
            Row(f"memory of that process ({name})", "—", "MB", [memory for _, memory in runs]),
        ]
    return rows


async def _document(ending: str) -> tuple[float, float]:
    made = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.documents", ending, "10000", stdout=asyncio.subprocess.PIPE
    )
    output, _ = await made.communicate()
    seconds, memory = map(float, output.split())
    return seconds, memory


ALL: dict[str, Callable[[Bench], Awaitable[list[Row]]]] = {
    "postgraphile": against_postgraphile,
    "batches": batches,
    "hot": hot_account,
    "feed": feed_of_many,
    "sizes": sizes,
    "processes": processes,
    "process": process,
    "documents": documents,
}
"""The measures by name, in the order of the table."""
