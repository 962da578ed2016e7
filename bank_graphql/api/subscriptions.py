"""The root type of subscriptions."""

from collections.abc import AsyncGenerator

import strawberry

from bank_graphql.accounts.feed import EventRow
from bank_graphql.api.context import Context
from bank_graphql.api.types.events import TransactionEvent
from bank_graphql.kit.ids import uuid_of


@strawberry.type(description="All subscriptions, over WebSocket (graphql-transport-ws) or server-sent events.")
class Subscription:
    @strawberry.subscription(
        description=(
            "Every change of a transaction on the viewer's accounts, also those opened later, or on the 1 to 100 given "
            "accounts: one "
            "event for each account that it affects, in commit order. With `after`, it first replays the events after that "
            "cursor, "
            "then continues live without gap or repetition; otherwise it begins now. It ends with the error CURSOR_EXPIRED if "
            "events "
            "after `after` were deleted already, and with BAD_REQUEST for an invalid cursor or an account that is not visible. "
            "If "
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
