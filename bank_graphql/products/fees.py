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
    day, catalog = months.day(at), await queries.catalog(connection)
    if not catalog.products:
        return {}
    found: dict[UUID, Fees] = {}
    for account, assigned in await queries.with_assignments(connection, accounts):
        product = catalog.product_on(day, account.kind, account.currency, assigned)
        terms = None if product is None else product.terms_on(day)
        if terms is not None:
            found[account.id] = Fees(external_transfer=terms.external_transfer_fee, card_replacement=terms.card_replacement_fee)
    return found
