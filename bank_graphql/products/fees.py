"""The fees of accounts, as payments charge them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from bank_graphql.kit.db import Connection
from bank_graphql.kit.months import Months
from bank_graphql.payments.fees import Fees
from bank_graphql.products import queries


async def fees_of(months: Months, connection: Connection, accounts: Sequence[UUID], at: datetime) -> dict[UUID, Fees]:
    """Return the fees of accounts at a time; none of an account without a product."""
    rows = await connection.fetch(queries.FEES, accounts=list(accounts), day=months.day(at))
    return {
        row.account_id: Fees(
            external_transfer=row.external_transfer_fee,
            card_replacement=row.card_replacement_fee,
        )
        for row in rows
    }
