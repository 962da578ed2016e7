"""Compares the cost of requests of many kinds with the processor time that the server takes for them.

`python -m bench.costs` prints both for each kind, and the highest and the lowest time per cost. Requests are sent one after the other
over one connection to a server of their own, and the system counts the processor time of its process.
"""

import asyncio
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from graphql import OperationDefinitionNode, get_introspection_query, get_operation_ast, parse

from bank_graphql.api.schema import build_schema
from bank_graphql.engine import complexity
from bank_graphql.kit.errors import TooComplex
from bench import data, requests, sides

SIZE = data.Size(accounts=320, entries=64_000, deep=400)
WITHIN = 3.0
"""The time per cost of a request is at most the median's times this, and at least the median's divided by this."""
SCHEMA = build_schema()._schema  # noqa: SLF001 - Strawberry's way to the core schema
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Kind:
    """A kind of request.

    Attributes:
        name: its name in the table.
        query: makes the document, another one each time if `is_new`.
        variables: makes the variables.
        times: how often it is sent.
        is_new: whether each request has a new document, whose reading has a cost of its own.
    """

    name: str
    query: Callable[[], str]
    variables: Callable[[], dict[str, Any]] = dict
    times: int = 200
    is_new: bool = False

    @property
    def may_repeat(self) -> bool:
        """Whether sending the same requests again is the same work: they are no replays and have no new documents."""
        return not self.is_new and "$i" not in self.query()[:40]


def transfer(own: list[str]) -> dict[str, Any]:
    """Return the input of a transfer between two of the user's own accounts, with a new key."""
    return requests.transfer_input(own[0], own[1], secrets.token_hex(8))


def kinds(own: list[str]) -> Iterator[Kind]:
    """Yield all kinds of requests. `own` has the ids of the user's accounts."""

    def batch(count: int, **more: Any) -> Callable[[], dict[str, Any]]:
        return lambda: {"input": {"transfers": [transfer(own) for _ in range(count)], **more}}

    aliases = "mutation B(" + ", ".join(f"$i{n}: TransferBatchInput!" for n in range(20)) + ") { "
    aliases += " ".join(f"a{n}: transferBatch(input: $i{n}) {{ __typename }}" for n in range(20)) + " }"
    yield Kind("__typename", lambda: "{ __typename }")
    yield Kind("me", lambda: "{ me { id email fullName } }")
    yield Kind("one account", lambda: requests.POINT, lambda: {"id": own[0]})
    yield Kind("20 entries", lambda: requests.PAGE, lambda: {"id": own[0]})
    yield Kind("100 entries", lambda: requests.PAGE.replace("first: 20", "first: 100"), lambda: {"id": own[0]})
    yield Kind("5 accounts, 20 entries each", lambda: requests.NESTED)
    yield Kind(
        "100 nodes", lambda: "query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on Account { name } } }", lambda: {"ids": own * 20}
    )
    yield Kind("20 aliases of one account", lambda: "query ($id: ID!) { " + " ".join(f"a{n}: account(id: $id) {{ id name }}" for n in range(20)) + " }", lambda: {"id": own[0]})  # fmt: skip
    yield Kind("transactions", lambda: "query ($id: ID!) { account(id: $id) { transactions(first: 20) { nodes { id amount { amount } from { name } to { name } } } } }", lambda: {"id": own[0]})  # fmt: skip
    yield Kind("a search", lambda: 'query ($id: ID!) { account(id: $id) { transactions(filter: {search: "x"}, first: 20) { nodes { id } } } }', lambda: {"id": own[0]}, times=50)  # fmt: skip
    yield Kind("introspection", lambda: get_introspection_query(input_value_deprecation=True), times=10)
    yield Kind("types' names", lambda: "{ __schema { types { name } } }", times=50)
    yield Kind("types of fields' types", lambda: "{ __schema { types { fields { type { ofType { fields { name description type { name kind } args { name } } } } } } } }", times=20)  # fmt: skip
    yield Kind(
        "29 lists of sessions", lambda: "{ me { " + " ".join(f"s{n}: sessions {{ id }}" for n in range(29)) + " } }", times=50
    )
    yield Kind("29 balances of the past", lambda: "query ($id: ID!) { account(id: $id) { " + " ".join(f'b{n}: balanceAt(at: "2026-01-0{n % 9 + 1}T00:00:00Z") {{ amount }}' for n in range(29)) + " } }", lambda: {"id": own[0]}, times=50)  # fmt: skip
    yield Kind("a transfer", lambda: requests.TRANSFER, lambda: {"input": transfer(own)})
    yield Kind("a dry run", lambda: requests.TRANSFER, lambda: {"input": {**transfer(own), "dryRun": True}})
    yield Kind("a batch of 10", lambda: requests.BATCH, batch(10), times=50)
    yield Kind("a batch of 100", lambda: requests.BATCH, batch(100), times=20)
    yield Kind("a batch of 1,000", lambda: requests.BATCH, batch(1000), times=4)
    yield Kind("a dry batch of 1,000", lambda: requests.BATCH, batch(1000, dryRun=True), times=4)
    yield Kind(
        "20 dry batches of 100",
        lambda: aliases,
        lambda: {f"i{n}": batch(100, dryRun=True)()["input"] for n in range(20)},
        times=3,
    )
    yield Kind("a new name", lambda: 'mutation { updateProfile(fullName: "Ada") { ... on User { fullName } } }')
    yield Kind("a new small document", lambda: f"{{ a{secrets.token_hex(4)}: __typename }}", is_new=True)
    yield Kind("a new invalid document", lambda: f"{{ a{secrets.token_hex(4)} }}", is_new=True)
    yield Kind("a new document", lambda: requests.NESTED.replace("Overview", f"O{secrets.token_hex(4)}"), is_new=True, times=50)
    yield Kind("a new large document", lambda: "{ me { " + " ".join(f"a{secrets.token_hex(3)}{n}: accounts {{ nodes {{ {'id name kind ' * 2} }} }}" for n in range(28)) + " } }", is_new=True, times=20)  # fmt: skip
    yield Kind("a new invalid large document", lambda: "{ me { " + " ".join(f"a{secrets.token_hex(3)}{n}: nope {{ no }}" for n in range(28)) + " } }", is_new=True, times=20)  # fmt: skip


