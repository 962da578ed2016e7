"""Runs the client that ariadne-codegen generates: `python use_ariadne.py URL TOKEN`."""

import asyncio
import json
import sys

from bank_client import Client
from bank_client.enums import CurrencyCode
from bank_client.input_types import MoneyInput, TransferDestination, TransferInput


async def use(url: str, token: str) -> None:
    async with Client(url, headers={"authorization": f"Bearer {token}"}) as client:
        me = (await client.me()).me
        assert me is not None
        given = TransferInput(
            fromAccountId="garbage",
            to=TransferDestination(accountNumber="DE00"),
            amount=MoneyInput(amount="1.00", currency=CurrencyCode.EUR),
            idempotencyKey="ariadne",
        )
        refused = (await client.pay(given)).transfer
        opened = me.accounts.nodes[0].opened_at
        print(json.dumps([me.email, opened.utcoffset() is not None, refused.typename__]))


asyncio.run(use(*sys.argv[1:]))
