"""Clients that move money at random, and repeat each request with its key until it is answered."""

import asyncio
import json
import random
import secrets
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.client import MOVED, money
from tests.faults.history import History, Request, minor

INPUTS = {
    "transfer": "TransferInput", "placeHold": "PlaceHoldInput", "captureHold": "CaptureHoldInput", "releaseHold": "ReleaseHoldInput",
}  # fmt: skip
ALL = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Account { id balance { booked { amount } available { amount } } } } }"


@dataclass
class Customer:
    """A customer: an access token, and the ids of the accounts."""

    token: str
    accounts: list[str]


@dataclass
class Workload:
    """Clients, the servers that they send requests to, and the history of their answers."""

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
                customer, request = self._next()
                self.history.requests.append(request)
                chance = self.rng.random()
                if chance < 0.1:
                    await self._send_and_disconnect(customer, request)
                if chance > 0.9:
                    await asyncio.gather(*(self._until_answered(http, customer, request) for _ in range(2)))
                else:
                    await self._until_answered(http, customer, request)
                self._add_hold(request)

    async def reader(self) -> None:
        """Read all balances at once, again and again."""
        ids = list(self.history.opening)
        async with httpx.AsyncClient(timeout=8) as http:
            while not self.ended:
                answer = await self._post(http, self.teller, {"query": ALL, "variables": {"ids": ids}})
                if answer is not None and answer.get("data"):
                    self.history.check_snapshot(answer["data"]["nodes"])
                await asyncio.sleep(0.02)

    async def repeat_requests(self) -> None:
        """Repeat up to 3,000 of the requests, whose answers must be the same as before."""
        concurrent = asyncio.Semaphore(16)

        async def repeat(http: httpx.AsyncClient, request: Request) -> None:
            async with concurrent:
                await self._until_answered(http, self._customer_of(request), request)

        async with httpx.AsyncClient(timeout=20) as http:
            await asyncio.gather(*(repeat(http, request) for request in self._sample()))

    def _sample(self) -> list[Request]:
        return self.rng.sample(self.history.requests, min(len(self.history.requests), 3000))

    def _customer_of(self, request: Request) -> Customer:
        owner: int = request.given["owner"]
        return self.customers[owner]

    def _next(self) -> tuple[Customer, Request]:
        key = secrets.token_hex(8)
        if self.holds and self.rng.random() < 0.4:
            hold, source, target, amount = self.holds.pop(self.rng.randrange(len(self.holds)))
            owner = next(number for number, customer in enumerate(self.customers) if target in customer.accounts)
            given = {"owner": owner, "transactionId": hold}
            if self.rng.random() < 0.3:
                return self.customers[owner], Request(key, "releaseHold", given, {})
            part = self.rng.randint(1, amount)
            given["amount"] = money(f"{part // 100}.{part % 100:02}")
            return self.customers[owner], Request(key, "captureHold", given, {source: -part, target: part})
        owner = self.rng.randrange(len(self.customers))
        source = self.rng.choice(self.customers[owner].accounts)
        target = self.rng.choice([account for account in self.history.opening if account != source])
        cents = self.rng.randint(1, 40_000)
        given = {"owner": owner, "to": {"accountId": target}, "amount": money(f"{cents // 100}.{cents % 100:02}")}
        if self.rng.random() < 0.25:
            return self.customers[owner], Request(key, "placeHold", {**given, "accountId": source}, {})
        return self.customers[owner], Request(
            key, "transfer", {**given, "fromAccountId": source}, {source: -cents, target: cents}
        )

    def _add_hold(self, request: Request) -> None:
        if request.mutation == "placeHold" and request.transaction_id:
            cents = minor(request.given["amount"]["amount"])
            self.holds.append((request.transaction_id, request.given["accountId"], request.given["to"]["accountId"], cents))

    def _body(self, request: Request) -> dict[str, Any]:
        given = {name: value for name, value in request.given.items() if name != "owner"}
        query = f"mutation ($input: {INPUTS[request.mutation]}!) {{ outcome: {request.mutation}(input: $input) {{ {MOVED} }} }}"
        return {"query": query, "variables": {"input": {**given, "idempotencyKey": request.key}}}

    async def _until_answered(self, http: httpx.AsyncClient, customer: Customer, request: Request) -> None:
        for _ in range(400):
            answer = await self._post(http, customer.token, self._body(request))
            if answer is not None and answer.get("data") and answer["data"].get("outcome"):
                self.history.record_answer(request, answer["data"]["outcome"])
                return
            codes = {error["extensions"].get("code") for error in (answer or {}).get("errors", [])}
            if codes - {"UNAVAILABLE", "RATE_LIMITED"}:
                self.history.violations.append(f"key {request.key} failed with {codes}")
                return
            self.history.counts["repeated requests"] += 1
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

    async def _send_and_disconnect(self, customer: Customer, request: Request) -> None:
        """Send a request, and disconnect before its answer."""
        host, port = self.rng.choice(self.urls).removeprefix("http://").split(":")
        body = json.dumps(self._body(request)).encode()
        head = (
            f"POST /graphql HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
            f"authorization: Bearer {customer.token}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        try:
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(head.encode() + body)
            await writer.drain()
            await asyncio.sleep(self.rng.random() * 0.01)
            writer.transport.abort()  # a reset, not an orderly close
        except OSError:
            return
        self.history.counts["disconnects before the answer"] += 1