def cost_of(kind: Kind, query: str, variables: dict[str, Any]) -> int:
    """Return what the server charges for a request."""
    document = parse(query)
    operation = get_operation_ast(document)
    if not isinstance(operation, OperationDefinitionNode):
        raise TypeError(type(operation))
    try:
        cost = complexity.operation_cost(SCHEMA, document, operation, variables)
    except TooComplex:
        cost = 0
    return cost + (complexity.source_cost(query) if kind.is_new else 0)


def processor_seconds(pid: int) -> float:
    """Return the seconds of processor time that a process has taken, as the system counts them."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def measure(server: sides.Server, kind: Kind) -> tuple[int, float]:
    """Return the cost of a request of a kind, and how many microseconds of processor time it takes."""
    async with httpx.AsyncClient(timeout=60, headers={"authorization": f"Bearer {server.tokens[0]}"}) as http:
        bodies = [{"query": kind.query(), "variables": kind.variables()} for _ in range(kind.times + 3)]
        for body in bodies[:3]:  # these open connections, and fill the caches of plans and documents
            await http.post(server.url, json=body)
        taken, sent = 0.0, 0
        while not sent or (taken < 0.3 and kind.may_repeat):  # the system counts in hundredths of a second
            before = processor_seconds(server.pid)
            for body in bodies[3:]:
                answer = await http.post(server.url, json=body)
                if answer.status_code not in {200, 400}:
                    raise RuntimeError(answer.text[:200])
            taken += processor_seconds(server.pid) - before
            sent += kind.times
    return cost_of(kind, kind.query(), kind.variables()), taken * 1e6 / sent


async def remaining_share(server: sides.Server, own: list[str], seconds: float = 4.0) -> float:
    """Return the share of their requests that other users get answered while one user sends batches over two connections."""
    ended = asyncio.Event()

    async def send(token: str, body: Callable[[], dict[str, Any]]) -> int:
        answered = 0
        async with httpx.AsyncClient(timeout=60, headers={"authorization": f"Bearer {token}"}) as http:
            while not ended.is_set():
                answered += (await http.post(server.url, json=body())).status_code == 200
        return answered

    def batch() -> dict[str, Any]:
        return {
            "query": requests.BATCH,
            "variables": {"input": {"transfers": [transfer(own) for _ in range(1000)], "dryRun": True}},
        }

    async def run(connections: int) -> int:
        ended.clear()
        others = [asyncio.create_task(send(token, lambda: {"query": "{ me { id } }"})) for token in server.tokens[1:9]]
        batches = [asyncio.create_task(send(server.tokens[0], batch)) for _ in range(connections)]
        await asyncio.sleep(seconds)
        ended.set()
        await asyncio.gather(*batches)
        return sum(await asyncio.gather(*others))

    return await run(2) / await run(0)


async def compare(folder: Path) -> bool:
    """Print the table. Return whether all times per cost are within `WITHIN` of the median, and others keep half of their requests."""
    async with sides.postgres(folder / "data") as dsn:
        filled = await sides.copy_of(await sides.database(dsn, "bank_costs", SIZE))
        async with sides.bank(filled, folder / "bank") as server:
            await server.log_in(9)
            headers = {"authorization": f"Bearer {server.tokens[0]}"}
            async with httpx.AsyncClient(headers=headers) as http:
                answer = (await http.post(server.url, json={"query": "{ me { accounts(first: 5) { nodes { id } } } }"})).json()
            own = [node["id"] for node in answer["data"]["me"]["accounts"]["nodes"]]
            share = await remaining_share(server, own)
            rows = [(kind.name, *await measure(server, kind)) for kind in kinds(own)]
    ratios = sorted(microseconds / cost for _, cost, microseconds in rows)
    median = ratios[len(ratios) // 2]
    for name, cost, microseconds in rows:
        print(
            f"{name:32} cost {cost:8,} {microseconds:12,.0f} us {microseconds / cost:8.1f} us per cost, {microseconds / cost / median:5.2f} of the median"
        )
    print(f"median {median:.1f} us per cost; the highest {ratios[-1] / median:.2f} of it, the lowest {ratios[0] / median:.2f}")
    print(f"while one user sends batches over two connections, others keep {share:.0%} of their requests")
    return ratios[-1] <= WITHIN * median and ratios[0] >= median / WITHIN and share >= 0.5


def main(folder: Annotated[Path, typer.Option(help="The folder of the databases.")] = Path("/tmp/bank-bench")) -> None:  # noqa: S108
    """Compare the cost of requests with the processor time that they take."""
    sys.exit(0 if asyncio.run(compare(folder)) else 1)


if __name__ == "__main__":
    typer.run(main)
