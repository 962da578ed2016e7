"""The root type of subscriptions."""

from collections.abc import AsyncGenerator

import strawberry

from bank_graphql.accounts.feed import EventRow
from bank_graphql.api.context import Context
from bank_graphql.api.types.events import TransactionEvent
from bank_graphql.kit.ids import uuid_of


@strawberry.type(description="What can be followed, over WebSocket (graphql-transport-ws) and server-sent events.")
class Subscription:
    @strawberry.subscription(
        description=(
            "Every change of a transaction on the viewer's accounts, those opened later too (or on the 1 to 100 given ones), "
            "once for each account that it affects, in commit order. `after` first replays what came since that event's cursor, "
            "then goes live with no gap and no repeat; without it, from now on. It ends with CURSOR_EXPIRED where something "
            "since `after` is no longer kept, and with BAD_REQUEST for what is no cursor, or no account of the viewer's. Where "
            "accounts are given, it completes once all of them are closed."
        ),
        graphql_type=AsyncGenerator[TransactionEvent, None],
    )
    @staticmethod
    async def transaction_feed(
        root: Context, account_ids: list[strawberry.ID] | None = None, after: str | None = None
    ) -> AsyncGenerator[EventRow, None]:
        services, viewer = root.services, root.viewer
        accounts = None if account_ids is None else [uuid_of(each, "Account") for each in account_ids]
        interest = await services.feed.interest_of(viewer, accounts)
        since = await services.feed.resume_position(after)
        async for event in services.streams.events(viewer, interest, since):
            yield event
