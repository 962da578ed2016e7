"""Subscriptions to a hub."""

import asyncio
from typing import Any

from bank_graphql.events.hub import Hub


async def until_subscribed(hub: Hub[Any], count: int = 1) -> None:
    """Wait until a hub has this many subscribers."""
    while hub.subscriber_count < count:
        await asyncio.sleep(0)
