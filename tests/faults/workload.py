"""Clients that move money at random, and keep asking under the same key until they have a definite answer."""

import asyncio
import json
import random
import secrets
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.client import MOVED, money
from tests.faults.history import Asked, History

INPUTS = {
    "transfer": "TransferInput", "placeHold": "PlaceHoldInput", "captureHold": "CaptureHoldInput", "releaseHold": "ReleaseHoldInput",
}  # fmt: skip
ALL = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Account { id balance { booked { amount } available { amount } } } } }"


@dataclass
class Customer:
    """Someone with accounts."""

    token: str
    accounts: list[str]


@dataclass
class Workload:
    """The clients, the servers that they ask, and what they were told."""

    urls: list[str]
    customers: list[Customer]
    teller: str
    history: History
    rng: random.Random
    numbers: dict[str, str]
    holds: list[tuple[str, str, str, int]] = field(default_factory=list)
    ended: bool = False

    async def client(self) -> None:
        """Move money until the end."""
        async with httpx.AsyncClient(timeout=8) as http:
            while not self.ended:
                customer, asked = self._next()
                self.history.asked.append(asked)
                way = self.rng.random()
                if way < 0.1:
                    await self._cut(customer, asked)
                if way > 0.9:
                    await asyncio.gather(*(self._until_answered(http, customer, asked) for _ in range(2)))
                else:
                    await self._until_answered(http, customer, asked)
                self._after(asked)

    async def reader(self) -> None:
        """Read all balances at once, again and again."""
        ids = list(self.history.opening)
        async with httpx.AsyncClient(timeout=8) as http:
            while not self.ended:
                answer = await self._post(http, self.teller, {"query": ALL, "variables": {"ids": ids}})
                if answer is not None and answer.get("data"):
                    self.history.snapshot(answer["data"]["nodes"])
                await asyncio.sleep(0.02)

    async def ask_again(self) -> None:
        """Repeat requests, of a long history some thousands: the answers must be what they were."""
        gate = asyncio.Semaphore(16)

        async def again(http: httpx.AsyncClient, asked: Asked) -> None:
            async with gate:
                await self._until_answered(http, self._of(asked), asked)

        async with httpx.AsyncClient(timeout=20) as http:
            await asyncio.gather(*(again(http, asked) for asked in self._some()))

    def _some(self) -> list[Asked]:
        return self.rng.sample(self.history.asked, min(len(self.history.asked), 3000))

    def _of(self, asked: Asked) -> Customer:
        owner: int = asked.given["owner"]
        return self.customers[owner]

    def _next(self) -> tuple[Customer, Asked]:
        key = secrets.token_hex(8)
        if self.holds and self.rng.random() < 0.4:
            hold, source, target, amount = self.holds.pop(self.rng.randrange(len(self.holds)))
            owner = next(number for number, customer in enumerate(self.customers) if target in customer.accounts)
            given = {"owner": owner, "transactionId": hold}
            if self.rng.random() < 0.3:
                return self.customers[owner], Asked(key, "releaseHold", given, {})
            part = self.rng.randint(1, amount)
            given["amount"] = money(f"{part // 100}.{part % 100:02}")
            return self.customers[owner], Asked(key, "captureHold", given, {source: -part, target: part})
        owner = self.rng.randrange(len(self.customers))
        source = self.rng.choice(self.customers[owner].accounts)
        target = self.rng.choice([account for account in self.history.opening if account != source])
        minor = self.rng.randint(1, 40_000)
        given = {"owner": owner, "to": {"accountId": target}, "amount": money(f"{minor // 100}.{minor % 100:02}")}
        if self.rng.random() < 0.25:
            return self.customers[owner], Asked(key, "placeHold", {**given, "accountId": source}, {})
        return self.customers[owner], Asked(key, "transfer", {**given, "fromAccountId": source}, {source: -minor, target: minor})

    def _after(self, asked: Asked) -> None:
        if asked.mutation == "placeHold" and asked.transaction_id:
            minor = round(float(asked.given["amount"]["amount"]) * 100)
            self.holds.append((asked.transaction_id, asked.given["accountId"], asked.given["to"]["accountId"], minor))

    def _body(self, asked: Asked) -> dict[str, Any]:
        given = {name: value for name, value in asked.given.items() if name != "owner"}
        query = f"mutation ($input: {INPUTS[asked.mutation]}!) {{ outcome: {asked.mutation}(input: $input) {{ {MOVED} }} }}"
        return {"query": query, "variables": {"input": {**given, "idempotencyKey": asked.key}}}

    async def _until_answered(self, http: httpx.AsyncClient, customer: Customer, asked: Asked) -> None:
        for _ in range(400):
            answer = await self._post(http, customer.token, self._body(asked))
            if answer is not None and answer.get("data") and answer["data"].get("outcome"):
                self.history.answered(asked, answer["data"]["outcome"])
                return
            codes = {error["extensions"].get("code") for error in (answer or {}).get("errors", [])}
            if codes - {"UNAVAILABLE", "RATE_LIMITED"}:
                self.history.violations.append(f"key {asked.key} failed with {codes}")
                return
            self.history.counts["asked again"] += 1
            await asyncio.sleep(0.05)

    async def _post(self, http: httpx.AsyncClient, token: str, body: dict[str, Any]) -> dict[str, Any] | None:
        try:
            url = f"{self.rng.choice(self.urls)}/graphql"
            response = await http.post(url, json=body, headers={"authorization": f"Bearer {token}"})
            answer: dict[str, Any] = response.json()
        except (httpx.HTTPError, ValueError):
            return None
        if response.status_code >= 500 and response.status_code != 503:
            self.history.violations.append(f"a request was answered with {response.status_code}")
        return answer

    async def _cut(self, customer: Customer, asked: Asked) -> None:
        """Send the request, and go away before the answer comes."""
        host, port = self.rng.choice(self.urls).removeprefix("http://").split(":")
        body = json.dumps(self._body(asked)).encode()
        head = (
            f"POST /graphql HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
            f"authorization: Bearer {customer.token}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        try:
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(head.encode() + body)
            await writer.drain()
            await asyncio.sleep(self.rng.random() * 0.01)
            writer.transport.abort()  # a reset, not a polite end
        except OSError:
            return
        self.history.counts["answers cut off"] += 1
