"""The filter of an account's transactions."""

import strawberry

from bank_graphql.api.loaders import TransactionFilters
from bank_graphql.api.scalars import DateTime, DecimalText
from bank_graphql.api.types.enums import TransactionKind, TransactionStatus
from bank_graphql.kit.errors import BadRequest, ValidationFailed
from bank_graphql.kit.ids import parse_reference
from bank_graphql.kit.money import parse_amount
from bank_graphql.kit.text import normalise

SEARCH_MAX = 200


@strawberry.input(description="Which transactions to list. What is not given does not restrict.")
class TransactionFilter:
    kinds: list[TransactionKind] | None = strawberry.field(default=None, description="Only transactions of these kinds.")
    statuses: list[TransactionStatus] | None = strawberry.field(
        default=None, description="Only transactions with these statuses."
    )
    from_: DateTime | None = strawberry.field(
        default=None, name="from", description="Only transactions made at this time or later."
    )
    to: DateTime | None = strawberry.field(default=None, description="Only transactions made before this time.")
    min_amount: DecimalText | None = strawberry.field(
        default=None, description="Only amounts of at least this much, in the account's currency."
    )
    max_amount: DecimalText | None = strawberry.field(
        default=None, description="Only amounts of at most this much, in the account's currency."
    )
    search: str | None = strawberry.field(
        default=None,
        description="Only transactions whose description contains this text, in any case, or whose reference it is.",
    )

    def resolved(self, currency: str) -> TransactionFilters:
        """Return the filter for an account in this currency.

        Raises:
            BadRequest: an amount is invalid in this currency, or the search text is too long.
        """
        search = check_search(self.search)
        return TransactionFilters(
            kinds=None if self.kinds is None else tuple(kind.value for kind in self.kinds),
            statuses=None if self.statuses is None else tuple(status.value for status in self.statuses),
            since=self.from_,
            until=self.to,
            least=_minor(self.min_amount, currency),
            most=_minor(self.max_amount, currency),
            search=search,
            search_id=None if search is None else parse_reference(search),
        )


def check_search(text: str | None) -> str | None:
    """Return the normalised text of a search, or None if nothing is searched for.

    Raises:
        BadRequest: it is too long.
    """
    search = None if text is None else normalise(text)
    if search is not None and len(search) > SEARCH_MAX:
        raise BadRequest(f"A search has at most {SEARCH_MAX} characters.")
    return search


def _minor(amount: DecimalText | None, currency: str) -> int | None:
    try:
        return None if amount is None else parse_amount(amount, currency)
    except ValidationFailed as error:
        raise BadRequest(f"In the filter: {error}") from error
